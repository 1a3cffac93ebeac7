"""When somebody is to be told: readings of budgets, spending and keys against rules. Pure.

Amounts are nanodollars, stamps RFC 3339 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from ultrai.domain.alert import Alert, AlertKind, Mark, Standing
from ultrai.domain.attempt import Account
from ultrai.domain.budget import BudgetState, Period
from ultrai.domain.money import NANOS_PER_USD, format_usd
from ultrai.domain.stamp import stamp
from ultrai.domain.upstream_key import UpstreamKey

LEAST_HOURS = 3
_FIRST_RETRY_S = 30.0
_LONGEST_RETRY_S = 3600.0
MOST_TRIES = 20
_ALL = 100


@dataclass(frozen=True, slots=True)
class AlertRules:
    """What is told. `thresholds` are per cent of a Budget or of a key's limit; None: never told."""

    thresholds: tuple[int, ...] = (50, 80, 100)
    speed_factor: Decimal | None = Decimal(5)
    speed_least_nanos: int = NANOS_PER_USD // 2
    unknown_nanos: int | None = NANOS_PER_USD
    drift_nanos: int | None = NANOS_PER_USD // 10
    key_expires_days: int | None = 14
    key_age_days: int | None = 90
    free_left_percent: int | None = 10


@dataclass(frozen=True, slots=True)
class Spent:
    """What the ledger says of late.

    `hour_nanos`: of the last 60 minutes; `usual_nanos`: of an hour of the week before in which
    anything was spent, of which there were `hours`. `unknown` Attempts of the last 24 hours cost at
    most `unsure_nanos`. Of today and the key in use: `day_nanos` is known, at most
    `day_unsure_nanos` more is not, `day_recent_nanos` of the known is so new that the upstream may
    not count it yet, `in_flight_nanos` may be charged any moment. `key_since`: its first use.
    """

    hour_nanos: int = 0
    usual_nanos: int = 0
    hours: int = 0
    unknown: int = 0
    unsure_nanos: int = 0
    day_nanos: int = 0
    day_unsure_nanos: int = 0
    day_recent_nanos: int = 0
    in_flight_nanos: int = 0
    key_since: str | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """Everything that rules look at. None: not read this time, which says nothing."""

    budgets: Sequence[BudgetState] = ()
    spent: Spent | None = None
    account: Account | None = None
    keys: Sequence[UpstreamKey] = ()
    fingerprint: str | None = None


def standings(rules: AlertRules, readings: Readings, *, now: datetime) -> list[Standing]:
    """How everything stands that could be read."""
    found = [each for state in readings.budgets for each in _of_budget(rules, state)]
    spent = readings.spent
    if spent is not None:
        found += [*_of_speed(rules, spent), *_of_unknown(rules, spent)]
    account = readings.account
    if account is not None:
        found += _of_free_quota(rules, account, now=now)
        if spent is not None:
            found += _of_drift(rules, spent, account=account, now=now)
    for key in _keys(readings):
        found += [
            *_of_key_limit(rules, key),
            *_of_expiry(rules, key, now=now),
            *_of_age(rules, key, now=now),
        ]
    return found


def refused(budget: str, message: str, *, now: datetime) -> Standing:
    """A Budget has refused a Run: worth telling once a day."""
    return Standing(
        f"refused/{budget}",
        AlertKind.BUDGET_REFUSED,
        budget,
        1,
        f"a run was refused: {message}",
        epoch=now.date().isoformat(),
    )


def crossings(
    found: Iterable[Standing], marks: Mapping[str, Mark], *, now: str, scope: str = ""
) -> tuple[list[Alert], list[Mark]]:
    """The Alerts that are due, and the Marks that have changed; `scope` tells profiles apart."""
    alerts: list[Alert] = []
    changed: list[Mark] = []
    for standing in found:
        mark = marks.get(standing.key)
        told = mark.level if mark is not None and mark.epoch == standing.epoch else 0
        if standing.level > told:
            alerts.append(_alert(standing, now, scope=scope))
        if mark is None and not standing.level:
            continue
        if mark is None or (mark.epoch, mark.level) != (standing.epoch, standing.level):
            changed.append(Mark(standing.key, standing.epoch, standing.level, now))
    return alerts, changed


def next_try(tries: int, now: datetime) -> str:
    """When a delivery that was tried so often is tried again, should it have failed."""
    wait_s = min(_FIRST_RETRY_S * 2 ** (tries - 1), _LONGEST_RETRY_S)
    return stamp(now + timedelta(seconds=wait_s))


def _alert(standing: Standing, now: str, *, scope: str) -> Alert:
    told = f"{scope} {standing.key} {standing.epoch} {standing.level} {now}"
    return Alert(
        id=f"alert_{sha256(told.encode()).hexdigest()[:24]}",
        kind=standing.kind,
        subject=standing.subject,
        message=standing.message,
        at=now,
        facts=standing.facts,
    )


# --- budgets and spending -------------------------------------------------------------------------


def _of_budget(rules: AlertRules, state: BudgetState) -> list[Standing]:
    budget = state.budget
    closed = Standing(
        f"budget_closed/{budget.name}",
        AlertKind.BUDGET_CLOSED,
        budget.name,
        int(budget.closed),
        f"budget {budget.name} is closed: the upstream charged more than it was allowed to"
        if budget.closed
        else f"budget {budget.name} is open",
    )
    if budget.period is Period.RUN:  # each Run has one of its own
        return [closed]
    percent = _percent(state.posted_nanos, budget.limit_nanos)
    period = "in all" if budget.period is Period.TOTAL else f"per {budget.period.value}"
    passed = Standing(
        f"budget/{budget.name}",
        AlertKind.BUDGET,
        budget.name,
        _highest(rules.thresholds, percent),
        f"budget {budget.name} has spent {percent} % of ${format_usd(budget.limit_nanos)} {period}",
        epoch=state.since,
        facts={
            "percent": percent,
            "spent_usd": format_usd(state.posted_nanos),
            "limit_usd": format_usd(budget.limit_nanos),
            "period": budget.period.value,
        },
    )
    return [passed, closed]


def _of_speed(rules: AlertRules, spent: Spent) -> list[Standing]:
    if rules.speed_factor is None:
        return []
    is_judged = spent.hours >= LEAST_HOURS and spent.hour_nanos >= rules.speed_least_nanos
    is_fast = is_judged and spent.hour_nanos > spent.usual_nanos * rules.speed_factor
    message = f"${format_usd(spent.hour_nanos)} was spent in the last hour"
    if spent.hours >= LEAST_HOURS:
        message += f"; an hour of the last week costs ${format_usd(spent.usual_nanos)}"
    facts = {
        "hour_usd": format_usd(spent.hour_nanos),
        "usual_hour_usd": format_usd(spent.usual_nanos) if spent.hours >= LEAST_HOURS else None,
    }
    return [
        Standing("spend_rate", AlertKind.SPEND_RATE, "spending", int(is_fast), message, facts=facts)
    ]


def _of_unknown(rules: AlertRules, spent: Spent) -> list[Standing]:
    if rules.unknown_nanos is None:
        return []
    is_much = spent.unknown > 0 and spent.unsure_nanos >= rules.unknown_nanos
    message = (
        f"the cost of {spent.unknown} attempts of the last 24 hours is not known: "
        f"at most ${format_usd(spent.unsure_nanos)}"
    )
    facts = {"unknown": spent.unknown, "at_most_usd": format_usd(spent.unsure_nanos)}
    return [
        Standing("unknown_cost", AlertKind.UNKNOWN_COST, "ledger", int(is_much), message, "", facts)
    ]


def _of_drift(
    rules: AlertRules, spent: Spent, *, account: Account, now: datetime
) -> list[Standing]:
    """What the upstream has counted today against what the ledger allows for."""
    said = account.usage_day_nanos
    if rules.drift_nanos is None or said is None:
        return []
    least = spent.day_nanos - spent.day_recent_nanos
    most = spent.day_nanos + spent.day_unsure_nanos + spent.in_flight_nanos
    drift = said - most if said > most else min(0, said - least)
    words = "more" if drift > 0 else "less"
    message = (
        f"the upstream has counted ${format_usd(abs(drift))} {words} today than the ledger; "
        "is the key used elsewhere too?"
    )
    if not drift:
        message = "the upstream and the ledger agree on today"
    return [
        Standing(
            "ledger_drift",
            AlertKind.LEDGER_DRIFT,
            "ledger",
            int(abs(drift) >= rules.drift_nanos and drift != 0),
            message,
            epoch=now.date().isoformat(),
            facts={"drift_usd": format_usd(drift), "upstream_usd": format_usd(said)},
        )
    ]


# --- keys -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Key:
    """A key by whatever told of it."""

    id: str
    name: str
    limit_nanos: int | None
    remaining_nanos: int | None
    expires_at: str | None
    since: str | None


def _keys(readings: Readings) -> list[_Key]:
    """Those that the management lists, and the one in use if it is none of them."""
    keys = [
        _Key(
            key.hash[:12],
            key.name,
            key.limit_nanos,
            key.remaining_nanos,
            key.expires_at,
            key.created_at,
        )
        for key in readings.keys
        if not key.disabled
    ]
    account = readings.account
    listed = {key.label for key in readings.keys}
    if account is not None and (account.label is None or account.label not in listed):
        name = account.label or "the key in use"
        since = None if readings.spent is None else readings.spent.key_since
        keys.append(
            _Key(
                readings.fingerprint or "in-use",
                name,
                account.limit_nanos,
                account.limit_remaining_nanos,
                account.expires_at,
                since,
            )
        )
    return keys


def _of_key_limit(rules: AlertRules, key: _Key) -> list[Standing]:
    if key.limit_nanos is None or key.remaining_nanos is None:
        return []
    used = max(0, key.limit_nanos - key.remaining_nanos)
    percent = _percent(used, key.limit_nanos)
    return [
        Standing(
            f"key_limit/{key.id}",
            AlertKind.KEY_LIMIT,
            key.name,
            _highest(rules.thresholds, percent),
            f"key {key.name} has used {percent} % of its limit of ${format_usd(key.limit_nanos)}",
            facts={
                "percent": percent,
                "limit_usd": format_usd(key.limit_nanos),
                "left_usd": format_usd(key.remaining_nanos),
            },
        )
    ]


def _of_expiry(rules: AlertRules, key: _Key, *, now: datetime) -> list[Standing]:
    expires = _moment(key.expires_at)
    if expires is None or rules.key_expires_days is None:
        return []
    left = expires - now
    level = int(left <= timedelta(days=rules.key_expires_days)) + int(left <= timedelta())
    when = f"expires in {left.days} days" if level < 2 else "has expired"  # noqa: PLR2004 - levels
    return [
        Standing(
            f"key_expiry/{key.id}",
            AlertKind.KEY_EXPIRY,
            key.name,
            level,
            f"key {key.name} {when} ({key.expires_at})",
            facts={"expires_at": key.expires_at},
        )
    ]


def _of_age(rules: AlertRules, key: _Key, *, now: datetime) -> list[Standing]:
    since = _moment(key.since)
    if since is None or rules.key_age_days is None:
        return []
    days = (now - since).days
    is_old = days >= rules.key_age_days
    advice = ": rotate it with `ultrai keys rotate`" if is_old else ""
    return [
        Standing(
            f"key_age/{key.id}",
            AlertKind.KEY_AGE,
            key.name,
            int(is_old),
            f"key {key.name} is {days} days old{advice}",
            facts={"days": days, "since": key.since},
        )
    ]


def _of_free_quota(rules: AlertRules, account: Account, *, now: datetime) -> list[Standing]:
    limit, used = account.free_limit, account.free_used
    if not limit or used is None or rules.free_left_percent is None:
        return []
    left = max(0, limit - used)
    level = int(left * _ALL <= limit * rules.free_left_percent) + int(left == 0)
    return [
        Standing(
            "free_quota",
            AlertKind.FREE_QUOTA,
            "free models",
            level,
            f"{left} of {limit} free requests are left today",
            epoch=now.date().isoformat(),
            facts={"left": left, "limit": limit},
        )
    ]


def _percent(part: int, whole: int) -> int:
    """Rounded down, so that 100 means all of it; of nothing, everything is used."""
    return part * _ALL // whole if whole > 0 else _ALL


def _highest(thresholds: Iterable[int], percent: int) -> int:
    return max((each for each in thresholds if percent >= each), default=0)


def _moment(text: str | None) -> datetime | None:
    """A stamp as the upstream or we wrote it; None where it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
