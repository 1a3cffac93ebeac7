"""`ultrai history`: past runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes

if TYPE_CHECKING:
    from ultrai.domain.report import RunSummary

_DEFAULT_LIMIT = 20
_MOST = 10_000


@click.command("history", cls=UltraiCommand)
@click.option("-q", "--query", "text", metavar="TEXT", help="Only runs that hold this text.")
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST),
    default=_DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="At most N runs.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(wishes: Wishes, *, text: str | None, limit: int, as_json: bool) -> int:
    """List past runs, newest first."""
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.past import history_table
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error, standard_output

    runs = run_async(_runs(wishes, limit=limit, text=text))
    if as_json:
        write_json({"runs": [run.to_dict() for run in runs]})
    elif runs:
        output = standard_output()
        write_lines(output, history_table(runs, width=output.table_width))
    else:
        found = f"no run holds {text!r}" if text else "no runs yet"
        write_text(standard_error(), f"{found}; 'ultrai ask' makes one")
    return 0


async def _runs(wishes: Wishes, *, limit: int, text: str | None) -> Sequence[RunSummary]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.runs(limit=limit, containing=text)
