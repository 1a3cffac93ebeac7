"""In which order faults that strike together change a reply, whatever order they are written in.

From what is said to how its bytes travel: a cut stream may be joined or drip, but what drips is no
longer made of frames that could be cut. Of two ends the earlier one wins.
"""

from __future__ import annotations

from collections.abc import Sequence

from ultrai_sim.faults import Fault

DEFAULT_AFTER = 2
STAGES: Sequence[frozenset[str]] = (
    frozenset(
        {
            "error_first_event",
            "error_mid_stream",
            "choice_error",
            "length_then_error_400",
            "stall_then_error",
            "cut",
            "reset",
            "comments_only",
            "endless",
            "gzip_bomb",
        }
    ),
    frozenset({"stall_before_text", "stall_mid_text", "clock_jump"}),
    frozenset({"carriage_returns", "frames_joined"}),
    frozenset({"comments_flood", "blanks_first"}),
    frozenset({"bom"}),
    frozenset({"drip", "split_bytes"}),
    frozenset({"length_too_long", "length_too_short"}),
)
"""What comes after the frames themselves: ends, pauses, framing, prefaces, the mark that stands
before all, pace, and the length, which counts what all others have left."""
_RANKS = {kind: rank for rank, kinds in enumerate(STAGES, 1) for kind in kinds}
_AT = {"head": -2, "start": -1, "usage": 10**12, "done": 10**12 + 1}
_FROM_THE_START = frozenset({"reset", "error_first_event", "comments_only", "gzip_bomb"})


def in_order(faults: Sequence[Fault]) -> list[Fault]:
    """The faults in the order in which they change a reply."""
    return sorted(faults, key=_rank)


def _rank(fault: Fault) -> tuple[int, int, str]:
    stage = _RANKS.get(fault.kind, 0)
    # The later end first: the earlier one then cuts it off.
    return stage, -_place(fault) if stage == 1 else 0, fault.kind


def _place(fault: Fault) -> int:
    if fault.at is not None:
        return _AT[fault.at]
    if fault.after is not None:
        return fault.after
    return 0 if fault.kind in _FROM_THE_START else DEFAULT_AFTER
