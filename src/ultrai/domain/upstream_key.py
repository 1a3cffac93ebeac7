"""A key of the upstream as its management sees it; never its value."""

from __future__ import annotations

from dataclasses import dataclass

from ultrai.domain.money import format_usd
from ultrai.domain.secret import Secret


@dataclass(frozen=True, slots=True)
class UpstreamKey:
    """Amounts are nanodollars; None: no limit, or not said. Stamps are as the upstream wrote them.

    `hash` names the key; `label` is the masked beginning and end of its value.
    """

    hash: str
    name: str
    label: str | None = None
    disabled: bool = False
    limit_nanos: int | None = None
    remaining_nanos: int | None = None
    reset: str | None = None
    usage_nanos: int | None = None
    expires_at: str | None = None
    created_at: str | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON types; money is a decimal string in USD, null where there is no limit."""
        return {
            "hash": self.hash,
            "name": self.name,
            "label": self.label,
            "disabled": self.disabled,
            "limit_usd": _usd(self.limit_nanos),
            "remaining_usd": _usd(self.remaining_nanos),
            "reset": self.reset,
            "usage_usd": _usd(self.usage_nanos),
            "expires_at": self.expires_at,
            "created_at": self.created_at,
        }


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with its value, which the upstream tells this once."""

    key: UpstreamKey
    value: Secret


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else format_usd(nanos)
