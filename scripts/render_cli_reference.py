"""Writes docs/reference-cli.md from the commands themselves.

Run it with the Python of `.venv`. A test compares the page with what this script would write, so
the page cannot fall behind.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from unittest import mock

import click

from ultrai.cli.app import root
from ultrai_sim.__main__ import main as simulator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference-cli.md"
WIDTH = 88
_HEAD = """\
# Command line

This page is generated: `python scripts/render_cli_reference.py` writes it from the commands. What
the exit codes mean is in [failures](failures.md#status-of-a-run-and-exit-codes), what the flags
default to in [settings](settings.md).

Answers and JSON go to standard output, everything else to standard error. There is no colour and no
redrawing where standard error is not a terminal, or with `--plain`; with `NO_COLOR` set, no colour.
`--config` and `--debug` stand before or after the command.
"""


def render() -> str:
    """The whole page: the help of every command, in the order of `ultrai --help`."""
    sections = [f"## {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in _helps()]
    return "\n".join([_HEAD, *sections])


def _helps() -> Iterator[tuple[str, str]]:
    context = click.Context(root, info_name="ultrai", terminal_width=WIDTH, **root.context_settings)
    yield "ultrai", root.get_help(context)
    yield from _below(root, context)


def _below(group: click.Group, context: click.Context) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, context, info_name=name, terminal_width=WIDTH)
        path = f"{context.command_path} {name}"
        # The simulator reads its own flags, with argparse: it shares nothing with the rest.
        yield path, _simulator_help() if name == "sim" else command.get_help(inner)
        if isinstance(command, click.Group):
            yield from _below(command, inner)


def _simulator_help() -> str:
    text = io.StringIO()
    with (
        mock.patch.dict("os.environ", {"COLUMNS": str(WIDTH), "NO_COLOR": "1"}),
        redirect_stdout(text),
        suppress(SystemExit),
    ):
        simulator(["--help"])
    return text.getvalue()


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
