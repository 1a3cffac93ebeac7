"""A cocktail, or one model, as clients of completions ask for it, in whatever dialect.

A stream's head waits for the first text or `GRACE_S`, whichever comes first: what fails at once
still gets its proper status, and nobody waits a second for a first byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ultrai.domain.errors import UltraiError
from ultrai.domain.event import Event
from ultrai.server.chunks import KEEP_ALIVE
from ultrai.server.dialect import Dialect, Stream
from ultrai.server.exchange import ClientGone, Exchange
from ultrai.server.live import KEEP_ALIVE_S, LiveRun, LiveRuns, Watch
from ultrai.server.parsing import Order
from ultrai.server.problems import problem_of_error, problem_of_report
from ultrai.server.rendering import created_s, headers_of
from ultrai.server.repeats import HEADER, Repeats, digest_of

GRACE_S = 0.6
DETACH = b"x-ultrai-detach"


class Chat:
    """Answers requests for completions, in one dialect."""

    def __init__(self, runs: LiveRuns, repeats: Repeats, *, dialect: Dialect) -> None:
        self._runs = runs
        self._repeats = repeats
        self._dialect = dialect

    async def answer(self, exchange: Exchange) -> None:
        """One request. Raises Refused, UltraiError and ClientGone before the answer has begun."""
        exchange.error_shape = self._dialect.error
        body = await exchange.body()
        order = self._dialect.order_of(body, self._runs.session.book)
        key = exchange.header(HEADER)
        if key is not None and await self._repeated(exchange, order, key=key, body=body):
            return
        detached = exchange.header(DETACH) == "1"
        starting = asyncio.get_running_loop().create_task(
            self._runs.start(
                order.ask,
                key=exchange.key,
                detached=detached,
                watch=Watch.READ if order.stream else Watch.NOT,
            )
        )
        if key is not None:
            digest = digest_of(exchange.path, body)
            self._repeats.keep(exchange.owner, key, digest=digest, starting=starting)
        leaver = _Leaver(starting)
        exchange.watch(leaver.left)
        try:
            if order.stream:
                await _Stream(exchange, order, leaver=leaver, dialect=self._dialect).run()
            else:
                live = await leaver.live()
                await self._dialect.answer(exchange, order, report=await live.report())
        except (ClientGone, asyncio.CancelledError):
            leaver.left()
            raise
        finally:
            await exchange.unwatch()

    async def _repeated(self, exchange: Exchange, order: Order, *, key: str, body: bytes) -> bool:
        """Answer with the Run that this request has started before; False: it has not."""
        digest = digest_of(exchange.path, body)
        starting = self._repeats.find(exchange.owner, key, digest=digest)
        if starting is None:
            return False
        live = await asyncio.shield(starting)
        live.readers += 1
        exchange.watch(live.leave)
        try:
            report = await live.report()
        finally:
            await exchange.unwatch()
        if not order.stream or problem_of_report(report) is not None:
            await self._dialect.answer(exchange, order, report=report)
            return True
        chunks = self._dialect.stream(order, report.id, created=created_s(report))
        await exchange.begin_stream(headers_of(report))
        await exchange.write(chunks.replay(report))
        await exchange.end()
        return True


class _Leaver:
    """Takes the Run along when the client leaves, be it before or after it has begun."""

    def __init__(self, starting: asyncio.Task[LiveRun]) -> None:
        self.starting = starting
        self.is_left = False
        self.nudge: Callable[[], None] | None = None

    async def live(self) -> LiveRun:
        """The Run, once it has begun. Raises what kept it from beginning."""
        return await asyncio.shield(self.starting)

    def left(self) -> None:
        """Nobody reads any more."""
        if not self.is_left:
            self.is_left = True
            self.starting.add_done_callback(_leave)
            if self.nudge is not None:
                self.nudge()


def _leave(starting: asyncio.Task[LiveRun]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().leave()


class _Stream:
    """One streamed answer."""

    def __init__(
        self, exchange: Exchange, order: Order, *, leaver: _Leaver, dialect: Dialect
    ) -> None:
        self._exchange = exchange
        self._order = order
        self._dialect = dialect
        self._leaver = leaver
        self._due_s = asyncio.get_running_loop().time() + GRACE_S

    async def run(self) -> None:
        live = await self._begin()
        if live is None:
            return
        handle = live.handle
        if handle is None:  # it was over at once
            await self._dialect.answer(self._exchange, self._order, report=live.now)
            return
        reader = handle.reader
        self._leaver.nudge = reader.nudge
        chunks = self._dialect.stream(self._order, live.run_id, created=created_s(handle.now))
        timer = _Timer(reader.nudge)
        try:
            while not chunks.is_over:
                timer.set(self._wait_s())
                events = await reader.batch()
                if self._leaver.is_left:
                    raise ClientGone
                if events is None:
                    break
                if not await self._send(live, chunks, events=events):
                    return
        finally:
            timer.cancel()
        await self._exchange.end()

    async def _begin(self) -> LiveRun | None:
        """The Run; None: it could not begin, and the client has been told within the stream."""
        await asyncio.wait([self._leaver.starting], timeout=GRACE_S)
        if not self._leaver.starting.done():
            await self._exchange.begin_stream()
            await self._exchange.write(KEEP_ALIVE)
        try:
            return await self._leaver.live()
        except UltraiError as error:
            if not self._exchange.has_begun:
                raise
            await self._exchange.write(self._dialect.broken(problem_of_error(error)))
            await self._exchange.end()
            return None

    async def _send(self, live: LiveRun, chunks: Stream, *, events: list[Event]) -> bool:
        """Write what these Events add. False: the answer was given as one that is no stream."""
        data = chunks.take(events)
        if not self._exchange.has_begun:
            report = events[-1].report if events else None
            if report is not None and problem_of_report(report) is not None:
                await self._dialect.answer(self._exchange, self._order, report=report)
                return False
            if not data and self._wait_s() > 0:
                return True
            await self._exchange.begin_stream(headers_of(report or live.now))
        if data or self._wait_s() <= 0:
            await self._exchange.write(data or KEEP_ALIVE)
            self._due_s = asyncio.get_running_loop().time() + KEEP_ALIVE_S
        return True

    def _wait_s(self) -> float:
        """How long it may be silent from now on."""
        return max(0.0, self._due_s - asyncio.get_running_loop().time())


class _Timer:
    """Calls back once when so much time has passed without a new `set`."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def set(self, wait_s: float) -> None:
        self.cancel()
        self._handle = self._loop.call_later(wait_s, self._ring)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
