"""Stands in for the writer of a database that can only be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ultrai.domain.errors import StoreError

if TYPE_CHECKING:
    from ultrai.domain.event import Event
    from ultrai.domain.ledger import Step
    from ultrai.policy.health import ModelHealth
    from ultrai.store.orders import Outcome


class RefusingWriter:
    """Takes what `Writer` takes and writes nothing; a flush says why. Health is forgotten."""

    def __init__(self, why: StoreError) -> None:
        self._why = why
        self._owes_word = False

    def append(self, events: Sequence[Event]) -> None:
        """Drop the Events; the next flush, or else `close`, says so."""
        self._owes_word = self._owes_word or bool(events)

    def remember(self, health: Mapping[str, ModelHealth]) -> None:
        """Forget it: the next process learns it anew."""

    def post(self, steps: Sequence[Step]) -> None:
        """Drop them: nothing was reserved that they could settle."""

    async def carry_out(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        """Raise StoreError, always."""
        raise self._refusal()

    async def flush(self) -> None:
        """Raise StoreError, always."""
        self._owes_word = False
        raise self._refusal()

    def close(self) -> None:
        """Idempotent. Raises StoreError if there were Events and no flush has said so."""
        if self._owes_word:
            self._owes_word = False
            raise self._refusal()

    def _refusal(self) -> StoreError:
        return StoreError(f"the history cannot be written: {self._why}", hint=self._why.hint)
