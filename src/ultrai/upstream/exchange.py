"""One request and its response, from the first byte sent to the Received.

Theory of operation. `Incoming` reads and gathers; whatever ends the reading (the end, a break, a
timer, a cap) supplies the Failure that applies *if the answer had not been finished by then*, and
`_conclude` puts the two together. So an answer whose finish reason has been seen survives every
mishap that follows it, and a status that has been seen decides, however its body ends.

A connection may take `connect_s` (address, TCP, TLS and proxy together). Then the head may take
`headers_s`; without streaming some upstreams send it only with the whole answer, so there
`first_text_s` is added.

It does not know prices, other Attempts, or what follows from a Failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from ultrai.domain.attempt import AttemptRequest
from ultrai.domain.outcome import Failure, FailureKind, Phase, Received
from ultrai.upstream.classify import classify_status
from ultrai.upstream.complaint import Complaint, read_body
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.departure import DepartingBody
from ultrai.upstream.hints import Circumstances
from ultrai.upstream.incoming import Incoming, Observer
from ultrai.upstream.judgement import judge, phase_of
from ultrai.upstream.masking import FragmentMasker, mask
from ultrai.upstream.mishap import TRANSPORT_ERRORS, before_head
from ultrai.upstream.outgoing import is_usable_key, request_body, request_headers
from ultrai.upstream.sniff import BodyKind
from ultrai.upstream.transcript import AnswerTooLong
from ultrai.upstream.watchdog import TimerExpired, Watchdog
from ultrai.upstream.wirelog import WireLog
from ultrai.upstream.words import keepable

_PATH: Final = "/chat/completions"
_OWN_TIMERS: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)
_GOOD: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)


class Exchange:
    """One Attempt on the wire. Use it once: `await Exchange(…).run()`."""

    def __init__(
        self,
        config: UpstreamConfig,
        session: aiohttp.ClientSession,
        *,
        request: AttemptRequest,
        observer: Observer,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._config = config
        self._session = session
        self._request = request
        self._observer = observer
        self._now = now
        self._log = WireLog(config)
        self._incoming: Incoming | None = None
        self._body: DepartingBody | None = None

    async def run(self) -> Received:
        """Make the request. Only a cancellation from outside raises."""
        if not is_usable_key(self._config):
            words = "the key holds characters that no HTTP header may carry; nothing was sent"
            return self._conclude(Failure(FailureKind.AUTH, words))
        try:
            with Watchdog() as watchdog:
                otherwise = await self._exchange(watchdog)
        except TimerExpired as expiry:
            otherwise = Failure(FailureKind.TIMEOUT, str(expiry), self._phase())
        return self._conclude(otherwise)

    async def _exchange(self, watchdog: Watchdog) -> Failure:
        """Send and read; the Failure is what it is if the answer was not finished."""
        try:
            response = await self._post(watchdog)
        except TRANSPORT_ERRORS as error:
            return before_head(error)
        try:
            self._incoming = incoming = Incoming(
                response,
                watchdog,
                config=self._config,
                request=self._request,
                observer=self._observer,
            )
            self._log.received(f"{response.status} {response.content_type}")
            if response.status not in _GOOD:
                await incoming.read_refusal()
                return self._refused(incoming)
            self._observer.head_arrived(self._generation_id(incoming))
            return await incoming.read_answer()
        finally:
            # A body read to its end has given its connection back; any other is cut off here.
            response.close()

    async def _post(self, watchdog: Watchdog) -> aiohttp.ClientResponse:
        timers = self._request.timers
        head_s = timers.headers_s
        if not self._request.stream:
            head_s += timers.first_text_s
        body = request_body(self._config, self._request)
        self._body = DepartingBody(body, lambda: watchdog.enter("response head", head_s))
        url = self._config.url(_PATH)
        self._log.sent(f"POST {url} {self._request.model} ({len(body)} bytes)")
        watchdog.enter("connection", timers.connect_s)
        accept = "text/event-stream" if self._request.stream else "application/json"
        return await self._session.post(
            url,
            data=self._body,
            headers=request_headers(self._config, accept),
            proxy=self._config.proxy,
            allow_redirects=False,
            timeout=_OWN_TIMERS,
        )

    def _conclude(self, otherwise: Failure) -> Received:
        incoming = self._incoming
        if incoming is None:
            return self._finished(Received(failure=otherwise))
        if incoming.response.status not in _GOOD:
            return self._finished(Received(failure=self._refused(incoming)))
        transcript = incoming.transcript
        if incoming.kind is BodyKind.JSON:
            try:
                transcript.absorb_body(incoming.body)
            except AnswerTooLong:
                otherwise = replace(otherwise, message="answer larger than 16 MB")
        rest = transcript.take_rest()
        received = judge(transcript, self._around(incoming), otherwise=otherwise)
        # An answer in one piece is news to nobody; what had arrived before a failure is kept.
        if incoming.kind is BodyKind.STREAM or received.failure is not None:
            incoming.tell(*rest)
        return self._finished(received)

    def _finished(self, received: Received) -> Received:
        """The same with the key masked, and with what the response head says."""
        incoming = self._incoming
        generation_id = received.generation_id
        if incoming is not None:
            generation_id = self._generation_id(incoming) or generation_id
        failure, answer = received.failure, received.answer
        if failure is not None:
            # Cut to length as they are, messages may hold a part of the key: parts count here.
            words = FragmentMasker(self._config.key).mask(failure.message)
            failure = replace(failure, message=words)
            self._log.failed(f"{failure.kind.value}: {words}")
        if answer is not None and answer.generation_id != generation_id:
            answer = replace(answer, generation_id=generation_id)
        return Received(
            answer=answer,
            failure=failure,
            usage=received.usage,
            cost_raw=received.cost_raw,
            byok_raw=received.byok_raw,
            generation_id=generation_id,
            sent=self._body is not None and self._body.has_departed,
            streamed=incoming is not None and incoming.kind is BodyKind.STREAM,
        )

    def _refused(self, incoming: Incoming) -> Failure:
        status, body = incoming.response.status, incoming.body
        if status in _REDIRECT:
            words = f"a redirect (HTTP {status}), which is never followed"
            return Failure(FailureKind.BAD_RESPONSE, words, status=status)
        complaint = read_body(body) if body else Complaint()
        return classify_status(status, complaint, around=self._around(incoming))

    def _around(self, incoming: Incoming) -> Circumstances:
        response = incoming.response
        said_no = response.status not in _GOOD or incoming.transcript.error is not None
        return Circumstances(
            headers=response.headers,
            now=self._moment(response.headers.get("Date", "")) if said_no else None,
            price_capped=self._config.is_openrouter and self._request.price_cap is not None,
            in_stream=incoming.kind is BodyKind.STREAM,
        )

    def _moment(self, date: str) -> datetime | None:
        """The upstream's own clock where it shows one: its dates are meant by it. Else ours."""
        try:
            moment = parsedate_to_datetime(date)
        except ValueError:
            return self._now() if self._now is not None else None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    def _generation_id(self, incoming: Incoming) -> str | None:
        value = incoming.response.headers.get("X-Generation-Id")
        return mask(self._config.key, keepable(value)) if value else None

    def _phase(self) -> Phase:
        return (
            Phase.BEFORE_STREAM if self._incoming is None else phase_of(self._incoming.transcript)
        )
