"""Faults of the third stage that are about bytes and time: framing, trickling, jumping clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from ultrai_sim.faults import Fault
from ultrai_sim.schedule import Jump, Send, Step, Wait
from ultrai_sim.tampering import DEFAULT_EVERY_S, FOREVER_S, Script
from ultrai_sim.wire import COMMENT

FLOOD_BYTES = 1_000_000
BLANKS_S = 2.0
DRIP_S = 0.05
MOST_DROPS = 2000
BOM = b"\xef\xbb\xbf"
# RFC 8297: an answer of its own, which a client has to skip.
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preconnect\r\n\r\n"


def _blanks_first(script: Script, fault: Fault) -> None:
    seconds = BLANKS_S if fault.seconds is None else fault.seconds
    every_s = DEFAULT_EVERY_S if fault.every_s is None else max(fault.every_s, 0.001)
    blanks: list[Step] = []
    for _ in range(min(int(seconds / every_s), MOST_DROPS)):
        blanks += [Send(b"\n"), Wait(every_s)]
    script.steps[:0] = blanks


def _bom(script: Script, _: Fault) -> None:
    script.steps.insert(0, Send(BOM))


def _comments_flood(script: Script, fault: Fault) -> None:
    size = FLOOD_BYTES if fault.size is None else fault.size
    flood = COMMENT if script.stream else b" "
    script.steps.insert(0, Send(flood * (size // len(flood) + 1)))


def _drip(script: Script, fault: Fault) -> None:
    """The rest in one piece once it has dripped long enough: nobody watches that for hours."""
    every_s = DRIP_S if fault.every_s is None else fault.every_s
    size = max(1, fault.size or 1)
    dripping: list[Step] = []
    drops = 0
    for step in script.steps:
        if not isinstance(step, Send) or drops >= MOST_DROPS:
            dripping.append(step)
            continue
        # The provider has made all of it by the time that the first byte of it goes out.
        tokens = step.tokens
        for start, end in pairwise([*range(0, len(step.data), size), len(step.data)]):
            dripping += [Send(step.data[start:end], tokens), Wait(every_s)]
            drops, tokens = drops + 1, 0
    script.steps[:] = dripping


def _frame_twice(script: Script, _: Fault) -> None:
    if script.stream:
        doubled: list[Step] = []
        for step in script.steps:
            doubled.append(step)
            if isinstance(step, Send) and step.tokens:
                doubled.append(Send(step.data))
        script.steps[:] = doubled


def _frames_joined(script: Script, _: Fault) -> None:
    """One write, as late as its last frame; what ends the reply in another way stays behind it."""
    sent = [step for step in script.steps if isinstance(step, Send)]
    others = [step for step in script.steps if not isinstance(step, Send)]
    before = [step for step in others if isinstance(step, Wait | Jump)]
    behind = [step for step in others if not isinstance(step, Wait | Jump)]
    joined = Send(b"".join(s.data for s in sent), sum(s.tokens for s in sent))
    script.steps[:] = [*before, joined, *behind]


def _length_too_long(script: Script, _: Fault) -> None:
    script.reply.length = _length(script) + 100
    script.reply.drops_at_end = True


def _length_too_short(script: Script, _: Fault) -> None:
    script.reply.length = max(1, _length(script) // 2)


def _length(script: Script) -> int:
    """How many bytes are sent in all; a reply that is cut or endless sends what it sends."""
    return sum(len(step.data) for step in script.steps if isinstance(step, Send))


def _early_hints(script: Script, _: Fault) -> None:
    script.reply.early = EARLY_HINTS


def _drip_head(script: Script, fault: Fault) -> None:
    every_s = DRIP_S if fault.every_s is None else fault.every_s
    script.reply.drip_head = (fault.size or 1, every_s)


def _clock_jump(script: Script, fault: Fault) -> None:
    seconds = FOREVER_S if fault.seconds is None else fault.seconds
    script.steps.insert(script.position(None), Jump(seconds))


BYTE_FAULTS: Mapping[str, Callable[[Script, Fault], None]] = {
    "blanks_first": _blanks_first,
    "bom": _bom,
    "comments_flood": _comments_flood,
    "drip": _drip,
    "frame_twice": _frame_twice,
    "frames_joined": _frames_joined,
    "length_too_long": _length_too_long,
    "length_too_short": _length_too_short,
    "clock_jump": _clock_jump,
    "early_hints": _early_hints,
    "drip_head": _drip_head,
}
