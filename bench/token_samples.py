"""Texts whose tokens are counted by exact tokenizers: made of the corpus beside this, from a seed.

The corpus was written for this: a story in English and in six scripts, and code in six languages.
A sample is some of its passages in a random order, or a made-up JSON document. What is counted of
the samples is kept in `token_counts.json`, so the samples must never change without it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
TEXTS = ("english", "russian", "arabic", "hindi", "chinese", "japanese", "korean", "code")
PER_KIND = 150
_SEED = 20
_PASSAGE = re.compile(r".+?(?:[.!?»”\"](?=\s)\s*|[。！？]」?|\n\n|$)", re.DOTALL)
_BLOCK = re.compile(r".+?(?:\n\s*\n|\Z)", re.DOTALL)
_STATES = ("open", "paid", "cancelled", "in transit", "returned by the customer")


def samples() -> Iterator[tuple[str, str]]:
    """The kind and the text of each sample, always the same."""
    chance = random.Random(_SEED)
    for kind in TEXTS:
        text = (CORPUS / f"{kind}.txt").read_text(encoding="utf-8")
        passages = (_BLOCK if kind == "code" else _PASSAGE).findall(text)
        for _ in range(PER_KIND):
            yield kind, _mixed(passages, chance)
    for _ in range(PER_KIND):
        yield "JSON", _document(chance)


def _mixed(passages: list[str], chance: random.Random) -> str:
    """A third to twice as long as all passages together."""
    share = chance.uniform(0.33, 2)
    return "".join(chance.choices(passages, k=max(3, round(len(passages) * share))))


def _document(chance: random.Random) -> str:
    """Orders, as an interface would return them: indented or in one line."""
    orders = [
        {
            "id": f"ord_{chance.getrandbits(48):012x}",
            "created_at": f"2024-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T08:15:00Z",
            "state": chance.choice(_STATES),
            "total_cents": chance.randint(99, 10 ** chance.randint(3, 8)),
            "position": [round(chance.uniform(-90, 90), 5), round(chance.uniform(-180, 180), 5)],
            "items": [
                {"sku": f"{chance.choice('ABC')}-{chance.randint(1, 9999)}", "count": 1 + n}
                for n in range(chance.randint(0, 3))
            ],
            "note": chance.choice([None, "", "leave it at the door", "doorbell is broken"]),
        }
        for _ in range(chance.randint(3, 20))
    ]
    indent = chance.choice([None, 2, 4])
    separators = (",", ":") if indent is None else None
    return json.dumps({"orders": orders, "next": None}, indent=indent, separators=separators)
