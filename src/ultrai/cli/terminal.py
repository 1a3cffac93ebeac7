"""What standard output and standard error are: terminals, pipes, files; how wide; which colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from ultrai.cli.render.palette import Palette
from ultrai.domain.errors import UltraiError

_LEAST_WIDTH = 20


class ReaderGone(Exception):
    """Nobody reads the output any more (`| head`); not an error, but a reason to end."""


class OutputLost(UltraiError):
    """Standard output cannot be written, as on a full disk."""

    code = "output_lost"


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
        """Write and flush. Raises ReaderGone when nobody reads it any more.

        Raises OutputLost when it cannot be written; what standard error cannot take is left out,
        as there is nowhere to complain and the answers count for more.
        """
        try:
            self.stream.write(text)
            self.stream.flush()
        except BrokenPipeError as error:
            raise ReaderGone from error
        except OSError as error:
            if self.stream is not sys.stderr:
                raise output_lost(error) from error


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


def open_closed_streams() -> None:
    """Give each standard stream that the caller closed (`>&-`) the null device.

    Otherwise the next file or socket would get its number and be written to as if it were one.
    To be called before anything is opened.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given out, and all below are taken by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - positional
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - open to the end


def flush_output() -> None:
    """Write what standard output still holds. Raises OutputLost, BrokenPipeError."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output_lost(error) from error


def output_lost(error: OSError) -> OutputLost:
    """What the system's error means for the person."""
    reason = error.strerror or type(error).__name__
    return OutputLost(f"standard output cannot be written: {reason}")


def abandon_output() -> None:
    """Point standard output at nothing once it takes no more, so that exit stays quiet."""
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
