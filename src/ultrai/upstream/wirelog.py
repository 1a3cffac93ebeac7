"""The wire log of `--debug`: what goes over the wire, line by line, without key or prompt."""

from __future__ import annotations

from typing import Final

from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.masking import FragmentMasker
from ultrai.upstream.words import one_line

_LONGEST_LINE: Final = 2_000


class WireLog:
    """Writes masked lines to the config's `wire_log`, if there is one."""

    __slots__ = ("_masker", "_write", "is_on")

    def __init__(self, config: UpstreamConfig) -> None:
        self._write = config.wire_log
        self.is_on = self._write is not None
        self._masker = FragmentMasker(config.key) if self.is_on else None

    def sent(self, words: str) -> None:
        """A line about the request."""
        self._line("> ", words)

    def received(self, words: str | bytes) -> None:
        """A line about the response, or some of its body."""
        self._line("< ", words)

    def failed(self, words: str) -> None:
        """A line about how it ended, where it ended badly."""
        self._line("! ", words)

    def _line(self, mark: str, words: str | bytes) -> None:
        if self._write is None or self._masker is None:
            return
        text = words if isinstance(words, str) else words.decode("utf-8", "replace")
        self._write(mark + one_line(self._masker.mask(text), longest=_LONGEST_LINE))
