"""What monitors ask: whether the process lives, whether it can serve, and what it counts."""

from __future__ import annotations

from ultrai.assembly.facade import UltrAI
from ultrai.domain.errors import SettingsError, StoreError
from ultrai.server.exchange import Exchange
from ultrai.server.live import LiveRuns
from ultrai.server.problems import Problem, Refused

_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


class Probes:
    """Answers monitors. None of it costs anything or asks the upstream."""

    def __init__(self, session: UltrAI, runs: LiveRuns) -> None:
        self._session = session
        self._runs = runs

    async def alive(self, exchange: Exchange) -> None:
        """The process lives."""
        await exchange.answer_json(200, {"status": "ok"})

    async def ready(self, exchange: Exchange) -> None:
        """It takes requests: it is not about to end, and its database answers."""
        if self._runs.is_draining:
            await self._not_ready(exchange, "draining")
            return
        try:
            await self._session.runs(limit=1)
        except StoreError:
            await self._not_ready(exchange, "store")
        else:
            await exchange.answer_json(200, {"status": "ready", "runs": self._runs.count})

    async def metrics(self, exchange: Exchange) -> None:
        """Prometheus' text: the ledger of all processes, and the Runs of this one."""
        try:
            text = await self._session.metrics()
        except SettingsError as error:
            raise Refused(Problem(501, "not_installed", f"{error}; {error.hint}")) from None
        await exchange.answer(200, text.encode(), headers=[_TEXT])

    async def _not_ready(self, exchange: Exchange, why: str) -> None:
        headers = [(b"retry-after", b"1")]
        await exchange.answer_json(503, {"status": "not ready", "reason": why}, headers=headers)
