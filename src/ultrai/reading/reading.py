"""What comes out of a file: a Reading, or Unreadable with its one line; and how much is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ultrai.domain.errors import UsageError

DEFAULT_FILE_MB = 64
_BYTES_PER_MB = 1_000_000


class Format(StrEnum):
    """What kind of file it was."""

    TEXT = "text"
    HTML = "html"
    PDF = "pdf"
    DOCX = "docx"


class Trouble(StrEnum):
    """Why a file gave no text; each word is stable."""

    MISSING = "missing"
    FOLDER = "folder"
    NOT_A_FILE = "not_a_file"
    DENIED = "denied"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    BINARY = "binary"
    ENCODING = "encoding"
    CHANGING = "changing"
    DAMAGED = "damaged"
    ENCRYPTED = "encrypted"
    NO_TEXT = "no_text"
    TOO_SLOW = "too_slow"
    NO_READER = "no_reader"


class Unreadable(UsageError):
    """A file that gives no text. The message names it and says why; `trouble` is for programs."""

    def __init__(self, message: str, *, trouble: Trouble, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a file, with plain line ends; `remark` says what of the file is not in it.

    In the text of a PDF a line `[page N]` stands before each page; HTML and DOCX become Markdown.
    """

    text: str
    format: Format
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is read of one file, and what reading it may take."""

    file_bytes: int = DEFAULT_FILE_MB * _BYTES_PER_MB
    text_bytes: int = DEFAULT_FILE_MB * _BYTES_PER_MB
    pages: int = 20_000
    memory_bytes: int = 2_000_000_000
    deadline_s: float = 120.0

    @classmethod
    def of_megabytes(cls, megabytes: int) -> Limits:
        """Files, and texts in them, of up to so many million bytes."""
        size = megabytes * _BYTES_PER_MB
        return cls(file_bytes=size, text_bytes=size)


def megabytes(size: int) -> str:
    """`64 MB`, `1,500 MB`; `0.3 MB` below one."""
    if size < _BYTES_PER_MB:
        return f"{size / _BYTES_PER_MB:.1f} MB"
    return f"{size // _BYTES_PER_MB:,} MB"
