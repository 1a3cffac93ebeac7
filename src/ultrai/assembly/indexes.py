"""The Indexes as the library and the command line use them: readers, settings and clock put in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ultrai.assembly.clock import SystemClock
from ultrai.domain.ask import Ask
from ultrai.domain.document import Document
from ultrai.domain.errors import UsageError
from ultrai.domain.index import Hit, IndexChange, IndexedFile, IndexProgress, IndexSummary
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.query import Query
from ultrai.domain.stamp import stamp
from ultrai.indexing.building import Workshop
from ultrai.indexing.shelf import IndexShelf, name_for
from ultrai.policy.excerpts import excerpts_of
from ultrai.reading.reader import Reader
from ultrai.reading.reading import Format, Limits, Reading, Trouble, Unreadable
from ultrai.settings.model import Settings

Tell = Callable[[IndexProgress], None]

_CANDIDATES = 200
_MOST_NAMED = 3


class Indexes:
    """All Indexes below the state directory. Everything but `consult` blocks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shelf = IndexShelf(settings.home / "indexes")

    def names(self) -> list[str]:
        """Of all Indexes."""
        return self._shelf.names()

    def summaries(self) -> list[IndexSummary]:
        """What each holds. Raises StoreError."""
        return [self._shelf.summary(name) for name in self._shelf.names()]

    def summary(self, name: str) -> IndexSummary:
        """What one holds. Raises NotFound and StoreError."""
        return self._shelf.summary(name)

    def files(self, name: str) -> list[IndexedFile]:
        """Its files. Raises NotFound and StoreError."""
        return self._shelf.files(name)

    def add(
        self,
        roots: Sequence[Path],
        *,
        name: str | None = None,
        excluded: Sequence[str] = (),
        tell: Tell | None = None,
    ) -> tuple[str, IndexChange]:
        """Read folders and files into an Index; its name, and what has changed.

        `name` None: that of the first folder. `excluded` are patterns of names or paths that are
        left out. Raises UsageError and StoreError; what was written before stays.
        """
        if not roots:
            raise UsageError("there is nothing to index", hint="Name a folder or a file.")
        called = name or name_for(roots[0])
        with Reader(Limits.of_megabytes(self._settings.max_file_mb)) as reader:
            workshop = Workshop(_forgiving(reader), tell or _silent, _now())
            change = self._shelf.add(called, roots, excluded=excluded, workshop=workshop)
        return called, change

    def update(
        self, name: str, *, tell: Callable[[IndexProgress], None] | None = None
    ) -> IndexChange:
        """Read what has changed since. Raises NotFound, UsageError and StoreError."""
        with Reader(Limits.of_megabytes(self._settings.max_file_mb)) as reader:
            return self._shelf.update(name, Workshop(_forgiving(reader), tell or _silent, _now()))

    def must_exist(self, name: str) -> None:
        """Raises NotFound where there is none of that name."""
        self._shelf.must_exist(name)

    def remove(self, name: str) -> None:
        """Delete it; the files that it was made of stay. Raises NotFound and StoreError."""
        self._shelf.remove(name)

    def search(self, name: str, question: str, *, limit: int = 10) -> list[Hit]:
        """The passages that have most to do with a question, the best first."""
        return self._shelf.search(name, question, limit=limit)

    async def consult(self, ask: Ask) -> Ask:
        """The Ask with the passages of its Index on the question, and the Notice that says so.

        Raises UsageError where no passage has a word of the question, NotFound and StoreError.
        """
        assert ask.index is not None
        question = Query(ask.messages, ask.sampling).prompt
        documents, notice = await asyncio.to_thread(self._find, ask.index, question)
        return replace(
            ask,
            documents=(*ask.documents, *documents),
            notices=(*ask.notices, notice),
            index=None,
        )

    def _find(self, name: str, question: str) -> tuple[tuple[Document, ...], Notice]:
        hits, beside = self._shelf.surroundings(name, question, limit=_CANDIDATES)
        documents = excerpts_of(hits, beside, most_tokens=self._settings.fit_retrieve_tokens)
        if not documents:
            raise UsageError(
                f"no passage of the index {name} has a word of the question; nothing was sent",
                hint=f"Try other words: ultrai index search {name} WORDS.",
            )
        paths = {document.name for document in documents}
        files = sorted({hit.file for hit in (*hits, *beside) if hit.path in paths})
        message = f"{_count(len(documents), 'part')} of {_count(len(paths), 'file')}"
        message = f"{message} of the index {name} {'is' if len(documents) == 1 else 'are'} used"
        changed = self._shelf.changed_since(name, files)
        if changed:
            some = ", ".join(changed[:_MOST_NAMED]) + (", …" if len(changed) > _MOST_NAMED else "")
            message = (
                f"{message}; {some} changed since: run 'ultrai index update {name}' to read it anew"
            )
        return documents, Notice(NoticeCode.INDEX_USED, message)


def _forgiving(reader: Reader) -> Callable[[Path], Reading]:
    """In a folder, a file that is empty or no text is nothing to complain of."""

    def read(path: Path) -> Reading:
        try:
            return reader.read(path)
        except Unreadable as error:
            if error.trouble not in (Trouble.EMPTY, Trouble.BINARY):
                raise
            return Reading("", Format.TEXT, f"holds no text: {error.trouble.value}")

    return read


def _silent(_: IndexProgress) -> None:
    """Nobody watches."""


def _now() -> str:
    return stamp(SystemClock().now())


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
