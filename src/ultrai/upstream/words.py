"""Makes text from outside fit to keep and to print."""

from __future__ import annotations

from typing import Final

LONGEST_MESSAGE: Final = 500
_REPLACEMENT: Final = "\ufffd"


def keepable(text: str) -> str:
    """`text` without NULs and lone surrogates: it can be encoded, stored and shown."""
    if "\x00" in text:
        text = text.replace("\x00", _REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def one_line(text: str, *, longest: int = LONGEST_MESSAGE) -> str:
    """`text` on one line, without control characters, cut with an ellipsis at `longest`."""
    # Far beyond what is kept nothing is looked at: an error body may be a quarter of a megabyte.
    head = keepable(text[: 20 * longest])
    printable = "".join(c if c.isprintable() else " " for c in head)
    line = " ".join(printable.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
