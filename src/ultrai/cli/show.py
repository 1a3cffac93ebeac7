"""`ultrai show`: a past run."""

from __future__ import annotations

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import UsageError


@click.command("show", cls=UltraiCommand)
@click.argument("run")
@click.option("--failed-only", is_flag=True, help="Only the slots without an answer.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Its events, one line each.")
@click.pass_obj
def command(wishes: Wishes, *, run: str, failed_only: bool, as_json: bool, as_jsonl: bool) -> int:
    """Show a past run. RUN is its id, the beginning of it, or 'last'."""
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.past import read_events, read_report
    from ultrai.cli.render.past import report_lines
    from ultrai.cli.render.sheets import json_line
    from ultrai.cli.terminal import standard_output

    if as_jsonl and (as_json or failed_only):
        raise UsageError("--jsonl goes with neither --json nor --failed-only", hint="choose one")
    output = standard_output()
    if as_jsonl:
        for event in read_events(wishes, run):
            output.write(json_line(event.to_dict()))
        return 0
    report = read_report(wishes, run)
    if as_json:
        shape = report.to_dict()
        if failed_only:
            unanswered = [slot.to_dict() for slot in report.slots if slot.answer is None]
            shape = {**shape, "slots": unanswered}
        write_json(shape)
        return 0
    write_lines(output, report_lines(report, failed_only=failed_only, width=output.table_width))
    return 0
