"""A Node: one value in a nested document, with the path to it, as a cocktail's reader walks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ultrai.domain.cocktail import is_model_id
from ultrai.domain.errors import SettingsError
from ultrai.policy.nearest import did_you_mean
from ultrai.settings.entry import dotted, shown

LONGEST_TEXT = 500


class DoubledTable(dict[str, object]):
    """A table of a JSON text in which `doubled` stood twice."""

    def __init__(self, pairs: Iterable[tuple[str, object]], *, doubled: str) -> None:
        super().__init__(pairs)
        self.doubled = doubled


@dataclass(frozen=True, slots=True)
class Node:
    """`value` at `path` (`cocktails.MINE.slots[2].primary`) in the file called `file`."""

    file: str
    path: str
    value: object

    def problem(self, cause: str, *, hint: str = "") -> SettingsError:
        """The error for this value: file, path, cause."""
        place = f"{self.file}: {self.path}" if self.path else self.file
        return SettingsError(f"{place}: {cause}", hint=hint)

    def child(self, key: str, value: object) -> Node:
        """The Node of a table's key."""
        name = dotted([key])
        return Node(self.file, f"{self.path}.{name}" if self.path else name, value)

    def table(self) -> Iterator[tuple[str, Node]]:
        """Keys and Nodes of a table, which must be one and hold each key once."""
        if isinstance(self.value, DoubledTable):
            raise self.problem(
                f"{shown(self.value.doubled)} stands here twice",
                hint="keep one of them; to seat a model three times, write ID*3",
            )
        if not isinstance(self.value, dict):
            raise self.problem(f"must be a table, not {shown(self.value)}")
        for key, value in self.value.items():
            if not isinstance(key, str):
                raise self.problem(f"has the key {shown(key)}, which is not text")
            yield key, self.child(key, value)

    def items(self, *, most: int) -> Iterator[Node]:
        """The Nodes of a list of at most `most` values."""
        if not isinstance(self.value, list | tuple):
            raise self.problem(f"must be a list in brackets, not {shown(self.value)}")
        if len(self.value) > most:
            raise self.problem(f"has {len(self.value)} entries; {most} are the most")
        for index, value in enumerate(self.value):
            yield Node(self.file, f"{self.path}[{index}]", value)

    def text(self) -> str:
        """A text on one line, not too long, without outer blanks."""
        if not isinstance(self.value, str):
            raise self.problem(f"must be text in quotes, not {shown(self.value)}")
        if len(self.value) > LONGEST_TEXT or not self.value.isprintable():
            raise self.problem(f"must be one short line of text, not {shown(self.value)}")
        return self.value.strip()

    def model_id(self, known: Iterable[str]) -> str:
        """A text of the form of a model id."""
        text = self.text()
        if not is_model_id(text):
            raise self.not_an_id(known)
        return text

    def distinct_ids(self, known: Iterable[str], *, most: int) -> tuple[str, ...]:
        """A list of at most `most` model ids, each once."""
        ids: dict[str, None] = {}
        for item in self.items(most=most):
            model_id = item.model_id(known)
            if model_id in ids:
                raise item.problem(f"{shown(model_id)} stands in this list twice")
            ids[model_id] = None
        return tuple(ids)

    def parts(self, what: str, valid: Iterable[str]) -> dict[str, Node]:
        """A table's Nodes by key; a key outside `valid` is an error about `what`."""
        names = tuple(valid)
        found: dict[str, Node] = {}
        for key, part in self.table():
            if key not in names:
                raise self.not_valid(what, key, valid=names)
            found[key] = part
        return found

    def not_an_id(self, known: Iterable[str]) -> SettingsError:
        """The error for a text that has not the form of a model id."""
        hint = did_you_mean(str(self.value), known)
        example = hint or "ids have the form maker/model, such as openai/gpt-4o"
        return self.problem(f"{shown(self.value)} is not a model id", hint=example)

    def not_valid(
        self, what: str, word: str, *, valid: Iterable[str], known: Iterable[str] = ()
    ) -> SettingsError:
        """The error for a word that is not valid: the nearest, then all that are.

        `known` words may be what was meant, too, but are too many to list.
        """
        names = list(valid)
        listed = ", ".join(names)
        question = did_you_mean(word, (*names, *known))
        hint = f"{question} valid: {listed}" if question else f"valid: {listed}"
        return self.problem(f"{shown(word)} is not {what}", hint=hint)
