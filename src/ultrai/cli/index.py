"""`ultrai index`: folders whose files can be asked about."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ultrai.cli.exits import DEGRADED
from ultrai.cli.wishes import GroupThatActs, UltraiCommand, Wishes

if TYPE_CHECKING:
    from ultrai.assembly.indexes import Indexes
    from ultrai.cli.render.table import Line
    from ultrai.domain.index import IndexChange

_MB = 1_000_000


@click.group("index", cls=GroupThatActs, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> int:
    """Keep folders so that they can be asked about; alone: list what is kept."""
    return _list(context.obj, as_json=as_json) if context.invoked_subcommand is None else 0


@command.command("add", cls=UltraiCommand)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="What it is called; else the first folder's name.")
@click.option(
    "--exclude",
    "excluded",
    multiple=True,
    metavar="GLOB",
    help="Names or paths that are left out, such as '*.log'; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def add(
    wishes: Wishes,
    *,
    paths: tuple[Path, ...],
    name: str | None,
    excluded: tuple[str, ...],
    as_json: bool,
) -> int:
    """Read folders and files into an index; again: read what has changed.

    Left out are hidden files, links, folders of packages and files that hold no text. Exit codes:
    0 done, 2 bad usage, 3 done but some files gave no text.
    """
    from ultrai.cli.render.index_progress import watched

    indexes = _indexes(wishes)
    with watched() as tell:
        called, change = indexes.add(paths, name=name, excluded=excluded, tell=tell)
    return _tell_change(indexes, called, change=change, as_json=as_json)


@command.command("update", cls=UltraiCommand)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each index.")
@click.pass_obj
def update(wishes: Wishes, *, names: tuple[str, ...], as_json: bool) -> int:
    """Read what has changed since; without a name in every index."""
    from ultrai.cli.render.index_progress import watched

    indexes = _indexes(wishes)
    code = 0
    for name in names or indexes.names():
        with watched() as tell:
            change = indexes.update(name, tell=tell)
        code = max(code, _tell_change(indexes, name, change=change, as_json=as_json))
    return code


@command.command("ls", cls=UltraiCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def list_(wishes: Wishes, *, as_json: bool) -> int:
    """List the indexes: their files, their size, when they were brought up to date."""
    return _list(wishes, as_json=as_json)


@command.command("show", cls=UltraiCommand)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(wishes: Wishes, *, name: str, as_json: bool) -> int:
    """List an index's files, and why some gave no text."""
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.index_tables import file_lines
    from ultrai.cli.terminal import standard_output

    indexes = _indexes(wishes)
    summary, files = indexes.summary(name), indexes.files(name)
    if as_json:
        write_json({**summary.to_dict(), "files": [each.to_dict() for each in files]})
        return 0
    output = standard_output()
    write_lines(output, file_lines(summary, files, width=output.table_width))
    return 0


@command.command("search", cls=UltraiCommand)
@click.argument("name")
@click.argument("words", nargs=-1, required=True)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 200),
    default=5,
    show_default=True,
    metavar="N",
    help="At most so many passages.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def search(wishes: Wishes, *, name: str, words: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Show the passages that have most to do with WORDS, which ask no model and cost nothing."""
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.index_tables import hit_lines
    from ultrai.cli.terminal import standard_output

    began_s = time.perf_counter()
    question = " ".join(words)
    hits = _indexes(wishes).search(name, question, limit=limit)
    took_ms = round((time.perf_counter() - began_s) * 1000)
    if as_json:
        write_json({"passages": [hit.to_dict() for hit in hits], "elapsed_ms": took_ms})
        return 0
    output = standard_output()
    if not hits:
        write_text(output, f"no passage of {name} has one of these words")
        return 0
    write_lines(output, hit_lines(hits, question=question, width=output.table_width))
    return 0


@command.command("rm", cls=UltraiCommand)
@click.argument("names", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def remove(wishes: Wishes, *, names: tuple[str, ...], as_json: bool) -> int:
    """Delete indexes; the files that they were made of stay."""
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.terminal import standard_output

    indexes = _indexes(wishes)
    for name in names:
        indexes.must_exist(name)
    for name in names:
        indexes.remove(name)
    if as_json:
        write_json({"deleted": list(names)})
    else:
        write_text(standard_output(), f"deleted: {', '.join(names)}")
    return 0


def _indexes(wishes: Wishes) -> Indexes:
    from ultrai.assembly.indexes import Indexes

    return Indexes(wishes.load_settings())


def _list(wishes: Wishes, *, as_json: bool) -> int:
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.index_tables import index_lines
    from ultrai.cli.terminal import standard_output

    summaries = _indexes(wishes).summaries()
    if as_json:
        write_json({"indexes": [each.to_dict() for each in summaries]})
        return 0
    output = standard_output()
    if not summaries:
        write_text(output, "no index yet; make one: ultrai index add FOLDER")
        return 0
    write_lines(output, index_lines(summaries, width=output.table_width))
    return 0


def _tell_change(indexes: Indexes, name: str, *, change: IndexChange, as_json: bool) -> int:
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.index_tables import change_lines
    from ultrai.cli.terminal import standard_output

    summary = indexes.summary(name)
    if as_json:
        write_json({**summary.to_dict(), "change": change.to_dict()})
    else:
        output = standard_output()
        lines: Sequence[Line] = change_lines(summary, change, width=output.table_width)
        write_lines(output, lines)
    return DEGRADED if change.skipped else 0
