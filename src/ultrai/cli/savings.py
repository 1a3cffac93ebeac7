"""`ultrai savings`: what was not spent, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import UsageError

if TYPE_CHECKING:
    from ultrai.domain.saving import Saving

_MOST_RUNS = 100_000


@click.command("savings", cls=UltraiCommand)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, _MOST_RUNS),
    default=1000,
    show_default=True,
    metavar="N",
    help="Of the newest N runs.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@click.pass_obj
def command(wishes: Wishes, *, limit: int, as_json: bool, as_csv: bool) -> int:
    """Show what the cache, fitting and the upstream's cache saved, with the method of each figure.

    What nobody knows is said, and is never 0. Asks no model.
    """
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.savings import savings_csv, savings_lines
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other", hint="choose one of them")
    runs, savings = run_async(_savings(wishes, limit))
    output = standard_output()
    if as_json:
        write_json({"runs": runs, "savings": [saving.to_dict() for saving in savings]})
    elif as_csv:
        output.write(savings_csv(savings))
    else:
        write_lines(output, savings_lines(savings, runs=runs, width=output.table_width))
    return 0


async def _savings(wishes: Wishes, limit: int) -> tuple[int, Sequence[Saving]]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.savings(limit=limit)
