"""`ultrai metrics`: what monitors read, from the ledger of all processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import UsageError

if TYPE_CHECKING:
    from ultrai.domain.metering import Meters


@click.command("metrics", cls=UltraiCommand)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it there, all at once, as node_exporter's textfile collector wants it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(wishes: Wishes, *, output: Path | None, as_json: bool) -> int:
    """Print what a monitor counts, in Prometheus' text format: attempts, tokens, cost, budgets.

    The figures come from the ledger: they hold for all processes and never start anew. Needs the
    extra 'prometheus'.
    """
    from ultrai.assembly.monitoring import check_prometheus
    from ultrai.cli.output import write_json
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output

    check_prometheus()
    from ultrai.signals.exposition import ledger_registry, samples_of, text_of, write_text

    if output is not None and as_json:
        raise UsageError("--json and --output exclude each other", hint="choose one of them")
    registry = ledger_registry(run_async(_meters(wishes)))
    if as_json:
        write_json({"samples": [sample.to_dict() for sample in samples_of(registry)]})
    elif output is None:
        standard_output().write(text_of(registry))
    else:
        try:
            write_text(output, text_of(registry))
        except OSError as error:
            raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    return 0


async def _meters(wishes: Wishes) -> Meters:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await (await session.books()).meters()
