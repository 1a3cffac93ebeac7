"""Faults of the third stage: a reply's steps rearranged, so that a stream breaks as real ones do.

On an answer that is not streamed, a fault in mid-stream breaks the body in its middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from ultrai_sim.faults import Fault
from ultrai_sim.schedule import HangUp, Repeat, Send, Step, Wait
from ultrai_sim.tampering import DEFAULT_EVERY_S, FOREVER_S, Script, error_of
from ultrai_sim.wire import COMMENT, DONE, choice_frame, encode

HUGE_BYTES = 2_000_000
SPLIT_BYTES = 7


def _end_with(script: Script, after: int | None, *steps: Step) -> None:
    script.steps[script.position(after) :] = steps


def _error_frame(script: Script, error: Mapping[str, Any]) -> bytes:
    """A frame with a top-level error, put before the choices as OpenRouter does."""
    frame = choice_frame({}, {"finish_reason": "error", "native_finish_reason": "error"})
    return script.head + b'"error":' + encode(error) + b"," + frame.tail


def _error_first_event(script: Script, fault: Fault) -> None:
    script.billed = False
    error = error_of(fault)
    if not script.stream:
        script.steps[:] = [Send(encode({"error": error}))]
        return
    script.steps[:] = [Send(COMMENT, role="comment"), Send(_error_frame(script, error))]


def _error_mid_stream(script: Script, fault: Fault) -> None:
    if not script.stream:
        return
    if fault.dialect == "2025":
        script.steps[script.position(fault.after) :] = []
        _append_old_error(script, error_of(fault))
        return
    script.billed = False
    _end_with(script, fault.after, Send(_error_frame(script, error_of(fault))))


def _choice_error(script: Script, fault: Fault) -> None:
    if not script.stream:
        return
    script.billed = False
    choice = {
        "index": 0,
        "delta": {"content": "", "role": "assistant"},
        "finish_reason": "error",
        "native_finish_reason": "error",
        "error": error_of(fault),
    }
    data = script.head + encode({"choices": [choice]})[1:] + b"\n\n"
    _end_with(script, fault.after, Send(data), Send(DONE, role="done"))


def _length_then_error(script: Script, fault: Fault) -> None:
    if not script.stream:
        return
    finish = {"finish_reason": "length", "native_finish_reason": "length"}
    place = script.position(fault.after)
    script.steps[place:] = [Send(script.head + choice_frame({}, finish).tail)]
    _append_old_error(script, {"code": 400, "message": "Token limit reached"})


def _append_old_error(script: Script, error: Mapping[str, Any]) -> None:
    script.billed = True  # this dialect sends the usage, and charges it
    frame = choice_frame({}, beside={"usage": script.usage})
    data = script.head + b'"error":' + encode(error) + b"," + frame.tail
    script.steps += [Send(data, role="usage"), Send(DONE, role="done")]


def _cut(script: Script, fault: Fault) -> None:
    if fault.at == "head":
        script.reply.hang_up_first = "incomplete"
        return
    how: Literal["clean", "incomplete"] = "incomplete" if fault.how == "incomplete" else "clean"
    script.steps[script.place(fault) :] = [HangUp(how)]


def _reset(script: Script, fault: Fault) -> None:
    if (fault.at is None and not fault.after) or fault.at == "head":
        script.reply.hang_up_first = "reset"
    else:
        script.steps[script.place(fault) :] = [HangUp("reset")]


def _pause(fault: Fault) -> Wait:
    every_s = DEFAULT_EVERY_S if fault.every_s is None else fault.every_s
    seconds = FOREVER_S if fault.seconds is None else fault.seconds
    return Wait(seconds, None if fault.comments is False else every_s)


def _stall_before_text(script: Script, fault: Fault) -> None:
    script.steps.insert(script.position(0) if script.stream else 0, _silent(script, fault))


def _stall_mid_text(script: Script, fault: Fault) -> None:
    if fault.at == "head":
        script.reply.head_s += _pause(fault).seconds
        return
    script.steps.insert(script.place(fault), _silent(script, fault))


def _silent(script: Script, fault: Fault) -> Wait:
    """The pause; a body that is not a stream has no comments."""
    pause = _pause(fault)
    return pause if script.stream else Wait(pause.seconds)


def _comments_only(script: Script, fault: Fault) -> None:
    every_s = DEFAULT_EVERY_S if fault.every_s is None else fault.every_s
    script.steps[:] = [Repeat(COMMENT if script.stream else b" ", every_s)]


def _endless(script: Script, fault: Fault) -> None:
    text = "and so on " * 8
    frame = script.head + choice_frame({"content": text}).tail
    _end_with(script, None, Repeat(frame if script.stream else text.encode(), fault.every_s or 0.0))


def _huge_line(script: Script, fault: Fault) -> None:
    size = HUGE_BYTES if fault.size is None else fault.size
    if script.stream:
        data = script.head + choice_frame({"content": "x" * size}).tail
        script.steps.insert(script.position(fault.after), Send(data, 1))
    else:
        script.steps.insert(0, Send(b" " * size))


def _garbage(script: Script, fault: Fault) -> None:
    data = b"data: {not json at all\n\n"
    if script.stream:
        script.steps.insert(script.position(fault.after), Send(data))
    else:
        script.steps[:] = [Send(b"{not json at all")]


def _split_bytes(script: Script, fault: Fault) -> None:
    script.reply.split = SPLIT_BYTES if fault.size is None else max(fault.size, 1)


STREAM_FAULTS: Mapping[str, Callable[[Script, Fault], None]] = {
    "error_first_event": _error_first_event,
    "error_mid_stream": _error_mid_stream,
    "choice_error": _choice_error,
    "length_then_error_400": _length_then_error,
    "cut": _cut,
    "reset": _reset,
    "stall_before_text": _stall_before_text,
    "stall_mid_text": _stall_mid_text,
    "comments_only": _comments_only,
    "endless": _endless,
    "huge_line": _huge_line,
    "garbage": _garbage,
    "split_bytes": _split_bytes,
}
