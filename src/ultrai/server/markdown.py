"""Answers as HTML: Markdown rendered by a library and cleaned by another, for the page to show.

What models write is hostile until shown otherwise. Raw HTML in it is text; images are links, so
that nothing is fetched; and what comes out passes a list of allowed elements and schemes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import nh3
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from markdown_it.rules_core import StateCore

_ELEMENTS = frozenset(
    (
        *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code"),
        *("em", "strong", "s", "ul", "ol", "li", "a"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    )
)
_SCHEMES = frozenset({"http", "https", "mailto"})
_FLOOR = 3  # the page has headings of its own above those of an answer
_DEEPEST = 6


def html_of(text: str) -> str:
    """The text as HTML that holds no script, no style and nothing to be fetched."""
    return nh3.clean(
        _parser().render(text),
        tags=set(_ELEMENTS),
        attributes={"a": {"href", "title"}, "ol": {"start"}, "th": {"align"}, "td": {"align"}},
        url_schemes=set(_SCHEMES),
        link_rel="noopener noreferrer nofollow",
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """CommonMark with tables and strikethrough; no HTML, no images, headings below the page's."""
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    parser.enable(["table", "strikethrough"]).disable(["image", "html_inline", "html_block"])
    parser.core.ruler.push("lower_headings", _lower_headings)
    return parser


def _lower_headings(state: StateCore) -> None:
    """Below the page's own, and without gaps: whoever listens goes from heading to heading."""
    headings = [each for each in state.tokens if each.type in ("heading_open", "heading_close")]
    levels = sorted({token.tag for token in headings})
    for token in headings:
        token.tag = f"h{min(_DEEPEST, levels.index(token.tag) + _FLOOR)}"
