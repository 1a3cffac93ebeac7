"""KeySource: a key that may change while the program runs, as whoever sends it sees it."""

from __future__ import annotations

from typing import Protocol

from ultrai.domain.secret import Secret


class KeySource(Protocol):
    """Knows the key of today. Where it is kept, and how it is read there, is not told."""

    async def current(self) -> Secret:
        """The key to send now. Raises CredentialsError when there has never been one."""

    async def refresh_after_denial(self, denied: Secret) -> Secret | None:
        """The key that has taken the place of one that was refused; None: there is no other."""
