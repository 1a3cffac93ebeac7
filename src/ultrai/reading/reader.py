"""Reads files: READ THIS FIRST. A snapshot of the bytes, their format, then the text."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from ultrai.reading.converter import Converter
from ultrai.reading.decoding import decode
from ultrai.reading.reading import Format, Limits, Reading
from ultrai.reading.snapshot import read_snapshot
from ultrai.reading.sniffing import format_of


class Reader:
    """Turns files into text, one after another. Blocks; to be closed, or used with `with`.

    Text and code are read here; what must be parsed, in a child process with a deadline and a
    bound on its memory, since it may have been made to harm.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._converter = Converter(self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, path: Path) -> Reading:
        """The text of one file. Raises Unreadable."""
        return self.interpret(read_snapshot(path, self._limits), name=str(path))

    def interpret(self, data: bytes, *, name: str) -> Reading:
        """The text in the bytes of a file of that name. Raises Unreadable."""
        kind = format_of(name, data)
        if kind is Format.TEXT or not data:
            return Reading(decode(data, name), Format.TEXT)
        return self._converter.convert(data, kind, name=name)

    def close(self) -> None:
        """End the child process."""
        self._converter.close()
