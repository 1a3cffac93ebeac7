"""What makes a Plan useless before anything is spent: no key, no window, no reachable quorum."""

from __future__ import annotations

from collections.abc import Mapping

from ultrai.domain.ask import Ask
from ultrai.domain.errors import CredentialsError, UsageError
from ultrai.domain.fitting import FitWish
from ultrai.domain.plan import NotReadyReason, Plan, PlannedSlot
from ultrai.domain.query import Limits
from ultrai.engine.context import Contexts
from ultrai.engine.house import AsksForKeys

_LONGEST_NAME = 500
_MOST_TAGS = 16


def check_account(ask: Ask) -> None:
    """Raise UsageError where the user, the feature or a tag is nothing that a ledger can keep.

    What is no text in UTF-8 or does not print (a control character) would be found much later.
    """
    named = {"the user": ask.user, "the feature": ask.feature}
    given = [(what, text) for what, text in named.items() if text is not None]
    for name, text in ask.tags.items():
        if not name or "=" in name:
            raise UsageError(f"{name!a} is no name of a tag", hint="write NAME=TEXT, as team=x")
        given.append(("the tag", f"{name}={text}"))
    for what, text in given:
        problem = _unkeepable(text)
        if problem is not None:
            raise UsageError(f"{what} {problem}; nothing was sent", hint="give a name as text")
    if len(ask.tags) > _MOST_TAGS:
        raise UsageError(f"{len(ask.tags)} tags are too many", hint=f"give {_MOST_TAGS} or fewer")


def _unkeepable(text: str) -> str | None:
    if not text:
        return "is empty"
    if len(text) > _LONGEST_NAME:
        return f"has {len(text)} characters, and {_LONGEST_NAME} can be kept"
    if not text.isprintable():
        return f"{text[:40]!a} is not printable text in UTF-8"
    return None


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


def check_held(plan: Plan, contexts: Contexts) -> None:
    """Raise UsageError where input that may not be changed is too long for the models.

    With `refuse` that is where any Slot has no model that holds it; with other wishes, where none
    of them has.
    """
    named = contexts.wish in (FitWish.REFUSE, FitWish.WHOLE)
    if not named and not contexts.query.documents:
        return
    too_long = [slot for slot in plan.slots if _is_too_long(slot)]
    everywhere = len(too_long) == len(plan.slots)
    if not too_long or not (everywhere or contexts.wish is FitWish.REFUSE):
        return
    verdict = too_long[0].candidates[0].not_ready
    why = "" if verdict is None else verdict.message
    hint = "name a model with a larger window, see 'ultrai models'"
    if named and contexts.query.documents:
        hint = f"--fit auto sends what matters most; or {hint}"
    raise UsageError(f"the input does not fit: {why}; nothing was sent", hint=hint)


def _is_too_long(slot: PlannedSlot) -> bool:
    """Whether nobody in the Slot can be asked, and for this reason only."""
    reasons = [c.not_ready.reason if c.not_ready else None for c in slot.candidates]
    return bool(reasons) and all(each is NotReadyReason.WINDOW_TOO_SMALL for each in reasons)
