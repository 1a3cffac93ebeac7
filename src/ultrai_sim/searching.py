"""Searching the web, as far as it shows: pages that an answer cites, and what a search costs.

A model whose prices name `web_search` searches by itself (native): its citations follow the text
and say where in it they belong. For the others OpenRouter searches: their citations come first, at
0 to 0, with an excerpt, and the search is paid beside what the model's provider gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from ultrai_sim.speech import Citation

SITES = ("encyclopedia", "docs", "news", "blog", "forum")


def searches_natively(pricing: Mapping[str, Any]) -> bool:
    """Whether a model with these prices searches by itself."""
    return "web_search" in pricing


def cite(text: str, topics: Sequence[str], *, native: bool, source: Random) -> tuple[Citation, ...]:
    """The pages that a text cites."""
    cited = []
    for site in source.sample(SITES, 2 + source.randrange(3)):
        topic = source.choice(topics)
        slug = "-".join(topic.lower().split())
        start = text.find(topic) if native else 0
        cited.append(
            Citation(
                url=f"https://{site}.example.com/{slug}",
                title=f"{topic} | {site.title()}",
                content="" if native else f"# {topic}\n\n...\n\nAn overview of {topic} – made up.",
                start=max(start, 0),
                end=start + len(topic) if native and start >= 0 else 0,
            )
        )
    return tuple(cited)
