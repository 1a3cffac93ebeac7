"""Alerts for people and programs: how things stand, who is told, what has not arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import money
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out, paragraph
from ultrai.domain.money import format_usd
from ultrai.settings.alerts import HOW_TO_TELL

if TYPE_CHECKING:
    from ultrai.domain.alert import Parcel, Standing
    from ultrai.engine.alerting import Delivery
    from ultrai.policy.alerting import AlertRules

Sinks = Mapping[str, tuple[str, str]]

_LOG = "log"
_HOW = Column("how it stands", flexible=True, wraps=True)


def alerts_lines(
    found: Sequence[Standing],
    waiting: Sequence[tuple[Parcel, str]],
    *,
    sinks: Sinks,
    rules: AlertRules,
    width: int | None,
) -> list[Line]:
    """How it stands, the active ones first; when it is told and to whom; then what waits."""
    ordered = sorted(found, key=lambda each: (not each.level, each.kind.value, each.subject))
    watched = [
        [
            Cell("active" if each.level else "ok", Style.ODD if each.level else Style.GOOD),
            Cell(each.kind.value),
            Cell(one_line(each.message)),
        ]
        for each in ordered
    ]
    columns = (Column("state"), Column("kind", rank=1), _HOW)
    lines = [*lay_out(columns, watched, width=width, header=True), ()]
    on, off = _rules_words(rules)
    lines += paragraph(f"on   {'; '.join(on)}", width=width)
    if off:
        lines += paragraph(f"off  {'; '.join(off)}", Style.DIM, width=width)
    told = [[Cell(one_line(n)), Cell(k), Cell(one_line(w))] for n, (k, w) in sinks.items()]
    heads = (Column("told"), Column("by", rank=1), Column("where", flexible=True))
    if told:
        lines += [(), *lay_out(heads, told, width=width, header=True)]
    lines += _missing_receivers(sinks, width=width)
    if waiting:
        rows = [
            [
                Cell(one_line(parcel.sink)),
                Cell(str(parcel.tries)),
                Cell(one_line(parcel.alert.message)),
                Cell(one_line(problem), Style.BAD),
            ]
            for parcel, problem in waiting
        ]
        columns_of_waiting = (
            Column("not delivered"),
            Column("tries", "right", rank=2),
            Column("what", flexible=True),
            Column("why", flexible=True, rank=1),
        )
        lines += [(), *lay_out(columns_of_waiting, rows, width=width, header=True)]
    return lines


def alerts_to_dict(
    found: Sequence[Standing],
    waiting: Sequence[tuple[Parcel, str]],
    *,
    sinks: Sinks,
    rules: AlertRules,
) -> dict[str, object]:
    """JSON types."""
    return {
        "rules": _rules_to_dict(rules),
        "watched": [each.to_dict() for each in found],
        "told": [{"name": n, "kind": k, "where": w} for n, (k, w) in sinks.items()],
        "waiting": [
            {
                "sink": parcel.sink,
                "tries": parcel.tries,
                "problem": problem or None,
                "alert": parcel.alert.to_dict(),
            }
            for parcel, problem in waiting
        ],
    }


def deliveries_lines(
    deliveries: Sequence[Delivery], sinks: Sinks, *, width: int | None
) -> list[Line]:
    """One line for each sink, and what names one where there is none."""
    rows = [
        [
            Cell(one_line(each.sink)),
            Cell(sinks[each.sink][0]),
            Cell("arrived" if each.problem is None else "failed", _style(each)),
            Cell(f"{each.elapsed_ms} ms"),
            Cell(one_line(each.problem or sinks[each.sink][1])),
        ]
        for each in deliveries
    ]
    columns = (
        Column("told"),
        Column("by", rank=1),
        Column("test"),
        Column("took", "right", rank=2),
        Column("", flexible=True),
    )
    table = lay_out(columns, rows, width=width, header=True) if rows else []
    return [*table, *_missing_receivers(sinks, width=width)]


def delivery_to_dict(each: Delivery, sinks: Sinks) -> dict[str, object]:
    """JSON types."""
    return {
        "sink": each.sink,
        "kind": sinks[each.sink][0],
        "arrived": each.problem is None,
        "elapsed_ms": each.elapsed_ms,
        "problem": each.problem,
    }


def _missing_receivers(sinks: Sinks, *, width: int | None) -> list[Line]:
    """That only the log is told, or nobody, and what names somebody."""
    if any(name != _LOG for name in sinks):
        return []
    words = "only the log is told: standard error here, the logger ultrai.alerts elsewhere"
    text = words if sinks else "nobody is told"
    hint = paragraph(f"add to the settings: {HOW_TO_TELL}", Style.DIM, width=width)
    return [(), *paragraph(text, Style.ODD, width=width), *hint]


def _rules_words(rules: AlertRules) -> tuple[list[str], list[str]]:
    """What is told, and the kinds that are not."""
    least, percents = money(rules.speed_least_nanos), ", ".join(map(str, rules.thresholds))
    told = (
        ("budget and key_limit", percents or None, "at {} %"),
        ("spend_rate", rules.speed_factor, f"{{}}x usual, and {least} an hour"),
        ("unknown_cost", _amount(rules.unknown_nanos), "{}"),
        ("ledger_drift", _amount(rules.drift_nanos), "{}"),
        ("key_expiry", rules.key_expires_days, "in {} days"),
        ("key_age", rules.key_age_days, "{} days"),
        ("free_quota", rules.free_left_percent, "{} % left"),
    )
    on = [f"{kind} {words.format(at)}" for kind, at, words in told if at is not None]
    return ["budget_refused, budget_closed", *on], [kind for kind, at, _ in told if at is None]


def _rules_to_dict(rules: AlertRules) -> dict[str, object]:
    """By the names of the settings; null where that kind is not told."""
    factor, unknown, drift = rules.speed_factor, rules.unknown_nanos, rules.drift_nanos
    return {
        "thresholds": list(rules.thresholds),
        "speed_factor": None if factor is None else str(factor),
        "speed_least_usd": format_usd(rules.speed_least_nanos),
        "unknown_usd": None if unknown is None else format_usd(unknown),
        "drift_usd": None if drift is None else format_usd(drift),
        "key_expires_days": rules.key_expires_days,
        "key_age_days": rules.key_age_days,
        "free_left_percent": rules.free_left_percent,
    }


def _amount(nanos: int | None) -> str | None:
    return None if nanos is None else money(nanos)


def _style(each: Delivery) -> Style:
    return Style.GOOD if each.problem is None else Style.BAD
