"""`ultrai cost`: what was spent, and whether the ledger holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from ultrai.cli.wishes import GroupThatActs, UltraiCommand, Wishes
from ultrai.domain.errors import UsageError
from ultrai.domain.spending import DIMENSIONS

if TYPE_CHECKING:
    from ultrai.domain.chart import Burn
    from ultrai.domain.drift import DailySpending, Drift
    from ultrai.domain.spending import Audit, ChainHead, Spending
    from ultrai.store.spending import Wanted

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_HEAD = re.compile(r"([^:\s]+):(\d+):([0-9a-f]{64})")


class _CostFlags(TypedDict):
    """What click hands over."""

    by: str
    since: str | None
    until: str | None
    run: str | None
    model: str | None
    tag: str | None
    user: str | None
    feature: str | None
    environment: str | None
    as_json: bool
    as_csv: bool
    plot: Path | None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return _DAY.fullmatch(text) is not None


@click.group("cost", cls=GroupThatActs, invoke_without_command=True)
@click.option(
    "--by",
    metavar="DIMENSION",
    default="model",
    show_default=True,
    help=f"{', '.join(DIMENSIONS)}, or tag:NAME.",
)
@click.option("--since", metavar="DAY", help="From this day on (2026-11-26, UTC).")
@click.option("--until", metavar="DAY", help="Up to and with this day.")
@click.option("--run", metavar="RUN", help="Only this run.")
@click.option("--model", metavar="ID", help="Only this model.")
@click.option("--tag", metavar="NAME[=TEXT]", help="Only runs with this tag.")
@click.option("--user", metavar="NAME", help="Only this user.")
@click.option("--feature", metavar="NAME", help="Only this feature.")
@click.option("--environment", metavar="NAME", help="Only this profile.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw it, as FILE.svg or FILE.png: by day and model, per answer, and the budgets.",
)
@click.pass_context
def command(context: click.Context, /, **flags: Unpack[_CostFlags]) -> int:
    """Show what was spent, to the nanodollar; what is not known is said, and is never 0."""
    if context.invoked_subcommand is not None:
        return 0
    from ultrai.cli.running import run_async
    from ultrai.store.spending import Wanted

    if flags["as_json"] and flags["as_csv"]:
        raise UsageError("--json and --csv exclude each other", hint="choose one of them")
    for name in ("since", "until"):
        day = flags[name]
        if day is not None and not _is_day(day):
            raise UsageError(f"--{name} {day!r} is no day", hint="write it as 2026-11-26")
    wanted = Wanted(
        since=flags["since"],
        until=flags["until"],
        run=flags["run"],
        model=flags["model"],
        environment=flags["environment"],
        user=flags["user"],
        feature=flags["feature"],
        tag=flags["tag"],
    )
    wishes: Wishes = context.obj
    if flags["plot"] is not None:
        from ultrai.cli.render.plot import check_plot

        check_plot(flags["plot"])
    spent = run_async(_spending(wishes, flags["by"], wanted=wanted, burns=bool(flags["plot"])))
    _write(spent, by=flags["by"], as_json=flags["as_json"], as_csv=flags["as_csv"])
    if flags["plot"] is not None:
        _draw(spent, flags["plot"])
    return 0


@command.command("drift", cls=UltraiCommand)
@click.option(
    "--days",
    type=click.IntRange(1, 30),
    default=30,
    show_default=True,
    metavar="N",
    help="So many completed days.",
)
@click.option(
    "--within",
    metavar="USD",
    default="0",
    help="Let differences of up to so much pass.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def drift(wishes: Wishes, *, days: int, within: str, as_json: bool) -> int:
    """Compare the ledger with what the upstream has counted for the key in use.

    By today, week, month and ever; with a management key (OPENROUTER_MANAGEMENT_KEY) also by
    completed day and model. All days are UTC. Exit 4 for a difference that nothing explains.
    """
    from ultrai.cli.exits import NO_ANSWER
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.drift import drift_lines
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output
    from ultrai.domain.money import parse_usd

    try:
        pass_nanos = parse_usd(within)
    except ValueError as error:
        raise UsageError(f"--within: {error}", hint="for example: 0.01") from None
    found = run_async(_drift(wishes, days))
    wrong = [row for row in found.unexplained if abs(row.unexplained_nanos) > pass_nanos]
    if as_json:
        write_json({**found.to_dict(), "passes": not wrong})
    else:
        output = standard_output()
        write_lines(output, drift_lines(found, wrong, width=output.table_width))
    return NO_ANSWER if wrong else 0


@command.command("verify", cls=UltraiCommand)
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="WRITER:SEQ:HASH",
    help="A head that was kept elsewhere; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def verify(wishes: Wishes, *, heads: tuple[str, ...], as_json: bool) -> int:
    """Recompute the ledger's chain of hashes; exit 4 if an entry was changed or removed.

    The heads that it prints stand for every entry so far: keep them elsewhere, and hand them back
    later with --head.
    """
    from ultrai.cli.exits import NO_ANSWER
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.spending import audit_lines
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output

    audit = run_async(_audit(wishes, [_head(text) for text in heads]))
    if as_json:
        write_json(audit.to_dict())
    else:
        output = standard_output()
        write_lines(output, audit_lines(audit, width=output.table_width))
    return NO_ANSWER if audit.problems else 0


def _head(text: str) -> ChainHead:
    from ultrai.domain.spending import ChainHead

    match = _HEAD.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--head {text!r} is no head", hint="give what `ultrai cost verify` printed"
        )
    return ChainHead(match.group(1), int(match.group(2)), match.group(3))


@dataclass(frozen=True, slots=True)
class _Spent:
    """What was asked for, by its dimension and by day, and the Budgets where they are drawn."""

    rows: Sequence[Spending]
    daily: Sequence[DailySpending]
    burns: Sequence[Burn] = ()


async def _spending(wishes: Wishes, by: str, *, wanted: Wanted, burns: bool) -> _Spent:
    from ultrai.cli.past import run_id_of
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        if wanted.run is not None:
            report = await session.report(await run_id_of(session, wanted.run))
            wanted = replace(wanted, run=report.id)
        books = await session.books()
        return _Spent(
            await books.spending(by, wanted),
            await books.daily(wanted),
            await books.burns() if burns else (),
        )


async def _drift(wishes: Wishes, days: int) -> Drift:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.drift(days=days)


async def _audit(wishes: Wishes, heads: Sequence[ChainHead]) -> Audit:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await (await session.books()).verify(heads)


def _draw(spent: _Spent, path: Path) -> None:
    from ultrai.cli.output import write_text
    from ultrai.cli.render.plot import draw
    from ultrai.cli.terminal import standard_error
    from ultrai.policy.charting import chart_of

    if spent.daily:
        draw(chart_of(spent.daily), spent.burns, path=path)
    words = f"written: {path}" if spent.daily else f"there is nothing to draw in {path}"
    write_text(standard_error(), words)


def _write(spent: _Spent, *, by: str, as_json: bool, as_csv: bool) -> None:
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.spending import days_line, spending_csv, spending_table
    from ultrai.cli.terminal import standard_error, standard_output
    from ultrai.domain.spending import total

    output, rows = standard_output(), spent.rows
    if as_json:
        groups = [row.to_dict() for row in rows]
        write_json({"by": by, "groups": groups, "total": total(list(rows)).to_dict()})
    elif as_csv:
        output.write(spending_csv(rows, by=by))
    elif rows:
        width = output.table_width
        days = days_line(spent.daily, width=width) if by != "day" else []
        write_lines(output, [*spending_table(rows, by=by, width=width), *days])
    else:
        write_text(standard_error(), "nothing was spent; 'ultrai ask' asks")
