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

Part = Callable[[Random], str]


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
    """A text that matches the pattern, as far as it is understood."""
    return _alternatives(Reader(pattern))(source)


def _alternatives(reader: Reader) -> Part:
    branches = [_sequence(reader)]
    while reader.skip("|"):
        branches.append(_sequence(reader))
    return lambda source: source.choice(branches)(source)


def _sequence(reader: Reader) -> Part:
    parts: list[Part] = []
    while reader.peek() not in ("", "|", ")"):
        atom = _atom(reader)
        least, most = _times(reader)
        parts.append(_repeated(atom, least, most=most))
    return lambda source: "".join(part(source) for part in parts)


def _repeated(atom: Part, least: int, *, most: int) -> Part:
    if least == most == 1:
        return atom
    return lambda source: "".join(atom(source) for _ in range(source.randint(least, most)))


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
        return lambda source: source.choice(choices)
    if found == "\\":
        escaped = _escaped(reader)
        return lambda source: source.choice(escaped) if escaped else ""
    if found == ".":
        return lambda source: source.choice(ascii_letters)
    if found in "^$":
        return lambda _: ""
    return lambda _: found


def _group(reader: Reader) -> Part:
    asserts = any(reader.comes(mark) for mark in ("?=", "?!", "?<=", "?<!"))
    if reader.skip("?<") or reader.skip("?P<"):
        while reader.take() not in (">", ""):
            pass
    elif not asserts:
        reader.skip("?:")
    inner = _alternatives(reader)
    reader.skip(")")
    return (lambda _: "") if asserts else inner


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
            yield "".join(map(chr, range(ord(letter), ord(last[:1] or letter) + 1)))
        else:
            yield letter
