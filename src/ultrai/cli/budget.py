"""`ultrai budget`: ceilings on what is spent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from ultrai.cli.wishes import AmountCommand, GroupThatActs, Wishes
from ultrai.domain.errors import NotFound, UsageError
from ultrai.domain.money import parse_usd

if TYPE_CHECKING:
    from ultrai.domain.budget import Budget, BudgetState
    from ultrai.settings.model import Settings

_PERIODS = ("run", "hour", "day", "week", "month", "total")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=/@-]{0,99}")


class _SetFlags(TypedDict):
    """What click hands over."""

    words: tuple[str, ...]
    limit: str | None
    period: str | None
    scope: str | None
    tag: str | None
    hard: bool | None
    as_json: bool


@click.group("budget", cls=GroupThatActs, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON object.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> int:
    """Set, list and remove ceilings on what is spent; alone: list them.

    All budgets that fit a run hold for it. A hard one is never exceeded: what a run may cost is
    reserved before anything is sent, and a run that does not fit is refused (exit 5).
    """
    if context.invoked_subcommand is None:
        return _list(context.obj, as_json=as_json)
    return 0


@command.command("set", cls=AmountCommand)
@click.argument("words", nargs=-1, metavar="[NAME] USD")
@click.option("--limit", metavar="USD", help="The ceiling, instead of the last argument.")
@click.option(
    "--per",
    "--period",
    "period",
    type=click.Choice(_PERIODS, case_sensitive=False),
    help="How long it holds before it starts anew, in UTC. Default: total.",
)
@click.option(
    "--scope",
    metavar="SCOPE",
    help="global (the default), key, environment, user:NAME, feature:NAME or tag:NAME=TEXT; "
    "key:FINGERPRINT and environment:NAME name another than the present one.",
)
@click.option("--tag", metavar="NAME=TEXT", help="The same as --scope tag:NAME=TEXT.")
@click.option(
    "--hard/--soft", "hard", default=None, help="Refuse what does not fit (default), or only warn."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def set_(wishes: Wishes, /, **flags: Unpack[_SetFlags]) -> int:
    """Make a budget, or change it; one that was closed is open again.

    Of one that is there already, what is not given stays as it is. What was spent in its present
    period counts. Without NAME it is called after its scope and period, such as 'global-day'.
    """
    from ultrai.cli.running import run_async

    state = run_async(_set(wishes, flags))
    _show([state], as_json=flags["as_json"], alone=True)
    return 0


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def list_(wishes: Wishes, *, as_json: bool) -> int:
    """List the budgets, with what each has spent and has left now."""
    return _list(wishes, as_json=as_json)


def _list(wishes: Wishes, *, as_json: bool) -> int:
    from ultrai.cli.output import write_text
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error

    states = run_async(_states(wishes))
    if not states and not as_json:
        write_text(standard_error(), "no budgets; set one with 'ultrai budget set 5.00 --per day'")
        return 0
    _show(states, as_json=as_json)
    return 0


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(wishes: Wishes, *, name: str, as_json: bool) -> int:
    """Show one budget."""
    from ultrai.cli.running import run_async

    states = [state for state in run_async(_states(wishes)) if state.budget.name == name]
    if not states:
        raise NotFound(f"there is no budget {name!r}", hint="list them with 'ultrai budget list'")
    _show(states, as_json=as_json, alone=True)
    return 0


@command.command("remove")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def remove(wishes: Wishes, *, name: str, as_json: bool) -> int:
    """Take a budget away; the ledger stays as it is."""
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error

    run_async(_remove(wishes, name))
    if as_json:
        write_json({"removed": name})
    else:
        write_text(standard_error(), f"budget {name} is gone")
    return 0


def _words(flags: _SetFlags) -> tuple[str | None, int]:
    """The name, if there is one, and the limit in nanodollars."""
    words = list(flags["words"])
    limit = flags["limit"]
    if limit is None:
        if not words:
            raise UsageError("no limit is given", hint="for example: ultrai budget set 5.00")
        limit = words.pop()
    if len(words) > 1:
        raise UsageError(f"{words[1]!r} is one word too many", hint="give [NAME] USD")
    try:
        nanos = parse_usd(limit)
    except ValueError as error:
        raise UsageError(str(error), hint="for example: ultrai budget set 5.00") from None
    return (words[0] if words else None), nanos


def _budget(flags: _SetFlags, settings: Settings, *, known: Sequence[Budget]) -> Budget:
    from ultrai.domain.budget import Budget, Period
    from ultrai.policy.scoping import read_scope

    name, nanos = _words(flags)
    former = next((budget for budget in known if budget.name == name), None)
    hard = flags["hard"]
    scope = flags["scope"] if flags["tag"] is None else f"tag:{flags['tag']}"
    if former is not None:
        period = former.period if flags["period"] is None else Period(flags["period"].lower())
        former = replace(
            former,
            period=period,
            limit_nanos=nanos,
            hard=former.hard if hard is None else hard,
            closed=False,
        )
        if scope is None:
            return former
    try:
        kind, subject = read_scope(
            scope or "global",
            key=settings.key_identity,
            environment=settings.environment,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    if former is not None:
        return replace(former, scope=kind, subject=subject)
    period = Period((flags["period"] or "total").lower())
    name = name or "-".join(filter(None, (kind.value, subject, period.value)))
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a budget cannot be called {name!r}", hint="use letters, digits, dots and dashes"
        )
    return Budget(name, kind, subject, period, nanos, hard=hard is not False)


async def _set(wishes: Wishes, flags: _SetFlags) -> BudgetState:
    from ultrai.cli.session import open_session

    _words(flags)  # what is no amount needs no database to be refused
    async with open_session(wishes) as session:
        books = await session.books()
        known = [state.budget for state in await books.budgets()]
        budget = _budget(flags, session.settings, known=known)
        await books.set_budget(budget)
        states = await books.budgets()
    return next(state for state in states if state.budget.name == budget.name)


async def _states(wishes: Wishes) -> Sequence[BudgetState]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await (await session.books()).budgets()


async def _remove(wishes: Wishes, name: str) -> None:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        await (await session.books()).remove_budget(name)


def _show(states: Sequence[BudgetState], *, as_json: bool, alone: bool = False) -> None:
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.budgets import budget_lines, budgets_table
    from ultrai.cli.terminal import standard_output

    if as_json:
        rows = [state.to_dict() for state in states]
        write_json(rows[0] if alone else {"budgets": rows})
        return
    output = standard_output()
    if alone:
        write_lines(output, budget_lines(states[0], width=output.table_width))
    else:
        write_lines(output, budgets_table(states, width=output.table_width))
