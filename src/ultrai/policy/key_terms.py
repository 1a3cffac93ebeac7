"""What a new key of the upstream may be called, and when it may end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from ultrai.domain.errors import UsageError

_EXAMPLE = "such as 2027-12-31T23:59:59Z"


def checked_terms(asked: Mapping[str, object], *, now: datetime) -> dict[str, object]:
    """The same terms as the upstream reads them: `expires_at` in UTC. Raises UsageError."""
    terms = dict(asked)
    terms["name"] = _name(str(asked.get("name", "")))
    if "expires_at" in asked:
        terms["expires_at"] = _expiry(str(asked["expires_at"]), now=now)
    return terms


def _name(text: str) -> str:
    name = text.strip()
    if not name:
        raise UsageError("a key needs a name", hint="give one by which you will know it again")
    if not name.isprintable():
        raise UsageError(f"a key cannot be called {name!r}", hint="use letters, digits and signs")
    return name


def _expiry(text: str, *, now: datetime) -> str:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--expires {text!r} is no moment", hint=f"write it {_EXAMPLE}") from None
    if moment.tzinfo is None:
        raise UsageError(
            f"--expires {text!r} does not say the time and its zone", hint=f"write it {_EXAMPLE}"
        )
    if moment <= now:
        raise UsageError(f"--expires {text!r} is past", hint="give a moment to come")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
