"""Gathers the facts that `policy.production` judges."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.domain.errors import KeyRefused, UltraiError
from ultrai.policy.production import Facts, examine

if TYPE_CHECKING:
    from ultrai.assembly.facade import UltrAI
    from ultrai.domain.attempt import Account
    from ultrai.domain.overview import Check

_OTHERS = 0o077


async def inspect(ultrai: UltrAI) -> Sequence[Check]:
    """Every check of `ultrai doctor --production`. Raises StoreError."""
    settings = ultrai.settings
    account, problem, key_problem = await _account(ultrai)
    books = await ultrai.books()
    reconciliation = await ultrai.reconciliation()
    return examine(
        Facts(
            has_key=settings.names_a_key,
            account=account,
            account_problem=problem,
            budgets=[state.budget for state in await books.budgets()],
            concurrency=settings.concurrency,
            is_home_private=_is_private(settings.home),
            home=str(settings.home),
            ledger_problems=(await books.verify()).problems,
            open_attempts=len(await reconciliation.open_attempts()),
            sinks=None if settings.alerts is None else len(settings.alerts.to),
            key_problem=key_problem,
        )
    )


async def _account(ultrai: UltrAI) -> tuple[Account | None, str | None, str | None]:
    """The account, why it is not known, and why the key is of no use."""
    settings = ultrai.settings
    if not settings.names_a_key or settings.key_problem is not None:
        return None, None, settings.key_problem
    try:
        return await ultrai.account(), None, None
    except KeyRefused as error:
        return None, None, str(error)
    except UltraiError as error:
        return None, str(error), None


def _is_private(home: Path) -> bool | None:
    if os.name != "posix":
        return None
    try:
        return not home.stat().st_mode & _OTHERS
    except OSError:
        return None
