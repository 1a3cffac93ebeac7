"""`ultrai export`: a past run as a document."""

from __future__ import annotations

from pathlib import Path

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import UsageError

_FORMATS = ("md", "json", "html")


@click.command("export", cls=UltraiCommand)
@click.argument("run")
@click.option(
    "--format", "shape", type=click.Choice(_FORMATS), help="Default: by the file's name, else md."
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to this file instead of standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_obj
def command(
    wishes: Wishes, *, run: str, shape: str | None, path: Path | None, as_json: bool
) -> int:
    """Write a past run as Markdown, JSON or a web page that needs nothing else.

    RUN is its id, the beginning of it, or 'last'.
    """
    from ultrai.cli.output import write_text
    from ultrai.cli.past import read_report
    from ultrai.cli.render.document import render_document
    from ultrai.cli.terminal import standard_error, standard_output

    if as_json and shape not in (None, "json"):
        raise UsageError(f"--json and --format {shape} exclude each other", hint="choose one")
    chosen = "json" if as_json else shape or _shape_of(path)
    text = render_document(read_report(wishes, run), chosen)
    if path is None:
        standard_output().write(text)
        return 0
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"cannot write {path}: {reason}", hint="choose another file") from error
    write_text(standard_error(), f"written: {path}")
    return 0


def _shape_of(path: Path | None) -> str:
    endings = {".html": "html", ".htm": "html", ".json": "json"}
    return endings.get(path.suffix.lower(), "md") if path else "md"
