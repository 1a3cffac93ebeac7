"""Whose text was shown to somebody who cannot be told to forget it.

An OpenAI stream has no way to take back what it sent. So an Attempt is committed at its first text:
until then retries and Backups are free, afterwards nothing takes its place, and its failure is the
Slot's. Where several Answers go into one text, only the Slot that speaks first is shown live.

It is asked and told in the very moment in which text becomes an Event: the first text that a reader
of the feed meets is the committed one's.
"""

from __future__ import annotations

from ultrai.domain.ask import Commit


class Commitment:
    """One Run's."""

    __slots__ = ("_mode", "_slots")

    def __init__(self, mode: Commit) -> None:
        self._mode = mode
        self._slots: set[int] = set()

    def text_arrived(self, slot: int) -> None:
        """An Attempt of the Slot has shown text."""
        if self._mode is Commit.EACH or (self._mode is Commit.FIRST and not self._slots):
            self._slots.add(slot)

    def holds(self, slot: int) -> bool:
        """Whether the Slot's Attempt may not be replaced any more."""
        return slot in self._slots
