"""`ultrai reconcile`: costs that did not arrive with their answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes

if TYPE_CHECKING:
    from ultrai.cli.terminal import Terminal
    from ultrai.engine.reconciling import Reconciled


@click.command("reconcile", cls=UltraiCommand)
@click.option("--watch", is_flag=True, help="Go on until no cost is open any more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(wishes: Wishes, *, watch: bool, as_json: bool) -> int:
    """Ask the upstream for costs that did not arrive with their answers.

    Attempts that were cut, cancelled or timed out, and those of a process that died, count at the
    most they may have cost until the upstream has told. It may take a while to know: what is not
    known ten minutes after it was first asked for stays 'unknown_billed'.
    """
    from ultrai.cli.alert_lines import alert_lines
    from ultrai.cli.running import run_async

    with alert_lines(at_once=True):
        run_async(_reconcile(wishes, watch=watch, as_json=as_json))
    return 0


async def _reconcile(wishes: Wishes, *, watch: bool, as_json: bool) -> None:
    from ultrai.cli.output import write_json
    from ultrai.cli.render.reconciling import finding_line, finding_to_dict, verdict_lines
    from ultrai.cli.session import open_session
    from ultrai.cli.terminal import standard_error, standard_output
    from ultrai.domain.money import format_usd

    last: dict[object, Reconciled] = {}
    async with open_session(wishes) as session:
        reconciliation = await session.reconciliation()
        waiting = await reconciliation.open_attempts()
        async for each in reconciliation.run(watch=watch):
            last[each.attempt.place] = each
            if not as_json:
                _write(standard_output(), finding_line(each))
        lasting = await (await session.books()).unknown_for_good()
    counts = Counter(each.finding for each in last.values())
    if as_json:
        write_json(
            {
                "open": len(waiting),
                **{finding.value: count for finding, count in counts.items()},
                "attempts": [finding_to_dict(each) for each in last.values()],
                "unknown_for_good": lasting[0],
                "unknown_for_good_usd_at_most": format_usd(lasting[1]),
            }
        )
        return
    for line in verdict_lines(counts, lasting, watch=watch):
        _write(standard_error(), line)


def _write(terminal: Terminal, text: str) -> None:
    """A line: wrapped on a terminal, whole in a file."""
    from ultrai.cli.output import write_lines
    from ultrai.cli.render.table import paragraph

    write_lines(terminal, paragraph(text, width=terminal.table_width))
