"""What makes a Plan useless before anything is spent: no key, or a quorum out of reach."""

from __future__ import annotations

from collections.abc import Mapping

from ultrai.domain.errors import CredentialsError, UsageError
from ultrai.domain.plan import NotReadyReason, Plan
from ultrai.domain.query import Limits
from ultrai.engine.house import AsksForKeys


def check_keys(plan: Plan, keyless: Mapping[str, str]) -> None:
    """Raise CredentialsError where nobody can be asked for lack of a key."""
    candidates = [c for slot in plan.slots for c in slot.candidates]
    lacking = [
        c
        for c in candidates
        if c.not_ready is not None and c.not_ready.reason is NotReadyReason.NO_KEY
    ]
    if lacking and not any(c.is_ready for c in candidates):
        hint = keyless.get(lacking[0].upstream, "")
        raise CredentialsError(f"no key is set for {lacking[0].upstream}", hint=hint)


async def check_kept_keys(plan: Plan, missing_keys: AsksForKeys | None) -> None:
    """Raise CredentialsError where nobody can be asked because no key can be read.

    Where only some are missing, the Run goes on: their Attempts fail, and say why.
    """
    asked = {c.upstream for slot in plan.slots for c in slot.candidates if c.is_ready}
    if missing_keys is None or not asked:
        return
    missing = await missing_keys(asked)
    if asked <= missing.keys():
        raise missing[min(asked)]


def check_quorum(plan: Plan, limits: Limits) -> None:
    """Raise UsageError where more answers are wanted than there are Slots."""
    if limits.quorum is not None and limits.quorum > len(plan.slots):
        raise UsageError(
            f"a quorum of {limits.quorum} cannot be reached with {len(plan.slots)} slots",
            hint="ask for fewer answers or name more models",
        )
