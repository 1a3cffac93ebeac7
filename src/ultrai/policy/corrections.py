"""Corrections: ids that were written wrongly or have been given a newer name.

Three tables, tried in turn until nothing changes: a deprecated id becomes its replacement, an
incomplete id its full form, a wrong prefix the right one. What comes out needs no correction, so
correcting twice is correcting once. Tables that go in a circle correct nothing.

A variant suffix (`:free`, `:nitro`) is kept, unless the table names the id with it or its
replacement brings one. Not known here: whether any id is listed. That is the Catalog's business,
and an id that has since been retired is `policy.succession`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MOST_STEPS = 8


@dataclass(frozen=True, slots=True)
class Corrections:
    """Wrong spelling -> right one. Keys count without case; prefixes end in a slash.

    An id that is written with a wrong prefix here is kept under the right one.
    """

    prefixes: Mapping[str, str] = field(default_factory=dict)
    deprecated: Mapping[str, str] = field(default_factory=dict)
    clarifications: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fold the keys' case and prefixes once, so that looking up is one step."""
        prefixes = {wrong.casefold(): right for wrong, right in self.prefixes.items()}
        object.__setattr__(self, "prefixes", prefixes)
        for name in ("deprecated", "clarifications"):
            table: Mapping[str, str] = getattr(self, name)
            object.__setattr__(self, name, {_key(k, prefixes): v for k, v in table.items()})

    def merged(self, other: Corrections) -> Corrections:
        """These tables with `other`'s entries added; `other`'s win."""
        return Corrections(
            prefixes={**self.prefixes, **other.prefixes},
            deprecated={**self.deprecated, **other.deprecated},
            clarifications={**self.clarifications, **other.clarifications},
        )


@dataclass(frozen=True, slots=True)
class Correction:
    """What was written, what is meant, and why, as the end of a sentence."""

    original: str
    corrected: str
    reason: str

    @property
    def message(self) -> str:
        """One sentence for a Notice."""
        return f"{self.original} was read as {self.corrected}: {self.reason}."


def correct(model_id: str, corrections: Corrections) -> Correction | None:
    """The correction of an id, or None when it stands as it is."""
    current = model_id.strip()
    reasons: list[str] = []
    for _ in range(_MOST_STEPS):
        step = _step(current, corrections)
        if step is None:
            return Correction(model_id, current, "; ".join(reasons)) if reasons else None
        current, reason = step
        reasons.append(reason)
    return None


def _step(model_id: str, corrections: Corrections) -> tuple[str, str] | None:
    """The first table's change, or None when no table changes anything."""
    for table, reason in (
        (corrections.deprecated, "{0} is deprecated and replaced by {1}"),
        (corrections.clarifications, "{1} is the full id of {0}"),
    ):
        found = _look_up(model_id, table, prefixes=corrections.prefixes)
        if found is not None and found != model_id:
            return found, reason.format(model_id, found)
    fixed = _with_right_prefix(model_id, corrections.prefixes)
    if fixed is None:
        return None
    wrong, right = (text.partition("/")[0] for text in (model_id, fixed))
    return fixed, f"the prefix {wrong}/ is written {right}/"


def _with_right_prefix(model_id: str, prefixes: Mapping[str, str]) -> str | None:
    """The id with its maker's part as `prefixes` has it; None where it is not there."""
    maker, slash, rest = model_id.partition("/")
    right = prefixes.get(f"{maker}/".casefold())
    if not slash or right is None or right == f"{maker}/":
        return None
    return right + rest


def _key(model_id: str, prefixes: Mapping[str, str]) -> str:
    """The form under which the tables keep an id."""
    return (_with_right_prefix(model_id, prefixes) or model_id).casefold()


def _look_up(model_id: str, table: Mapping[str, str], *, prefixes: Mapping[str, str]) -> str | None:
    """The table's entry for the id with its suffix, else for the id without it."""
    whole = table.get(_key(model_id, prefixes))
    base, colon, suffix = model_id.partition(":")
    if whole is not None or not colon:
        return whole
    replacement = table.get(_key(base, prefixes))
    if replacement is None or ":" in replacement:
        return replacement
    return f"{replacement}:{suffix}"
