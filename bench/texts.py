"""How fast long texts are reckoned, parted, ranked and compressed, in MB a second of one core.

The texts are the project's own pages, programs and licence, and the corpus beside this in Chinese,
repeated to 5 MB. The floor is `str.splitlines` of the same text in the same round. A figure is that
of the best round, since neighbours on the machine only take away; the ratio is the rounds' median.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rows import Row

from ultrai.policy.chunking import Chunk, ChunkKind, chunk_text
from ultrai.policy.compressing import compress
from ultrai.policy.relevance import rank
from ultrai.policy.tokens import text_tokens

SECTION = "Long texts: MB a second of one core, beside str.splitlines"
CHUNK_TARGET = 5.0
_ROOT = Path(__file__).parent.parent
_SOURCES = (
    ("Markdown", ChunkKind.MARKDOWN, "docs/*.md"),
    ("code", ChunkKind.CODE, "src/ultrai/**/*.py"),
    ("prose", ChunkKind.PROSE, "LICENSE"),
    ("Chinese", ChunkKind.PROSE, "bench/corpus/chinese.txt"),
)
_QUESTION = "When is a reservation given back after a crash?"
_CHUNK_TOKENS = 400


def text_rows(*, quick: bool) -> list[Row]:
    """What chunking must reach, and the rest for orientation."""
    size, rounds = (500_000, 2) if quick else (5_000_000, 5)
    rows = []
    for name, kind, pattern in _SOURCES:
        text = _text(pattern, size)
        chunks = [each.text for each in _chunks(text, kind)]
        works: dict[str, Callable[[], object]] = {
            f"part {name} into chunks": lambda text=text, kind=kind: _chunks(text, kind)
        }
        if kind is ChunkKind.MARKDOWN:
            works |= {
                "reckon its tokens": lambda text=text: text_tokens(text, "GPT"),
                "rank its chunks": lambda chunks=chunks: rank(chunks, _QUESTION),
                "compress it to 4,000 tokens": lambda text=text: compress(
                    text, question=_QUESTION, most_tokens=4000, kind=ChunkKind.MARKDOWN
                ),
            }
        for what, work in works.items():
            target = CHUNK_TARGET if what.startswith("part") else None
            rows.append(_row(what, text, work, rounds=rounds, target=target))
    return rows


def _chunks(text: str, kind: ChunkKind) -> tuple[Chunk, ...]:
    return chunk_text(text, kind=kind, most_tokens=_CHUNK_TOKENS, tokenizer="GPT")


def _row(
    what: str, text: str, work: Callable[[], object], *, rounds: int, target: float | None
) -> Row:
    floors, ours = [], []
    for _ in range(rounds):
        floors.append(_cpu_s(text.splitlines))
        ours.append(_cpu_s(work))
    megabytes = len(text.encode()) / 1e6
    ratio = median(a / b for a, b in zip(ours, floors, strict=True))
    return Row(
        SECTION,
        what,
        megabytes / min(ours),
        "MB/s",
        ratio=ratio,
        target=target,
        at_least=target is not None,
    )


def _cpu_s(work: Callable[[], object]) -> float:
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


def _text(pattern: str, size: int) -> str:
    """Whole files until there is enough."""
    whole = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_ROOT.glob(pattern)))
    return whole * (1 + size // len(whole.encode()))
