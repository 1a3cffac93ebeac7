"""`ultrai doctor`: are the cocktails' ids still what they were?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ultrai.cli.exits import DEGRADED, DONE
from ultrai.cli.wishes import UltraiCommand, Wishes

if TYPE_CHECKING:
    from pathlib import Path

    from ultrai.domain.overview import Finding


@click.command("doctor", cls=UltraiCommand)
@click.option("--write", is_flag=True, help="Put what serves instead into your settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(wishes: Wishes, *, write: bool, as_json: bool) -> int:
    """Check every model of every cocktail against the live catalogue.

    Says what is gone, expires soon, changed its price or has too small a window, and what would
    serve instead. Exit code 3 when a model is gone and nothing serves instead.
    """
    from ultrai.cli.output import write_json
    from ultrai.cli.running import run_async

    findings = run_async(_diagnose(wishes))
    written = _write(wishes, findings) if write else {}
    if as_json:
        files = [str(path) for path in written]
        write_json({"findings": [f.to_dict() for f in findings], "written": files})
    else:
        _show(findings, written, write=write)
    return DEGRADED if any(finding.severity == "error" for finding in findings) else DONE


async def _diagnose(wishes: Wishes) -> Sequence[Finding]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.diagnose()


def _write(wishes: Wishes, findings: Sequence[Finding]) -> Mapping[Path, Path | None]:
    from ultrai.cli.amending import amend_settings

    replacements = {f.model: f.replacement for f in findings if f.replacement is not None}
    return amend_settings(wishes.load_settings(), replacements)


def _show(findings: Sequence[Finding], written: Mapping[Path, Path | None], *, write: bool) -> None:
    from ultrai.cli.output import write_lines, write_text
    from ultrai.cli.render.phrases import count
    from ultrai.cli.render.readiness import findings_table
    from ultrai.cli.terminal import standard_error, standard_output

    output, error = standard_output(), standard_error()
    wrong = [finding for finding in findings if finding.severity != "ok"]
    if wrong:
        write_lines(output, findings_table(wrong, width=output.table_width))
    well = len({f.model for f in findings} - {f.model for f in wrong})
    write_text(error, f"{count(well, 'model')} as expected, {count(len(wrong), 'finding')}")
    for path, former in written.items():
        kept = f" (as it was: {former})" if former else ""
        write_text(error, f"written: {path}{kept}")
    if write and not written:
        write_text(error, "nothing to write: no id has a replacement")
    elif not write and any(finding.replacement for finding in wrong):
        write_text(error, "'ultrai doctor --write' puts the replacements into your settings")
