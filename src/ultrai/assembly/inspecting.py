"""Gathers the facts that `policy.production` judges."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.domain.errors import UltraiError
from ultrai.policy.production import Facts, examine

if TYPE_CHECKING:
    from ultrai.assembly.facade import UltrAI
    from ultrai.domain.attempt import Account
    from ultrai.domain.overview import Check

_OTHERS = 0o077


async def inspect(ultrai: UltrAI) -> Sequence[Check]:
    """Every check of `ultrai doctor --production`. Raises StoreError."""
    settings = ultrai.settings
    account, problem = await _account(ultrai)
    books = await ultrai.books()
    reconciliation = await ultrai.reconciliation()
    return examine(
        Facts(
            has_key=settings.key is not None,
            account=account,
            account_problem=problem,
            budgets=[state.budget for state in await books.budgets()],
            concurrency=settings.concurrency,
            is_home_private=_is_private(settings.home),
            home=str(settings.home),
            ledger_problems=(await books.verify()).problems,
            open_attempts=len(await reconciliation.open_attempts()),
            sinks=None if settings.alerts is None else len(settings.alerts.to),
        )
    )


async def _account(ultrai: UltrAI) -> tuple[Account | None, str | None]:
    if ultrai.settings.key is None:
        return None, None
    try:
        return await ultrai.account(), None
    except UltraiError as error:
        return None, str(error)


def _is_private(home: Path) -> bool | None:
    if os.name != "posix":
        return None
    try:
        return not home.stat().st_mode & _OTHERS
    except OSError:
        return None
