"""What the desk knows of the house that it stands in: cocktails, spellings, upstreams, keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from ultrai.domain.cocktail import CocktailBook
from ultrai.domain.errors import CredentialsError
from ultrai.policy.corrections import Corrections
from ultrai.policy.succession import Successions

AsksForKeys = Callable[[Collection[str]], Awaitable[Mapping[str, CredentialsError]]]


@dataclass(frozen=True, slots=True)
class House:
    """What does not change while the process runs. Durations are seconds.

    `default_cocktail` stands for an Ask that names nobody; `keyless` maps an upstream without a key
    to what a person can do about it. `missing_keys` says of these upstreams which have a key that
    cannot be read where it is kept, and why; it may have to ask a store. `declared_budgets` are
    set by the settings, which a command does not change.
    """

    book: CocktailBook
    corrections: Corrections
    successions: Successions
    upstream_of: Callable[[str], str]
    default_cocktail: str
    local_upstreams: frozenset[str] = frozenset()
    keyless: Mapping[str, str] | None = None
    deadline_s: float | None = None
    remote_deadline_s: float = 180.0
    local_deadline_s: float = 600.0
    quorum: int | None = None
    environment: str | None = None
    key_fingerprint: str | None = None
    missing_keys: AsksForKeys | None = None
    declared_budgets: frozenset[str] = frozenset()
