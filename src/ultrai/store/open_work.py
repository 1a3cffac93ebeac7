"""Runs and Attempts that are not over, as the ledger's tables have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select, true

from ultrai.domain.budget import Payer
from ultrai.domain.ledger import Close, OpenAttempt, Place, Release, Reserve, Step
from ultrai.domain.outcome import Cost, Usage
from ultrai.store.chain import Row
from ultrai.store.encoding import clean_or_none
from ultrai.store.ledger_tables import OPEN_ATTEMPTS

if TYPE_CHECKING:
    from ultrai.store.database import Database


@dataclass(frozen=True, slots=True)
class Staff:
    """Who works on the ledger: this process as `owner`, who lives, and whose chain is written.

    `writer` None: the database's own chain, which all its processes share, one after another.
    """

    owner: Callable[[], str]
    is_alive: Callable[[str], bool]
    writer: str | None = None


@dataclass(slots=True)
class Memory:
    """What this process knows of its own open Runs without asking the database.

    To be forgotten when a transaction fails: what it learned in that one never happened.
    """

    payers: dict[str, Payer] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    held: dict[str, dict[int | None, int]] = field(default_factory=dict)  # by Run and Slot
    attempts: dict[Place, FoundAttempt] = field(default_factory=dict)

    def open_run(self, payer: Payer) -> str:
        """A Run begins; its payer as a row has it."""
        text = payer_text(payer)
        self.payers[payer.run_id] = payer
        self.texts[payer.run_id] = text
        self.held[payer.run_id] = {}
        return text

    def close_run(self, run_id: str) -> None:
        """The Run is over."""
        self.payers.pop(run_id, None)
        self.texts.pop(run_id, None)
        self.held.pop(run_id, None)

    def hold(self, run_id: str, slot: int | None, *, nanos: int) -> None:
        """The Slot holds so much more, or less."""
        held = self.held.get(run_id)
        if held is not None:
            held[slot] = held.get(slot, 0) + nanos

    def forget(self) -> None:
        """Ask the database from now on."""
        for known in (self.payers, self.texts, self.held, self.attempts):
            known.clear()


@dataclass(slots=True)
class FoundAttempt:
    """An Attempt whose cost is not known for good."""

    payer: Payer
    model: str
    upstream: str
    sent_at: str
    settled: bool = False
    posted_nanos: int = 0
    bound_nanos: int | None = None
    generation_id: str | None = None
    counted: bool = False

    def facts(self, place: Place) -> Row:
        """Columns that every entry about it has."""
        return {
            "slot": place.slot,
            "attempt": place.attempt,
            "model": self.model,
            "upstream": self.upstream,
            "day": self.sent_at[:10],
        }


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Payer).decode


def payer_from(text: str) -> Payer:
    """Who pays, as a row has it."""
    return _decode(text)


def payer_text(payer: Payer) -> str:
    """Who pays, as a row has it."""
    return _encode(payer).decode()


def run_of(step: Step) -> str:
    """The Run that a step is about."""
    if isinstance(step, Release | Close):
        return step.run_id
    assert not isinstance(step, Reserve)
    return step.place.run_id


def at_place(place: Place) -> Row:
    """Parameters that find an Attempt."""
    return {"run_id": place.run_id, "slot": place.slot, "attempt": place.attempt}


def of_place(place: Place) -> Row:
    """The same for statements that change it."""
    return {"of_run_id": place.run_id, "of_slot": place.slot, "of_attempt": place.attempt}


def cost_columns(cost: Cost) -> Row:
    """A Cost as columns of an entry."""
    return {
        "cost_nanos": cost.nanos,
        "cost_state": cost.state.value,
        "cost_raw": clean_or_none(cost.raw),
    }


def token_columns(usage: Usage) -> Row:
    """Native token counts as columns of an entry."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cached_tokens": usage.cached_tokens,
    }


def sum_known(amounts: Sequence[int | None]) -> int | None:
    """The sum; None where one of them is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


# Built once: the reconciler asks for it again and again.
_SETTLED = (
    select(OPEN_ATTEMPTS)
    .where(OPEN_ATTEMPTS.c.settled == true())
    .order_by(OPEN_ATTEMPTS.c.sent_at, OPEN_ATTEMPTS.c.run_id, OPEN_ATTEMPTS.c.slot)
)


def read_open_attempts(database: Database) -> list[OpenAttempt]:
    """Those that are over and whose cost is not known for good, the oldest first."""
    with database.engine.connect() as connection:
        rows = connection.execute(_SETTLED).all()
    return [
        OpenAttempt(
            place=Place(row.run_id, row.slot, row.attempt),
            model=row.model,
            upstream=row.upstream,
            key=payer_from(row.payer).key,
            sent_at=row.sent_at,
            posted_nanos=row.posted_nanos,
            generation_id=row.generation_id,
            tries=row.tries,
            first_try_at=row.first_try_at,
            next_try_at=row.next_try_at,
        )
        for row in rows
    ]
