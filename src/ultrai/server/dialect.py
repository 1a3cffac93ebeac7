"""How one kind of client asks and is answered; the Run behind it is the same for all.

Chat completions are the mother tongue. The other dialects are translations of it: their bodies
become bodies of chat completions, and the chunks of a stream become events of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ultrai.domain.cocktail import CocktailBook
from ultrai.domain.event import Event
from ultrai.domain.report import Report
from ultrai.server.chunks import DONE, Chunks, encode_chunk
from ultrai.server.exchange import Exchange
from ultrai.server.parsing import Order, order_of
from ultrai.server.problems import Problem, problem_of_report
from ultrai.server.rendering import completion_of, headers_of

_DATA = b"data: "
_decode = msgspec.json.Decoder().decode


class Stream(Protocol):
    """Events in, bytes out."""

    @property
    def is_over(self) -> bool:
        """Whether the last Event was taken."""

    def take(self, events: Iterable[Event]) -> bytes:
        """What these Events add to the stream."""

    def replay(self, report: Report) -> bytes:
        """The whole stream of a Run that is over."""


class Opens(Protocol):
    """Makes the stream of one Run. `created`: in Unix seconds."""

    def __call__(self, order: Order, run_id: str, *, created: int) -> Stream:
        """The stream."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """`broken` is what a stream says that could not begin; `error` the shape of an error."""

    order_of: Callable[[bytes, CocktailBook], Order]
    whole: Callable[[Order, Report], object]
    stream: Opens
    broken: Callable[[Problem], bytes]
    error: Callable[[Problem], object] = Problem.to_dict

    async def answer(self, exchange: Exchange, order: Order, *, report: Report) -> None:
        """The answer, not streamed, that a Run which is over amounts to."""
        problem = problem_of_report(report)
        if problem is not None:
            await exchange.refuse(problem, headers_of(report))
        else:
            await exchange.answer_json(200, self.whole(order, report), headers=headers_of(report))


class Translated:
    """A stream of chat completions in another dialect, chunk by chunk."""

    def __init__(self, chunks: Chunks, translate: Callable[[dict[str, Any]], bytes]) -> None:
        self._chunks = chunks
        self._translate = translate

    @property
    def is_over(self) -> bool:
        """Once the last Event was taken."""
        return self._chunks.is_over

    def take(self, events: Iterable[Event]) -> bytes:
        """What these Events add to the stream."""
        return self._said(self._chunks.take(events))

    def replay(self, report: Report) -> bytes:
        """The whole stream of a Run that is over."""
        return self._said(self._chunks.replay(report))

    def _said(self, data: bytes) -> bytes:
        frames = (frame for frame in data.split(b"\n\n") if frame.startswith(_DATA))
        return b"".join(
            self._translate(_decode(frame[len(_DATA) :])) for frame in frames if frame != DONE[:-2]
        )


def _broken(problem: Problem) -> bytes:
    row = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    shape = {"object": "chat.completion.chunk", "choices": [row], **problem.to_dict()}
    return encode_chunk(shape) + DONE


CHAT_COMPLETIONS = Dialect(order_of, completion_of, Chunks, _broken)
"""OpenAI's chat completions."""
