"""Server-sent events: bytes in, payloads out, however the network cuts them.

Theory of operation. A stream is lines; `data:` lines make up an event and a blank line ends it
(https://html.spec.whatwg.org/multipage/server-sent-events.html). The parser keeps three things
between reads: the pieces of an unfinished line, the `data` lines of an unfinished event, and
whether a CR has just ended a line, so that the LF of a CRLF is not taken for a blank one. Pieces
are joined only when their line ends: cost is linear in bytes, however small the reads. The usual
read holds whole `data: …` frames and nothing else; it is recognised by counting its newlines and
split without looking at lines one by one.

An event that the stream's end cuts off is not dispatched, as the standard has it; `leftover` hands
out what there is, for a caller who can tell a whole payload from a torn one.

What it does not know: JSON, `[DONE]`, HTTP, time. `event:`, `id:` and `retry:` are ignored.
"""

from __future__ import annotations

from typing import Final

MAX_EVENT_BYTES: Final = 1_000_000
"""The longest line, and the longest event, that is accepted."""

_BOM: Final = b"\xef\xbb\xbf"


class EventTooLong(Exception):
    """A line or an event passed `MAX_EVENT_BYTES`; the stream cannot be read further."""


class EventParser:
    """Turns one stream of bytes into the payloads of its events, in order."""

    __slots__ = (
        "_after_cr",
        "_at_start",
        "_data",
        "_data_bytes",
        "_is_between",
        "_line",
        "_line_bytes",
    )

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._line_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_cr = False
        self._at_start = True
        self._is_between = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads that `chunk` completes. Raises EventTooLong."""
        if self._is_between and chunk.startswith(b"data: ") and chunk.endswith(b"\n\n"):
            payloads = _whole_frames(chunk)
            if payloads is not None:
                self._at_start = False
                return payloads
        payloads = self._feed_lines(chunk)
        self._is_between = not (self._line or self._data or self._after_cr)
        return payloads

    def leftover(self) -> bytes | None:
        """The payload of the event that the stream's end cut off, or None; may be torn."""
        data = list(self._data)
        value = _data_of(self._first(b"".join(self._line)))
        if value is not None:
            data.append(value)
        return b"\n".join(data) if data else None

    def _feed_lines(self, chunk: bytes) -> list[bytes]:
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = chunk.split(b"\n")
        payloads: list[bytes] = []
        for line in lines:
            if self._line:
                self._keep(line)
                self._end_line(b"".join(self._line), payloads)
                self._line.clear()
                self._line_bytes = 0
            else:
                self._end_line(line, payloads)
        if rest:
            self._keep(rest)
        return payloads

    def _keep(self, piece: bytes) -> None:
        self._line_bytes += len(piece)
        if self._line_bytes > MAX_EVENT_BYTES:
            raise EventTooLong
        self._line.append(piece)

    def _end_line(self, line: bytes, payloads: list[bytes]) -> None:
        line = self._first(line)
        self._at_start = False
        if not line:
            if self._data:
                payloads.append(b"\n".join(self._data))
                self._data.clear()
                self._data_bytes = 0
            return
        value = _data_of(line)
        if value is None:
            if len(line) > MAX_EVENT_BYTES:
                raise EventTooLong
            return
        self._data_bytes += len(value) + 1
        if self._data_bytes > MAX_EVENT_BYTES:
            raise EventTooLong
        self._data.append(value)

    def _first(self, line: bytes) -> bytes:
        return line.removeprefix(_BOM) if self._at_start else line


def _whole_frames(chunk: bytes) -> list[bytes] | None:
    """The payloads of a chunk from `data: ` to a blank line, if it is nothing but such frames."""
    if len(chunk) > MAX_EVENT_BYTES or b"\r" in chunk:
        return None
    if chunk.find(b"\n") == len(chunk) - 2:
        return [chunk[6:-2]]
    payloads = chunk[6:-2].split(b"\n\ndata: ")
    return payloads if chunk.count(b"\n") == 2 * len(payloads) else None


def _data_of(line: bytes) -> bytes | None:
    """The value of a `data` line, without the one space that may precede it; else None."""
    if line.startswith(b"data:"):
        return line[6:] if line.startswith(b" ", 5) else line[5:]
    return b"" if line == b"data" else None
