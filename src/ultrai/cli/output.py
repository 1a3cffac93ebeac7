"""Writing what a command was asked for: JSON, or tables and lines on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ultrai.cli.render.sheets import json_line
from ultrai.cli.render.strip import paint_line
from ultrai.cli.render.table import Cell, Line
from ultrai.cli.terminal import Terminal, standard_output

_INDENT = 2


def write_json(value: Mapping[str, object]) -> None:
    """One JSON object: indented for a person at a terminal, on one line for programs."""
    output = standard_output()
    output.write(json_line(value, indent=_INDENT if output.is_terminal else None))


def write_lines(output: Terminal, lines: Iterable[Line]) -> None:
    """Painted lines."""
    palette = output.palette
    output.write("".join(f"{paint_line(line, palette)}\n" for line in lines))


def write_text(output: Terminal, text: str) -> None:
    """A line in the characters that the terminal has."""
    write_lines(output, [(Cell(text),)])
