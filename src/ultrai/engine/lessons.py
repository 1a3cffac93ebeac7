"""What a Failure teaches all Runs of a process about a model, and one that is a Slot's own."""

from __future__ import annotations

from ultrai.domain.outcome import Failure, FailureKind, Remedy
from ultrai.engine.bench import Made, Rooms


def learn_from(failure: Failure, rooms: Rooms, *, model: str, made: Made, remedy: Remedy) -> None:
    """Remember it, unless it was another Run's: then that one does.

    The tries of one Slot are one observation: three quick ones are no three witnesses.
    """
    if remedy is not Remedy.RETRY and not failure.price_capped and made.recalled is None:
        rooms.health.failed(model, failure.kind, now_s=rooms.clock.now().timestamp())
    if failure.kind is FailureKind.QUOTA_EXHAUSTED and failure.resets_at_ms is not None:
        rooms.health.rest(model, failure.resets_at_ms / 1000)


def cut_by_strict() -> Failure:
    """What a truncated Answer is where `--strict` wants a whole one."""
    return Failure(
        FailureKind.EMPTY_ANSWER, "the answer was cut by the token limit, and --strict is on"
    )
