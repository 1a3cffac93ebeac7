"""What the page shows beside Runs: plans, documents, readiness, costs. Others may read it too."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from ultrai.assembly.facade import UltrAI
from ultrai.domain.money import format_usd
from ultrai.domain.spending import DIMENSIONS, total
from ultrai.reading.reader import Reader
from ultrai.reading.reading import Limits
from ultrai.server.exchange import Exchange
from ultrai.server.live import LiveRuns
from ultrai.server.markdown import html_of
from ultrai.server.parsing import PREFIX, decode, run_ask_of, typed
from ultrai.server.problems import bad_request
from ultrai.server.wire import RenderRequest
from ultrai.store.spending import Wanted

if TYPE_CHECKING:
    from ultrai.domain.access import AccessKey
    from ultrai.domain.chart import Burn
    from ultrai.domain.overview import ReadinessRow

_USUAL_DAYS = 30
_MOST_DAYS = 3660
_LONGEST_NAME = 1000


class Views:
    """Answers with what can be looked at."""

    def __init__(self, runs: LiveRuns) -> None:
        self._runs = runs
        self._session: UltrAI = runs.session

    async def plan(self, exchange: Exchange) -> None:
        """What a Run would ask, fit and cost; nothing is spent."""
        ask = run_ask_of(await exchange.body(), self._session.book)
        self._runs.access.check_models(ask, exchange.key)
        await exchange.answer_json(200, (await self._session.plan(ask)).to_dict())

    async def document(self, exchange: Exchange) -> None:
        """The text of a file that the body holds. Raises Unreadable, a UsageError."""
        name = exchange.query("name") or ""
        if not 0 < len(name) <= _LONGEST_NAME:
            raise bad_request("name says what the file is called", param="name")
        data = await exchange.body()
        reading = await asyncio.to_thread(
            _read, data, name, most_mb=self._session.settings.max_file_mb
        )
        await exchange.answer_json(
            200, {"name": name, "text": reading[0], "remark": reading[1] or None}
        )

    async def render(self, exchange: Exchange) -> None:
        """Markdown as HTML that a page can show without danger."""
        request = typed(decode(await exchange.body()), RenderRequest)
        html = await asyncio.to_thread(html_of, request.text)
        await exchange.answer_json(200, {"html": html})

    async def readiness(self, exchange: Exchange) -> None:
        """The verdict on every model of every cocktail that the access key may ask."""
        refresh = exchange.query("refresh") in ("1", "true")
        rows = await self._session.readiness(refresh=refresh)
        shown = [row.to_dict() for row in rows if _may_ask(exchange.key, row)]
        await exchange.answer_json(200, {"models": shown})

    async def costs(self, exchange: Exchange) -> None:
        """What was spent, by one dimension, and the Budgets."""
        by = exchange.query("by") or "day"
        if by.partition(":")[0] not in DIMENSIONS:
            raise bad_request(f"by must be one of {', '.join(DIMENSIONS)}", param="by")
        days = exchange.whole("days", _USUAL_DAYS, most=_MOST_DAYS)
        books = await self._session.books()
        since = (books.clock.now() - timedelta(days=days - 1)).date().isoformat()
        rows = list(await books.spending(by, Wanted(since=since)))
        shape = {
            "by": by,
            "since": since,
            "groups": [row.to_dict() for row in rows],
            "total": total(rows).to_dict(),
            "budgets": [_burn(burn) for burn in await books.burns()],
        }
        await exchange.answer_json(200, shape)


def _may_ask(key: AccessKey | None, row: ReadinessRow) -> bool:
    """A cocktail that is allowed brings its models."""
    if key is None:
        return True
    cocktails = (f"{PREFIX}{name.lower()}" for name in row.cocktails)
    return any(map(key.allows, (row.model, *cocktails)))


def _read(data: bytes, name: str, *, most_mb: int) -> tuple[str, str]:
    with Reader(Limits.of_megabytes(most_mb)) as reader:
        reading = reader.interpret(data, name=name)
    return reading.text, reading.remark


def _burn(burn: Burn) -> dict[str, object]:
    """A Budget with how it is used up: at the pace so far it is empty at `out_at`."""
    return {
        **burn.state.to_dict(),
        "began": burn.began.isoformat(),
        "ends": None if burn.ends is None else burn.ends.isoformat(),
        "out_at": None if burn.out_at is None else burn.out_at.isoformat(),
        "too_fast": burn.is_too_fast,
        "points": [[at.isoformat(), format_usd(nanos)] for at, nanos in burn.points],
    }
