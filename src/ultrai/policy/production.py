"""What a user can get wrong before others depend on it, judged from facts: pure.

Each check says what is so and what to do; docs/production.md says which promise it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ultrai.domain.attempt import Account
from ultrai.domain.budget import Budget, Period
from ultrai.domain.money import format_usd
from ultrai.domain.overview import Check
from ultrai.domain.value import value

# The range that the report of October 2025 asks for; more than that and providers push back.
MOST_SEATS = 100
LEAST_LEFT = Decimal("0.1")


@value
class Facts:
    """What is known. `account` None: the key could not be asked about, `account_problem` says why.

    `key_problem`: a key is named and is of no use, because it cannot be read or is refused.

    `is_home_private` None: this system does not say. `open_attempts` wait for their cost. `sinks`
    are told of alerts; None: there are no alerts.
    """

    has_key: bool
    account: Account | None
    account_problem: str | None
    budgets: Sequence[Budget]
    concurrency: int
    is_home_private: bool | None
    home: str
    ledger_problems: Sequence[str]
    open_attempts: int
    sinks: int | None = None
    key_problem: str | None = None


def examine(facts: Facts) -> tuple[Check, ...]:
    """One Check for each thing that can be wrong, in the order of the documentation."""
    return (
        _key(facts),
        *_account(facts),
        _budgets(facts),
        *_closed(facts),
        _seats(facts),
        _home(facts),
        _ledger(facts),
        _open_costs(facts),
        _alerts(facts),
    )


def _key(facts: Facts) -> Check:
    if facts.key_problem is not None:
        advice = "mend the reference, or `ultrai keys create NAME`"
        return Check("key", "error", f"it is of no use: {facts.key_problem}", advice)
    if facts.has_key:
        return Check("key", "ok", "a key is set")
    return Check(
        "key", "error", "no key is set: only embedded models answer", "set OPENROUTER_API_KEY"
    )


def _account(facts: Facts) -> Iterator[Check]:
    name = "key's ceiling"
    account = facts.account
    if not facts.has_key or facts.key_problem is not None:
        return
    if account is None:
        problem = facts.account_problem or "the upstream does not say"
        yield Check(name, "warning", f"not known: {problem}", "try again, or `ultrai keys check`")
        return
    if account.limit_nanos is None:
        message = "the key may spend all credits: the upstream holds no ceiling for it"
        yield Check(name, "warning", message, "give it one: `ultrai keys limit KEY USD`")
        return
    left, limit = account.limit_remaining_nanos, account.limit_nanos
    words = f"of ${format_usd(limit)}"
    if left is None:
        yield Check(name, "ok", f"the upstream stops the key at ${format_usd(limit)}")
    elif left <= 0:
        message = f"nothing is left {words}"
        yield Check(name, "error", message, "raise it: `ultrai keys limit KEY USD`")
    elif left < limit * LEAST_LEFT:
        message = f"${format_usd(left)} are left {words}"
        yield Check(name, "warning", message, "raise it, or wait for its reset")
    else:
        yield Check(name, "ok", f"${format_usd(left)} are left {words}")


def _budgets(facts: Facts) -> Check:
    lasting = [b for b in facts.budgets if b.hard and b.period is not Period.RUN]
    if lasting:
        return Check("budgets", "ok", f"hard: {', '.join(budget.name for budget in lasting)}")
    message = "no hard budget holds over runs: what is spent in a day has no end"
    return Check("budgets", "warning", message, "set one: `ultrai budget set 5 --per day`")


def _closed(facts: Facts) -> Iterator[Check]:
    for budget in facts.budgets:
        if budget.closed:
            message = f"{budget.name} is closed: the upstream charged more than it was allowed to"
            advice = f"look at `ultrai budget show {budget.name}`, then set it again"
            yield Check("budgets", "error", message, advice)


def _seats(facts: Facts) -> Check:
    if facts.concurrency <= MOST_SEATS:
        return Check("requests at once", "ok", f"at most {facts.concurrency}")
    message = f"{facts.concurrency} at once is more than upstreams take gladly"
    return Check("requests at once", "warning", message, f"concurrency = {MOST_SEATS} or less")


def _home(facts: Facts) -> Check:
    if facts.is_home_private is False:
        message = (
            f"others on this machine can look into {facts.home}, where prompts and answers are"
        )
        return Check("home", "warning", message, f"chmod 700 {facts.home}")
    return Check("home", "ok", "only its owner can look into it")


def _ledger(facts: Facts) -> Check:
    if not facts.ledger_problems:
        return Check("ledger", "ok", "every sealed entry is as it was written")
    first, *more = facts.ledger_problems
    message = f"{first}" + (f", and {len(more)} problems more" if more else "")
    return Check("ledger", "error", message, "see `ultrai cost verify`")


def _open_costs(facts: Facts) -> Check:
    if not facts.open_attempts:
        return Check("costs", "ok", "all are known, or said to be unknown")
    message = f"{facts.open_attempts} attempts wait for their cost"
    return Check("costs", "warning", message, "run `ultrai reconcile --watch`")


def _alerts(facts: Facts) -> Check:
    if facts.sinks:
        return Check("alerts", "ok", f"{facts.sinks} are told; `ultrai alerts test` reaches them")
    message = "nobody is told when money or keys run out"
    if facts.sinks == 0:
        message += ", but who reads the log"
    return Check("alerts", "warning", message, "add [[alerts.to]] to ultrai.toml")
