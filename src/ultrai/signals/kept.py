"""Secrets of sinks: at hand, or read where they are kept when they are needed."""

from __future__ import annotations

from collections.abc import Callable

from ultrai.domain.secret import Secret

Kept = Secret | Callable[[], Secret] | None


def read(kept: Secret | Callable[[], Secret]) -> Secret:
    """The secret. May block; raises CredentialsError."""
    return kept if isinstance(kept, Secret) else kept()
