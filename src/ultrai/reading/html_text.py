"""HTML to Markdown: headings, lists, tables, code and paragraphs; no scripts, styles or links.

Runs in the child process (`worker_main`): a hostile page may make the standard parser slow, and
the deadline is what bounds that.
"""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

_HEAD = 2048
_CHARSET = re.compile(
    rb"""<(?:meta\b[^>]*?\bcharset|\?xml\b[^>]*?\bencoding)\s*=\s*["']?\s*([\w.:-]+)""",
    re.IGNORECASE,
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# As browsers do: what calls itself Latin 1 or ASCII is Windows-1252.
_AS_1252 = frozenset({"iso8859-1", "ascii", "latin-1"})
_HIDDEN = frozenset("script style template noscript svg math iframe object canvas head".split())  # noqa: SIM905 - names
_BLOCKS = frozenset(
    "address article aside blockquote body dd details dialog div dl dt fieldset figcaption figure "  # noqa: SIM905 - names
    "footer form header hr li main nav ol p section summary table tbody tfoot thead tr ul".split()
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_VOID_HIDDEN = frozenset({"meta", "link", "base"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES = re.compile(r"\n{3,}")


def html_to_text(data: bytes) -> str:
    """The text that a reader of the page sees. Raises UnicodeDecodeError."""
    collector = _Collector()
    collector.feed(decode_html(data))
    collector.close()
    return collector.text()


def decode_html(data: bytes) -> str:
    """As its mark or its own words say, else UTF-8. Raises UnicodeDecodeError."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    found = _CHARSET.search(data[:_HEAD])
    if found is None:
        return data.decode("utf-8")
    try:
        encoding = codecs.lookup(found[1].decode("ascii", "replace")).name
    except LookupError:
        encoding = "utf-8"
    if encoding.startswith("utf-16"):  # nonsense: it was read as ASCII up to here
        encoding = "utf-8"
    return data.decode("cp1252" if encoding in _AS_1252 else encoding)


class _Collector(HTMLParser):
    """Collects the text as it comes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden: list[str] = []  # open elements whose text nobody sees
        self._preformatted = 0
        self._cells = 0
        self._in_title = False
        self._title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self._title:
            self._in_title = True
        if tag in _HIDDEN:
            if tag == "head" or not self._in_title:
                self._hidden.append(tag)
        elif tag == "body":  # a head that nobody closed
            self._hidden.clear()
        if self._hidden or tag in _VOID_HIDDEN:
            return
        self._open(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
            return
        if self._hidden:
            return
        if tag in _HEADINGS or tag in _BLOCKS:
            self._parts.append("\n\n" if tag in _HEADINGS or tag == "p" else "\n")
        elif tag == "pre" and self._preformatted:
            self._preformatted -= 1
            self._parts.append("\n```\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._title += data
        elif not self._hidden:
            self._add(data)

    def text(self) -> str:
        """The whole; the page's title is a heading where no heading repeats it."""
        body = "".join(self._parts).replace("\xa0", " ").replace("\r\n", "\n")
        lines = "\n".join(line.rstrip(" \t") for line in body.split("\n"))
        text = _BLANK_LINES.sub("\n\n", lines).strip()
        title = _SPACES.sub(" ", self._title).strip()
        if title and f"# {title}\n" not in f"{text}\n":
            text = f"# {title}\n\n{text}"
        return f"{text}\n" if text else ""

    def _add(self, data: str) -> None:
        if not self._preformatted:
            data = _SPACES.sub(" ", data)
            if not self._parts or self._parts[-1].endswith(("\n", " ")):
                data = data.lstrip(" ")
        if data:
            self._parts.append(data)

    def _open(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._parts.append(f"\n\n{_HEADINGS[tag]}")
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "pre":
            self._preformatted += 1
            self._parts.append("\n\n```\n")
        elif tag == "li":
            self._parts.append("\n- ")
        elif tag == "tr":
            self._cells = 0
            self._parts.append("\n")
        elif tag in ("td", "th"):
            self._parts.append(" | " if self._cells else "")
            self._cells += 1
        elif tag in _BLOCKS:
            self._parts.append("\n\n" if tag == "p" else "\n")
