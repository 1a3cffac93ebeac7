"""What standard output and standard error are: terminals, pipes, files; how wide; which colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from ultrai.cli.render.palette import Palette

_LEAST_WIDTH = 20


class ReaderGone(Exception):
    """Nobody reads the output any more (`| head`); not an error, but a reason to end."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """One of the two streams. `size` gives columns and rows as they are now.

    `is_terminal`: a person reads it as it comes. `redraws`: lines may be drawn over.
    """

    stream: TextIO
    is_terminal: bool
    redraws: bool
    palette: Palette
    size: Callable[[], tuple[int, int]]

    @property
    def width(self) -> int:
        """Columns now."""
        return max(_LEAST_WIDTH, self.size()[0])

    @property
    def table_width(self) -> int | None:
        """The width that tables must keep to; None in a pipe or file."""
        return self.width if self.is_terminal else None

    def write(self, text: str) -> None:
        """Write and flush. Raises ReaderGone when nobody reads it any more."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except BrokenPipeError as error:
            raise ReaderGone from error


def standard_output(*, plain: bool = False) -> Terminal:
    """What stands behind `sys.stdout`."""
    return _inspect(sys.stdout, plain=plain)


def standard_error(*, plain: bool = False) -> Terminal:
    """What stands behind `sys.stderr`."""
    return _inspect(sys.stderr, plain=plain)


def standard_input_is_terminal() -> bool:
    """Whether a person would have to type what is read from standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def prepare_streams() -> None:
    """Let no character that an encoding lacks end the program: it is replaced instead."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def abandon_output() -> None:
    """Point standard output at nothing once its reader has gone, so that exit stays quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _inspect(stream: TextIO, *, plain: bool) -> Terminal:
    # rich knows NO_COLOR, TERM and the terminal's size on every system; the environment is its.
    from rich.console import Console

    console = Console(file=stream)
    is_terminal = stream.isatty()
    redraws = is_terminal and not plain and not console.is_dumb_terminal
    palette = Palette(
        colour=redraws and not console.no_color,
        unicode="utf" in (stream.encoding or "").lower(),
    )
    return Terminal(
        stream=stream,
        is_terminal=is_terminal,
        redraws=redraws,
        palette=palette,
        size=lambda: _own_size(stream) or (console.size.width, console.size.height),
    )


def _own_size(stream: TextIO) -> tuple[int, int] | None:
    """Columns and rows of the terminal itself: a stale COLUMNS would garble what is redrawn."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # no terminal, or no file at all
        return None
    return (size.columns, size.lines) if size.columns and size.lines else None
