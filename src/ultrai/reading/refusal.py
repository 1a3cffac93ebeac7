"""Refusal: why the child process has no text. The parent puts the file's name before it."""

from __future__ import annotations

from ultrai.reading.reading import Limits, Trouble, megabytes


class Refusal(Exception):
    """`message` is what follows the file's name: `is encrypted: …`."""

    def __init__(self, trouble: Trouble, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.hint = hint

    @classmethod
    def too_much_text(cls, limits: Limits) -> Refusal:
        """More came out of the file than is allowed."""
        message = f"holds more than {megabytes(limits.text_bytes)} of text"
        return cls(
            Trouble.TOO_LARGE, message, hint="give a part of it, or raise the setting max_file_mb"
        )
