"""`ultrai doctor`: are the cocktails' ids still what they were, and is all ready for others?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ultrai.cli.exits import DEGRADED, DONE
from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ultrai.domain.overview import Check, Finding


@click.command("doctor", cls=UltraiCommand)
@click.option("--write", is_flag=True, help="Put what serves instead into your settings.")
@click.option("--production", is_flag=True, help="Look at key, budgets, home and ledger instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(wishes: Wishes, *, write: bool, production: bool, as_json: bool) -> int:
    """Check every model of every cocktail against the live catalogue.

    Says what is gone, expires soon, changed its price or has too small a window, and what would
    serve instead. Exit code 3 when a model is gone and nothing serves instead.

    With --production: what you can get wrong before others depend on it. Exit code 3 when something
    is wrong.
    """
    if production:
        if write:
            raise UsageError("--write is for models", hint="leave it out, or --production")
        return _inspect(wishes, as_json=as_json)
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


def _inspect(wishes: Wishes, *, as_json: bool) -> int:
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.phrases import count
    from ultrai.cli.render.readiness import checks_table
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error, standard_output

    checks = run_async(_inspected(wishes))
    if as_json:
        write_json({"checks": [check.to_dict() for check in checks]})
    else:
        output = standard_output()
        write_lines(output, checks_table(checks, width=output.table_width))
        well = sum(check.severity == "ok" for check in checks)
        write_text(standard_error(), f"{well} of {count(len(checks), 'check')} are well")
    return DEGRADED if any(check.severity == "error" for check in checks) else DONE


async def _inspected(wishes: Wishes) -> Sequence[Check]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.inspect()


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
