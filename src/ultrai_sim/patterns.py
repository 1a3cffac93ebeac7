"""Texts that a regular expression matches, for the `pattern` of a schema.

Understood is the part of ECMA regular expressions that schemas use: literals, classes, groups,
alternatives, quantifiers, and anchors at either end. Assertions and back references are passed
over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from string import ascii_letters, digits, punctuation

WORDLY = f"{ascii_letters}{digits}_"
PRINTABLE = f"{WORDLY}{punctuation} "
CLASSES = {"d": digits, "w": WORDLY, "s": " ", "D": ascii_letters, "W": " -", "S": WORDLY}
CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
USUAL_MORE = 3
MOST_TIMES = 200
TIMES = re.compile(r"\{(\d+)(,)?(\d*)\}")
PROPERTY = re.compile(r"\{[^}]*\}")

MOST_WORK = 20_000
# A class has no more members of one range than this: who draws from it sees no difference.
MOST_MEMBERS = 256
SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Part:
    """What makes a part of a text, and at most how many steps that takes."""

    make: Callable[[Random], str]
    work: int = 1


NOTHING = Part(lambda _: "")


@dataclass(slots=True)
class Reader:
    """A pattern and how far it has been read."""

    pattern: str
    at: int = 0

    def peek(self) -> str:
        """The next character, empty at the end."""
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        """The next character, which counts as read."""
        found = self.peek()
        self.at += 1
        return found

    def comes(self, text: str) -> bool:
        """Whether ``text`` comes next."""
        return self.pattern.startswith(text, self.at)

    def skip(self, text: str) -> bool:
        """Read past ``text`` if it comes next."""
        if not self.comes(text):
            return False
        self.at += len(text)
        return True


def matching(pattern: str, source: Random) -> str:
    """A text that the pattern matches, as far as it is understood."""
    return read_pattern(pattern).make(source)


def read_pattern(pattern: str) -> Part:
    """What makes texts of a pattern; `ValueError` where they are too long to be made."""
    if len(pattern) > MOST_WORK:
        message = f"a pattern of more than {MOST_WORK} characters"
        raise ValueError(message)
    return _alternatives(Reader(pattern))


def _alternatives(reader: Reader) -> Part:
    branches = [_sequence(reader)]
    while reader.skip("|"):
        branches.append(_sequence(reader))
    work = 1 + max(branch.work for branch in branches)
    return Part(lambda source: source.choice(branches).make(source), work)


def _sequence(reader: Reader) -> Part:
    parts: list[Part] = []
    while reader.peek() not in ("", "|", ")"):
        atom = _atom(reader)
        least, most = _times(reader)
        parts.append(_repeated(atom, least, most=most))
    work = 1 + sum(part.work for part in parts)
    if work > MOST_WORK:
        message = f"a pattern of texts that take more than {MOST_WORK} steps"
        raise ValueError(message)
    return Part(lambda source: "".join(part.make(source) for part in parts), work)


def _repeated(atom: Part, least: int, *, most: int) -> Part:
    if least == most == 1:
        return atom

    def make(source: Random) -> str:
        return "".join(atom.make(source) for _ in range(source.randint(least, most)))

    return Part(make, 1 + most * atom.work)


def _times(reader: Reader) -> tuple[int, int]:
    """The quantifier that follows an atom, as a range."""
    if reader.skip("*"):
        times = (0, USUAL_MORE)
    elif reader.skip("+"):
        times = (1, USUAL_MORE)
    elif reader.skip("?"):
        times = (0, 1)
    elif found := TIMES.match(reader.pattern, reader.at):
        reader.at = found.end()
        low = min(int(found[1]), MOST_TIMES)
        usual = low + USUAL_MORE if found[2] else low
        times = (low, min(int(found[3]), MOST_TIMES) if found[3] else usual)
    else:
        return 1, 1
    reader.skip("?")
    return times


def _atom(reader: Reader) -> Part:
    found = reader.take()
    if found == "(":
        return _group(reader)
    if found == "[":
        choices = _class(reader)
        return Part(lambda source: source.choice(choices))
    if found == "\\":
        escaped = _escaped(reader)
        return Part(lambda source: source.choice(escaped) if escaped else "")
    if found == ".":
        return Part(lambda source: source.choice(ascii_letters))
    return NOTHING if found in "^$" else Part(lambda _: found)


def _group(reader: Reader) -> Part:
    asserts = any(reader.comes(mark) for mark in ("?=", "?!", "?<=", "?<!"))
    if reader.skip("?<") or reader.skip("?P<"):
        while reader.take() not in (">", ""):
            pass
    elif not asserts:
        reader.skip("?:")
    inner = _alternatives(reader)
    reader.skip(")")
    return NOTHING if asserts else inner


def _escaped(reader: Reader) -> str:
    """What an escape may stand for; nothing for a boundary."""
    letter = reader.take()
    if letter in ("b", "B"):
        return ""
    if letter == "p" and (found := PROPERTY.match(reader.pattern, reader.at)):
        reader.at = found.end()
        return digits if found[0].startswith("{N") else ascii_letters
    return CLASSES.get(letter) or CONTROLS.get(letter, letter)


def _class(reader: Reader) -> str:
    negated = reader.skip("^")
    members = "".join(_members(reader))
    if negated:
        return "".join(letter for letter in PRINTABLE if letter not in members) or "~"
    return members or "~"


def _members(reader: Reader) -> Iterator[str]:
    """The members of a class up to its closing bracket, ranges spelt out."""
    while (letter := reader.take()) not in ("]", ""):
        if letter == "\\":
            yield _escaped(reader)
        elif reader.comes("-") and not reader.comes("-]"):
            reader.take()
            last = reader.take()
            last = _escaped(reader) if last == "\\" else last
            yield _range(ord(letter), ord(last[:1] or letter))
        else:
            yield letter


def _range(first: int, last: int) -> str:
    codes = range(first, min(last, first + MOST_MEMBERS) + 1)
    return "".join(chr(code) for code in codes if code not in SURROGATES)
