"""Gathers what the upstream and the ledger say of the key in use, for `policy.drifting`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ultrai.domain.drift import Drift
from ultrai.domain.errors import CredentialsError, KeyRefused, UpstreamUnavailable
from ultrai.policy.drifting import compare_days, compare_spans
from ultrai.settings.model import OPENROUTER

if TYPE_CHECKING:
    from ultrai.assembly.facade import UltrAI
    from ultrai.domain.attempt import Account
    from ultrai.domain.drift import Activity
    from ultrai.domain.upstream_key import UpstreamKey

_DAY = len("2026-11-26")


async def compare(ultrai: UltrAI, *, days: int) -> Drift:
    """The key in use, by span and, with a management key, by day and model.

    Raises CredentialsError without a key, UpstreamUnavailable, StoreError.
    """
    account = await ultrai.account()
    if account is None:
        raise CredentialsError("no key is set", hint="set OPENROUTER_API_KEY")
    books = await ultrai.books()
    identity = ultrai.settings.key_identity
    kept = await books.kept(identity, OPENROUTER)
    found, activity, problem = await _activity(ultrai, account)
    now = books.clock.now()
    created = found.created_at[:_DAY] if found is not None and found.created_at else None
    return Drift(
        key=identity,
        label=account.label,
        begins=kept.begins,
        spans=compare_spans(account, kept, now=now, created=created),
        days=None if activity is None else compare_days(activity, kept, now=now, days=days),
        problem=problem,
    )


async def _activity(
    ultrai: UltrAI, account: Account
) -> tuple[UpstreamKey | None, Sequence[Activity] | None, str]:
    """The key as its management sees it, and its bill; or why that cannot be had."""
    try:
        desk = await ultrai.key_desk()
        keys = await desk.list_keys()
        key = ultrai.settings.key
        found = _find(keys, fingerprint="" if key is None else key.fingerprint, label=account.label)
        if found is None:
            return None, None, "the management key knows no key like the one in use"
        return found, await desk.management.activity(found.hash), ""
    except KeyRefused as error:
        return None, None, f"the management key is refused: {error}"
    except (CredentialsError, UpstreamUnavailable) as error:
        hint = f" — {error.hint}" if error.hint else ""
        return None, None, f"{error}{hint}"


def _find(
    keys: Sequence[UpstreamKey], *, fingerprint: str, label: str | None
) -> UpstreamKey | None:
    """The key whose hash is the SHA-256 of the one in use, or the only one that is shown alike."""
    kind, _, digits = fingerprint.partition("-")
    if kind == "key":
        exact = [key for key in keys if key.hash.startswith(digits)]
        if len(exact) == 1:
            return exact[0]
    alike = [key for key in keys if label and key.label == label]
    return alike[0] if len(alike) == 1 else None
