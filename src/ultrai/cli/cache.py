"""`ultrai cache`: what was answered before, and may answer again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import GroupThatActs, UltraiCommand, Wishes

if TYPE_CHECKING:
    from ultrai.cli.render.table import Line
    from ultrai.domain.kept import KeptRow

_HOUR_S = 3600.0
_MB = 1_000_000


@click.group("cache", cls=GroupThatActs, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> int:
    """List, count and delete the answers that are kept for the same request; alone: count."""
    return _count(context.obj, as_json=as_json) if context.invoked_subcommand is None else 0


@command.command("ls", cls=UltraiCommand)
@click.option("--model", metavar="ID", help="Only models with this in their id.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    metavar="N",
    help="At most so many, the newest first.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def list_(wishes: Wishes, *, model: str | None, limit: int, as_json: bool) -> int:
    """List what is kept: when, of which model, what it cost. The prompts are not kept."""
    from ultrai.assembly.caching import now_s, open_shelf
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.terminal import standard_output

    with closing(open_shelf(wishes.load_settings())) as shelf:
        rows = shelf.list_answers(limit=limit, model=model)
    if as_json:
        write_json({"answers": [row.to_dict() for row in rows]})
        return 0
    output = standard_output()
    if not rows:
        write_text(output, "nothing is kept")
        return 0
    write_lines(output, _table(rows, now_s=now_s(), width=output.table_width))
    return 0


@command.command("stats", cls=UltraiCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def stats(wishes: Wishes, *, as_json: bool) -> int:
    """Say how full the cache is, and by which settings."""
    return _count(wishes, as_json=as_json)


def _count(wishes: Wishes, *, as_json: bool) -> int:
    from ultrai.assembly.caching import open_shelf
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.render.phrases import count
    from ultrai.cli.terminal import standard_output

    settings = wishes.load_settings()
    with closing(open_shelf(settings)) as shelf:
        found = shelf.stats()
    if as_json:
        write_json(
            {
                **found.to_dict(),
                "path": str(shelf.path),
                "mode": settings.cache_mode,
                "ttl_s": settings.cache_ttl_s,
                "max_bytes": settings.cache_max_mb * _MB,
            }
        )
        return 0
    output = standard_output()
    size = f"{found.size / _MB:.1f} of at most {settings.cache_max_mb} MB"
    write_text(output, f"{count(found.count, 'answer')}, {size}")
    hours = f"{settings.cache_ttl_s / _HOUR_S:g} h"
    write_text(output, f"cache = {settings.cache_mode}; an answer is of use for {hours}")
    write_text(output, str(shelf.path))
    return 0


@command.command("clear", cls=UltraiCommand)
@click.option("--model", metavar="ID", help="Only models with this in their id.")
@click.option(
    "--older-than",
    "hours",
    type=click.FloatRange(min=0),
    metavar="HOURS",
    help="Only what was kept longer ago.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def clear(wishes: Wishes, *, model: str | None, hours: float | None, as_json: bool) -> int:
    """Delete kept answers; without flags all of them."""
    from ultrai.assembly.caching import now_s, open_shelf
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.render.phrases import count
    from ultrai.cli.terminal import standard_output

    before_s = None if hours is None else now_s() - hours * _HOUR_S
    with closing(open_shelf(wishes.load_settings())) as shelf:
        deleted = shelf.clear(model=model, before_s=before_s)
    if as_json:
        write_json({"deleted": deleted})
    else:
        write_text(standard_output(), f"{count(deleted, 'answer')} deleted")
    return 0


def _table(rows: Sequence[KeptRow], *, now_s: float, width: int | None) -> Sequence[Line]:
    from ultrai.cli.render.phrases import money
    from ultrai.cli.render.safety import one_line
    from ultrai.cli.render.table import Cell, Column, lay_out

    columns = (
        Column("age", "right"),
        Column("model", flexible=True),
        Column("cost", "right"),
        Column("bytes", "right", rank=1),
        Column("key", rank=2),
    )
    cells = [
        (
            Cell(_age(now_s - row.kept_s)),
            Cell(one_line(row.model)),
            Cell(money(row.cost_nanos)),
            Cell(str(row.size)),
            Cell(row.key[:12]),
        )
        for row in rows
    ]
    return lay_out(columns, cells, width=width, header=True)


def _age(seconds: float) -> str:
    hours, minutes = divmod(int(max(0.0, seconds)) // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
