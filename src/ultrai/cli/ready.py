"""`ultrai ready`: which models of the cocktails can be asked now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import UsageError

if TYPE_CHECKING:
    from ultrai.domain.overview import ProbeResult, ReadinessRow


@click.command("ready", cls=UltraiCommand)
@click.option("--probe", is_flag=True, help="Send each a request for one token; this may cost.")
@click.option("--yes", is_flag=True, help="Do not ask before probing.")
@click.option("--refresh", is_flag=True, help="Fetch the catalogue anew first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(wishes: Wishes, *, probe: bool, yes: bool, refresh: bool, as_json: bool) -> int:
    """Show whether each model of every cocktail can be asked now; if not, why and until when."""
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.readiness import readiness_table, readiness_totals
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error, standard_output

    rows = run_async(_readiness(wishes, refresh=refresh))
    output = standard_output()
    if not as_json:
        write_lines(output, readiness_table(rows, width=output.table_width))
        write_text(standard_error(), readiness_totals(rows))
    results: Sequence[ProbeResult] = ()
    if probe:
        results = _probe(wishes, [row.model for row in rows if row.ready], yes=yes, quiet=as_json)
    if as_json:
        value: dict[str, object] = {"models": [row.to_dict() for row in rows]}
        if probe:
            value["probes"] = [result.to_dict() for result in results]
        write_json(value)
    return 0


async def _readiness(wishes: Wishes, *, refresh: bool) -> Sequence[ReadinessRow]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.readiness(refresh=refresh)


def _probe(
    wishes: Wishes, model_ids: Sequence[str], *, yes: bool, quiet: bool
) -> Sequence[ProbeResult]:
    from ultrai.cli.output import write_text
    from ultrai.cli.render.phrases import count, money
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error, standard_input_is_terminal

    error = standard_error()
    if not model_ids:
        write_text(error, "no model is ready, so none is probed")
        return ()
    bound = run_async(_probe_cost(wishes, model_ids))
    cost = "a price is unknown" if bound is None else f"at most {money(bound)}"
    write_text(error, f"probing sends {count(len(model_ids), 'request')} of one token: {cost}")
    if not yes:
        if not (error.is_terminal and standard_input_is_terminal()):
            raise UsageError(
                "--probe spends money and nobody can be asked here", hint="add --yes to allow it"
            )
        if not click.confirm("probe now?", default=False, err=True):
            write_text(error, "nothing was sent")
            return ()
    return run_async(_probe_all(wishes, model_ids, quiet=quiet))


async def _probe_cost(wishes: Wishes, model_ids: Sequence[str]) -> int | None:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.probe_cost(model_ids)


async def _probe_all(
    wishes: Wishes, model_ids: Sequence[str], *, quiet: bool
) -> Sequence[ProbeResult]:
    from ultrai.cli.output import write_lines
    from ultrai.cli.render.readiness import probe_line
    from ultrai.cli.session import open_session
    from ultrai.cli.terminal import standard_output

    output = standard_output()
    results: list[ProbeResult] = []
    async with open_session(wishes) as session:
        async for result in session.probe(model_ids):
            results.append(result)
            if not quiet:
                write_lines(output, [probe_line(result)])
    return results
