"""A Secret: a value that no repr, log line or JSON shows by accident."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

MASK: Final = "[secret]"
_SHORTEST_MASKABLE = 4


class Secret:
    """Holds a key. Only `reveal` gives it out; equality compares the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one header that needs it."""
        return self._value

    @property
    def fingerprint(self) -> str:
        """Tells this key from others, and tells nothing of it: part of its SHA-256."""
        return f"key-{sha256(self._value.encode()).hexdigest()[:12]}"

    def mask(self, text: str) -> str:
        """`text` with every occurrence of the value replaced."""
        if len(self._value) < _SHORTEST_MASKABLE:
            return text
        return text.replace(self._value, MASK)

    def __repr__(self) -> str:
        """The mask, never the value."""
        return f"Secret({MASK!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same value."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """Of the value."""
        return hash(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuse to be pickled or copied into something that is written down."""
        message = "a Secret cannot be pickled"
        raise TypeError(message)
