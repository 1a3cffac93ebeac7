"""Reads one response to its end, and takes note of everything on the way.

Theory of operation. Reading only gathers: into the Transcript, into the body of an error or of an
answer in one piece, into a note of what broke the wire. Whatever ends it (the end, a break, a cap)
yields the Failure that applies *if the answer had not been finished by then*; whether it had is
not asked here. Bytes that had arrived before the wire broke are read before the break is noticed.

Stages, each with its timer: the first text; every further text; after the finish reason, usage;
after `[DONE]`, the end of the body, so that the connection can be used again. Comments and blank
lines renew only the timer of liveness. An answer in one piece has that timer alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

from ultrai.domain.attempt import AttemptRequest
from ultrai.domain.outcome import Failure, FailureKind, Phase
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.judgement import phase_of
from ultrai.upstream.mishap import READ_ERRORS, after_head, is_undecodable
from ultrai.upstream.sniff import BodyKind, sniff
from ultrai.upstream.sse import EventParser, EventTooLong
from ultrai.upstream.transcript import AnswerTooLong, Transcript
from ultrai.upstream.watchdog import Watchdog
from ultrai.upstream.wire import decode_frame
from ultrai.upstream.wirelog import WireLog

if TYPE_CHECKING:
    import aiohttp

MAX_BODY_BYTES: Final = 64_000_000
MAX_ERROR_BYTES: Final = 256_000
MAX_SNIFF_BYTES: Final = 64_000
MAX_DRAIN_BYTES: Final = 64_000
USAGE_WAIT_S: Final = 10.0
DRAIN_WAIT_S: Final = 1.0
ERROR_BODY_WAIT_S: Final = 10.0
_INSTEAD: Final = {BodyKind.EMPTY: "nothing", BodyKind.HTML: "an HTML page"}


class Observer(Protocol):
    """Is told of an Attempt while it runs (the engine's port of the same name)."""

    def head_arrived(self, generation_id: str | None) -> None:
        """The response head of a 200 is here."""
        ...

    def delta_arrived(self, text: str, reasoning: str) -> None:
        """More text or reasoning; either may be empty, not both."""
        ...


class Incoming:
    """One response whose head has arrived."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        watchdog: Watchdog,
        *,
        config: UpstreamConfig,
        request: AttemptRequest,
        observer: Observer,
    ) -> None:
        self.response = response
        self.transcript = Transcript(config.key)
        self.kind = BodyKind.EMPTY
        self._content = response.content
        self._watchdog = watchdog
        self._request = request
        self._observer = observer
        self._log = WireLog(config)
        self._body = bytearray()
        self._read_bytes = 0
        self._broken: BaseException | None = None

    @property
    def body(self) -> bytes:
        """What has been read of an error, or of an answer in one piece."""
        return bytes(self._body)

    async def read_refusal(self) -> None:
        """Read the body of a response that is no 200, as far as it is worth reading."""
        self._watchdog.enter("rest of the error", ERROR_BODY_WAIT_S)
        while self._read_bytes <= MAX_ERROR_BYTES:
            chunk = await self._next()
            if not chunk:
                break
            self._body += chunk

    async def read_answer(self) -> Failure:
        """Read the body of a 200; the Failure is what it is if the answer was not finished."""
        timers = self._request.timers
        if self._request.stream:
            self._watchdog.enter("text", timers.first_text_s, silence_s=timers.liveness_s)
        else:
            self._watchdog.enter("whole answer", timers.whole_s, silence_s=timers.liveness_s)
        beginning = await self._find_kind()
        if self.kind is BodyKind.STREAM:
            return await self._read_stream(beginning)
        if self.kind is BodyKind.JSON:
            return await self._read_json(beginning)
        if self.kind is BodyKind.EMPTY and (self._broken or self._request.stream):
            return self._cut("the answer ended before it began")
        return self._bad(f"{_INSTEAD.get(self.kind, 'text of no known kind')} instead of an answer")

    def tell(self, text: str, reasoning: str) -> None:
        """Tell the observer, if there is anything to tell."""
        if text or reasoning:
            self._observer.delta_arrived(text, reasoning)

    async def _find_kind(self) -> bytes:
        """Read until it shows what the body is; returns what was read of it."""
        beginning = b""
        while len(beginning) <= MAX_SNIFF_BYTES and self._read_bytes <= MAX_BODY_BYTES:
            chunk = await self._next()
            self._watchdog.alive_s = self._watchdog.now_s()
            beginning += chunk
            kind = sniff(beginning, self.response.content_type, at_end=not chunk)
            if kind is not None:
                self.kind = kind
                return beginning
            if beginning.isspace():
                beginning = b""  # keep-alive before a body in one piece
        self.kind = BodyKind.OTHER
        return beginning

    async def _read_json(self, chunk: bytes) -> Failure:
        if self._request.stream:  # and it comes in one piece all the same
            timers = self._request.timers
            self._watchdog.enter("whole answer", timers.whole_s, silence_s=timers.liveness_s)
        while chunk:
            self._body += chunk
            if self._read_bytes > MAX_BODY_BYTES:
                return self._too_large()
            chunk = await self._next()
            self._watchdog.alive_s = self._watchdog.now_s()
        self._log.received(bytes(self._body))
        if self._broken is not None:
            return self._cut()
        return self._bad("an answer that cannot be read as JSON, or holds no choices")

    async def _read_stream(self, chunk: bytes) -> Failure:
        parser = EventParser()
        try:
            await self._follow(parser, chunk)
            if not self.transcript.is_closed:
                self._absorb_leftover(parser)
        except EventTooLong:
            return self._bad("a line longer than 1 MB")
        except AnswerTooLong:
            return self._bad("answer larger than 16 MB")
        if self.transcript.is_unreadable:
            return self._bad("an event that is not JSON")
        if self._read_bytes > MAX_BODY_BYTES:
            return self._too_large()
        if self.transcript.is_closed:
            await self._drain()
        return self._cut("the stream ended without a finish reason or [DONE]")

    async def _follow(self, parser: EventParser, chunk: bytes) -> None:
        """Read the stream until it ends or nothing that follows can matter."""
        transcript, watchdog, timers = self.transcript, self._watchdog, self._request.timers
        logs, progress, is_tail = self._log.is_on, 0, False
        while chunk:
            watchdog.alive_s = now_s = watchdog.now_s()
            for payload in parser.feed(chunk):
                if logs:
                    self._log.received(payload)
                transcript.absorb(payload)
            if transcript.progress != progress:
                if progress:
                    watchdog.renew(now_s)
                else:
                    stall_s = timers.text_stall_s
                    watchdog.enter("further text", stall_s, silence_s=timers.liveness_s)
                progress = transcript.progress
                self.tell(*transcript.take_news())
            if transcript.is_closed or self._read_bytes > MAX_BODY_BYTES:
                return
            if transcript.finish_reason is not None and not is_tail:
                is_tail = True
                watchdog.enter("usage", min(USAGE_WAIT_S, timers.text_stall_s))
            chunk = await self._next()

    def _absorb_leftover(self, parser: EventParser) -> None:
        """Take the event that the end cut off, if it is whole: no part of a JSON object is one."""
        leftover = parser.leftover()
        if leftover is None:
            return
        if leftover.strip() == b"[DONE]" or decode_frame(leftover) is not None:
            self.transcript.absorb(leftover)

    async def _drain(self) -> None:
        self._watchdog.enter("end of the stream", DRAIN_WAIT_S)
        limit = self._read_bytes + MAX_DRAIN_BYTES
        while await self._next() and self._read_bytes <= limit:
            pass

    async def _next(self) -> bytes:
        """The next bytes; none at the end, and none after the wire broke, which is noted."""
        if self._broken is not None:
            return b""
        try:
            chunk = await self._content.readany()
        except READ_ERRORS as error:
            self._broken = error
            chunk = _salvage(self._content)
        self._read_bytes += len(chunk)
        return chunk

    def _cut(self, words: str = "") -> Failure:
        if self._broken is not None:
            if is_undecodable(self._broken):
                return self._bad("a body whose compression cannot be undone")
            words = after_head(self._broken)
        return Failure(FailureKind.CUT_STREAM, words, Phase.MID_STREAM, self.response.status)

    def _too_large(self) -> Failure:
        return self._bad(f"answer larger than {MAX_BODY_BYTES // 1_000_000} MB")

    def _bad(self, words: str) -> Failure:
        phase = phase_of(self.transcript)
        return Failure(FailureKind.BAD_RESPONSE, words, phase, self.response.status)


def _salvage(content: aiohttp.StreamReader) -> bytes:
    """What had arrived before the wire broke: aiohttp hides it behind the error."""
    try:
        content.set_exception(cast("BaseException", None))
        return content.read_nowait()
    except READ_ERRORS:
        return b""
