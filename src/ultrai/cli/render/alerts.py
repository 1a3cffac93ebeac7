"""Alerts for people and programs: how things stand, who is told, what has not arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ultrai.cli.render.palette import Style
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out

if TYPE_CHECKING:
    from ultrai.domain.alert import Parcel, Standing
    from ultrai.engine.alerting import Delivery

Sinks = Mapping[str, tuple[str, str]]


def alerts_lines(
    found: Sequence[Standing],
    waiting: Sequence[tuple[Parcel, str]],
    *,
    sinks: Sinks,
    width: int | None,
) -> list[Line]:
    """What is watched, the active ones first; then who is told, then what waits."""
    ordered = sorted(found, key=lambda each: (not each.level, each.kind.value, each.subject))
    watched = [
        [
            Cell("active" if each.level else "ok", Style.ODD if each.level else Style.GOOD),
            Cell(each.kind.value),
            Cell(one_line(each.message)),
        ]
        for each in ordered
    ]
    columns = (Column("state"), Column("kind", rank=1), Column("how it stands", flexible=True))
    lines = lay_out(columns, watched, width=width, header=True)
    told = [[Cell(one_line(n)), Cell(k), Cell(one_line(w))] for n, (k, w) in sinks.items()]
    heads = (Column("told"), Column("by", rank=1), Column("where", flexible=True))
    lines += [(), *lay_out(heads, told, width=width, header=True)]
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
    found: Sequence[Standing], waiting: Sequence[tuple[Parcel, str]], *, sinks: Sinks
) -> dict[str, object]:
    """JSON types."""
    return {
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


def deliveries_table(
    deliveries: Sequence[Delivery], sinks: Sinks, *, width: int | None
) -> list[Line]:
    """One line for each sink."""
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
    return lay_out(columns, rows, width=width, header=True)


def delivery_to_dict(each: Delivery, sinks: Sinks) -> dict[str, object]:
    """JSON types."""
    return {
        "sink": each.sink,
        "kind": sinks[each.sink][0],
        "arrived": each.problem is None,
        "elapsed_ms": each.elapsed_ms,
        "problem": each.problem,
    }


def _style(each: Delivery) -> Style:
    return Style.GOOD if each.problem is None else Style.BAD
