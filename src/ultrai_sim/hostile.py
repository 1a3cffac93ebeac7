"""Faults of the third stage that OpenRouter was never seen to commit, and clients must survive.

Bytes that no JSON or SSE writer of good faith sends, figures that cannot be, ends that come twice
or not at all. On an answer that is not streamed, those that are about frames change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import groupby

from ultrai_sim.bomb import bomb_of
from ultrai_sim.faults import Fault
from ultrai_sim.schedule import Send, Step, Wait
from ultrai_sim.tampering import Script, error_of
from ultrai_sim.wire import DONE, choice_frame, encode

BOMB_BYTES = 100_000_000
LONG_STALL_S = 125.0
MANY_CHOICES = 10_000
_COST = re.compile(rb'"((?:total_)?cost)":[^,}]+')
_FINISH = re.compile(rb'"finish_reason":"[a-z_]+"')
_MODEL = re.compile(rb'"model":"[^"]*"')


def _rewrite(script: Script, change: Callable[[bytes], bytes]) -> None:
    """Change what is sent: frame by frame, or what a body sends without a pause as a whole."""
    if not script.stream:
        script.steps[:] = _joined(script.steps)
    script.steps[:] = [
        replace(step, data=change(step.data)) if isinstance(step, Send) else step
        for step in script.steps
    ]


def _joined(steps: Iterable[Step]) -> Iterator[Step]:
    """The same with what is sent in a row as one; waits and hang-ups stay where they are."""
    for is_sent, run in groupby(steps, key=lambda step: isinstance(step, Send)):
        if not is_sent:
            yield from run
            continue
        sent = [step for step in run if isinstance(step, Send)]
        yield Send(b"".join(s.data for s in sent), sum(s.tokens for s in sent))


def _insert(script: Script, fault: Fault, *, data: bytes) -> None:
    if script.stream:
        script.steps.insert(script.position(fault.after), Send(data))


def _cost_of(literal: bytes) -> Callable[[Script, Fault], None]:
    def tamper(script: Script, _: Fault) -> None:
        _rewrite(script, lambda data: _COST.sub(rb'"\1":' + literal, data))

    return tamper


def _finish_missing(script: Script, _: Fault) -> None:
    if script.stream:
        _rewrite(script, lambda data: _FINISH.sub(b'"finish_reason":null', data))


def _done_missing(script: Script, _: Fault) -> None:
    if script.stream:
        script.steps[:] = [step for step in script.steps if not _is_done(step)]


def _is_done(step: Step) -> bool:
    return isinstance(step, Send) and step.role == "done"


def _done_twice(script: Script, _: Fault) -> None:
    if script.stream:
        script.steps.append(Send(DONE, role="done"))


def _text_after_done(script: Script, _: Fault) -> None:
    if script.stream:
        late = script.head + choice_frame({"content": " and one thing more"}).tail
        script.steps += [Send(late), Send(DONE, role="done")]


def _carriage_returns(script: Script, _: Fault) -> None:
    if script.stream:
        _rewrite(script, lambda data: data.replace(b"\n", b"\r\n"))


def _bad_utf8(script: Script, fault: Fault) -> None:
    frame = script.head + choice_frame({"content": "HERE"}).tail
    _insert(script, fault, data=frame.replace(b"HERE", b"\xff\xfe\xc3"))


def _no_choices(script: Script, fault: Fault) -> None:
    _insert(script, fault, data=script.head + b'"choices":[]}\n\n')


def _many_choices(script: Script, fault: Fault) -> None:
    _insert(script, fault, data=script.head + b'"choices":' + _ten_thousand_choices() + b"}\n\n")


@cache
def _ten_thousand_choices() -> bytes:
    choices = [{"index": index, "delta": {"content": "x"}} for index in range(1, MANY_CHOICES)]
    choices.append({"index": -1, "delta": {"content": "never"}})
    return encode(choices)


def _wrong_model(script: Script, _: Fault) -> None:
    _rewrite(script, lambda data: _MODEL.sub(b'"model":"somebody/else"', data, count=1))


def _wrong_content_type(script: Script, _: Fault) -> None:
    script.reply.headers = {**script.reply.headers, "Content-Type": "text/plain"}


def _gzip_bomb(script: Script, fault: Fault) -> None:
    size = BOMB_BYTES if fault.size is None else fault.size
    script.billed = False
    script.reply.headers = {**script.reply.headers, "Content-Encoding": "gzip"}
    script.steps[:] = [Send(bomb_of(size))]


def _stall_then_error(script: Script, fault: Fault) -> None:
    """What a long silence of a provider was reported to end in."""
    pause = Wait(LONG_STALL_S if fault.seconds is None else fault.seconds)
    script.billed = False
    if not script.stream:
        error = error_of(replace(fault, message=fault.message or "Network connection lost."))
        script.steps[:] = [pause, Send(encode({"error": error}))]
        return
    error = error_of(replace(fault, message=fault.message or "Network connection lost."))
    frame = choice_frame({}, {"finish_reason": "error", "native_finish_reason": None})
    data = script.head + b'"error":' + encode(error) + b"," + frame.tail
    script.steps[script.position(fault.after) :] = [pause, Send(data)]


HOSTILE_FAULTS: Mapping[str, Callable[[Script, Fault], None]] = {
    "cost_negative": _cost_of(b"-1"),
    "cost_nan": _cost_of(b"NaN"),
    "cost_absurd": _cost_of(b"1e308"),
    "cost_text": _cost_of(b'"free"'),
    "finish_missing": _finish_missing,
    "done_missing": _done_missing,
    "done_twice": _done_twice,
    "text_after_done": _text_after_done,
    "carriage_returns": _carriage_returns,
    "bad_utf8": _bad_utf8,
    "no_choices": _no_choices,
    "many_choices": _many_choices,
    "wrong_model": _wrong_model,
    "wrong_content_type": _wrong_content_type,
    "gzip_bomb": _gzip_bomb,
    "stall_then_error": _stall_then_error,
}
