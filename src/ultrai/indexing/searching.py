"""Finds the passages of an Index that have most to do with a question.

Theory of operation. SQLite finds the passages that have any of the question's words and hands over
those which its own BM25 thinks best; they are then ranked as passages of given files are
(`policy/relevance.py`), with the whole Index's counts of how rare a word is. Words that stand in
more than a fifth of all passages are not looked up where there are others: they would make every
passage a candidate and tell nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ultrai.domain.index import Hit
from ultrai.policy.relevance import Rarity, fold, score_known, terms_of

_CANDIDATES = 200
_COMMON_SHARE = 0.2
_FEW = 50  # passages among which no word is common
_MOST_TERMS = 128

_FOUND = """
SELECT chunks.id FROM words JOIN chunks ON chunks.id = words.rowid
WHERE words MATCH ? ORDER BY rank LIMIT ?
"""
_PASSAGE = """
SELECT chunks.file, chunks.place, files.root, files.path, chunks.first_line, chunks.last_line,
    chunks.text, files.characters
FROM chunks JOIN files ON files.id = chunks.file
"""


class Searcher:
    """Searches one Index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._heads = self._roots()

    def search(self, question: str, *, limit: int) -> list[Hit]:
        """The best passages, the best first; none where no word is known."""
        rarity = self._rarity(question)
        query = self._query(question, rarity)
        if not query:
            return []
        ids = [row[0] for row in self._connection.execute(_FOUND, (query, _CANDIDATES))]
        hits = [self._hit(f"{_PASSAGE} WHERE chunks.id = ?", (each,)) for each in ids]
        found = [hit for hit in hits if hit is not None]
        scores = score_known([hit.text for hit in found], question, rarity=rarity)
        ranked = [_scored(hit, score) for hit, score in zip(found, scores, strict=True) if score]
        ranked.sort(key=lambda hit: (-hit.score, hit.file, hit.place))
        return ranked[:limit]

    def neighbours(self, hit: Hit) -> list[Hit]:
        """What stands right behind and right before a passage in its file."""
        where = f"{_PASSAGE} WHERE chunks.file = ? AND chunks.place = ?"
        beside = (self._hit(where, (hit.file, hit.place + step)) for step in (1, -1))
        return [each for each in beside if each is not None]

    def _hit(self, query: str, values: Sequence[int]) -> Hit | None:
        row = self._connection.execute(query, values).fetchone()
        if row is None:
            return None
        file, place, root, path, first, last, text, characters = row
        head = self._heads.get(root, "")
        return Hit(file, place, f"{head}{path}", first, last, text, 0.0, characters)

    def _roots(self) -> dict[int, str]:
        """What stands before a file's path: with one root nothing, else the root's own name."""
        rows = self._connection.execute("SELECT id, path FROM roots ORDER BY id").fetchall()
        if len(rows) == 1:
            return {}
        names: dict[int, str] = {}
        for root, path in rows:
            name = path.rstrip("/").rpartition("/")[2]
            taken = f"{name}/" in names.values()
            names[root] = f"{path.strip('/')}/" if taken else f"{name}/"
        return names

    def _rarity(self, question: str) -> Rarity:
        """In how many passages each term of the question stands, of how many."""
        total = self._connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
        terms = terms_of(question)
        counts = {forms[0]: sum(map(self._count, forms)) for forms in terms.words}
        counts |= {pair: self._count(pair) for pair in terms.pairs}
        return Rarity(total, {term: min(many, total) for term, many in counts.items() if many})

    def _count(self, term: str) -> int:
        row = self._connection.execute("SELECT doc FROM terms WHERE term = ?", (fold(term),))
        found = row.fetchone()
        return 0 if found is None else int(found[0])

    def _query(self, question: str, rarity: Rarity) -> str:
        """The words and pairs to look up, as FTS5 writes it; empty: nothing is known."""
        terms = terms_of(question)
        known = sorted(rarity.found_in.items(), key=lambda item: item[1])
        rare = [
            term
            for term, many in known
            if rarity.total < _FEW or many <= _COMMON_SHARE * rarity.total
        ]
        wanted = set((rare or [term for term, _ in known])[:_MOST_TERMS])
        words = [form for forms in terms.words if forms[0] in wanted for form in forms]
        pairs = [pair for pair in terms.pairs if pair in wanted]
        parts = [
            f"{{{column}}} : ({' OR '.join(map(_quoted, some))})"
            for column, some in (("text", words), ("pairs", pairs))
            if some
        ]
        return " OR ".join(parts)


def _quoted(term: str) -> str:
    doubled = term.replace('"', '""')
    return f'"{doubled}"'


def _scored(hit: Hit, score: float) -> Hit:
    return Hit(
        *(hit.file, hit.place, hit.path, hit.first_line, hit.last_line, hit.text),
        score,
        hit.file_characters,
    )
