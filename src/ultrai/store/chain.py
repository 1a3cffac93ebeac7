"""Entries as rows, and the chain of hashes that seals them.

Theory of operation. A writer (the processes that share one database file, or one home directory)
numbers its entries without gaps. Each entry's hash is SHA-256 over the hash before it and its own
row; with every transaction goes a seal that says the hash it arrived at. Whoever edits, removes or
reorders an entry changes every hash after it; whoever removes the youngest entries together with
their seals is found by a head that was kept elsewhere.

It does not protect against somebody who may write to the database and recomputes the whole chain:
that, too, only a head kept elsewhere shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from ultrai.domain.budget import Payer
from ultrai.domain.ledger import EntryKind
from ultrai.store.ledger_tables import ENTRIES

if TYPE_CHECKING:
    from ultrai.store.ledger_statements import LedgerStatements

Row = dict[str, Any]
COLUMNS = tuple(column.name for column in ENTRIES.columns)
_BLANK: Row = {column.name: None if column.nullable else 0 for column in ENTRIES.columns}
_encode = msgspec.json.Encoder().encode


def genesis(writer: str) -> str:
    """The head of a chain without entries."""
    return sha256(f"ultrai ledger of {writer}".encode()).hexdigest()


def next_head(head: str, rows: Iterable[Sequence[object]]) -> str:
    """The head after these entries, each given as its values in the order of `COLUMNS`."""
    for row in rows:
        head = sha256(head.encode() + _encode(row)).hexdigest()
    return head


def encode_tags(tags: Mapping[str, str] | None) -> str | None:
    """Tags as JSON, sorted by name; None for none."""
    return _encode(dict(sorted(tags.items()))).decode() if tags else None


class Chain:
    """Collects the entries of one transaction; `seal` numbers, hashes and adds them."""

    def __init__(self, cursor: Any, statements: LedgerStatements, *, writer: str) -> None:
        self._cursor = cursor
        self.statements = statements
        self._writer = writer
        self._rows: list[Row] = []
        self._first_seq: int | None = None
        self._next_seq = 0
        self._head = ""

    def add(self, kind: EntryKind, payer: Payer, *, at: str, facts: Row) -> None:
        """One more entry; `facts` are columns by name."""
        row = _BLANK.copy()
        row.update(facts)
        row["kind"] = kind.value
        row["at"] = at
        row["day"] = row["day"] or at[:10]
        row["began_at"] = payer.began_at
        row["run_id"] = payer.run_id
        row["key"] = payer.key
        row["environment"] = payer.environment
        row["user"] = payer.user
        row["feature"] = payer.feature
        row["tags"] = encode_tags(payer.tags)
        row["writer"] = self._writer
        self._rows.append(row)

    def write(self) -> None:
        """Number and add what was collected, so that queries of this transaction see it."""
        if not self._rows:
            return
        if self._first_seq is None:
            self._next_seq, self._head = self._locked()
            self._first_seq = self._next_seq
        for seq, row in enumerate(self._rows, self._next_seq):
            row["seq"] = seq
        self._next_seq += len(self._rows)
        rows = [tuple(row.values()) for row in self._rows]
        self._head = next_head(self._head, rows)
        self._cursor.executemany(self.statements.add_entry, rows)
        self._rows.clear()

    def seal(self) -> None:
        """Add what is left, and the seal over all of it."""
        self.write()
        if self._first_seq is None:
            return
        seal = {"writer": self._writer, "first_seq": self._first_seq, "head": self._head}
        self._cursor.execute(self.statements.add_seal, seal | {"last_seq": self._next_seq - 1})
        moved = {"of_writer": self._writer, "new_seq": self._next_seq, "new_head": self._head}
        self._cursor.execute(self.statements.move_chain, moved)

    def _locked(self) -> tuple[int, str]:
        asked = {"writer": self._writer}
        self._cursor.execute(self.statements.lock_chain, asked)
        found = self._cursor.fetchone()
        if found is None:
            new = asked | {"next_seq": 1, "head": genesis(self._writer)}
            self._cursor.execute(self.statements.open_chain, new)
            self._cursor.execute(self.statements.lock_chain, asked)
            found = self._cursor.fetchone()
        return found[0], found[1]
