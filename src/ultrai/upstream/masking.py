"""Keeps the key out of everything that comes back from an upstream.

An upstream may echo the key: in an error, in an answer, cut into any pieces. `Masker.push` takes
the pieces of one text and gives out the text with the key replaced; it holds back an end that may
be the beginning of the key, and nothing else. `Masker.flush` gives out what is held.

A key of fewer than eight characters is a placeholder that a local server was given (`EMPTY`,
`ollama`), not a secret; masking it would spoil answers. Other spellings of the key
(percent-encoded, base64, reversed) are not known here.
"""

from __future__ import annotations

from typing import Final

from ultrai.domain.secret import MASK, Secret

_FRAGMENT: Final = 8


class Masker:
    """Masks one text that arrives in pieces."""

    __slots__ = ("_held", "_key", "_key_characters")

    def __init__(self, secret: Secret | None) -> None:
        self._key = _maskable(secret)
        self._key_characters = frozenset(self._key)
        self._held = ""

    def push(self, piece: str) -> str:
        """What may be shown now that `piece` has come."""
        key = self._key
        if not key or not piece:
            return piece
        if not self._held and piece[-1] not in self._key_characters and len(piece) < len(key):
            return piece
        text = self._held + piece
        if key in text:
            text = text.replace(key, MASK)
        held = _length_of_beginning(text, key)
        if not held:
            self._held = ""
            return text
        self._held = text[-held:]
        return text[:-held]

    def flush(self) -> str:
        """What was held back; the text has ended."""
        held, self._held = self._held, ""
        return held


class FragmentMasker:
    """Masks every run of the key of eight characters or more: for logs of raw frames.

    There the key may be spread over lines that are each harmless and together are not.
    """

    __slots__ = ("_fragments", "_key")

    def __init__(self, secret: Secret | None) -> None:
        self._key = key = _maskable(secret)
        starts = range(len(key) - _FRAGMENT + 1)
        self._fragments = tuple(key[start : start + _FRAGMENT] for start in starts)

    def mask(self, line: str) -> str:
        """`line` without the key and without its longer parts."""
        if self._key:
            line = line.replace(self._key, MASK)
        for fragment in self._fragments:
            if fragment in line:
                line = line.replace(fragment, MASK)
        return line


def mask(secret: Secret | None, text: str) -> str:
    """`text`, complete, with the key replaced."""
    key = _maskable(secret)
    return text.replace(key, MASK) if key else text


def _maskable(secret: Secret | None) -> str:
    key = secret.reveal() if secret is not None else ""
    return key if len(key) >= _FRAGMENT else ""


def _length_of_beginning(text: str, key: str) -> int:
    """How many characters at the end of `text` are a beginning of `key`, but not all of it."""
    start = max(0, len(text) - len(key) + 1)
    start = text.find(key[0], start)
    while start != -1:
        if key.startswith(text[start:]):
            return len(text) - start
        start = text.find(key[0], start + 1)
    return 0
