"""What a question is made of: the prompt, standard input, and files as documents."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ultrai.cli.terminal import standard_input_is_terminal
from ultrai.domain.document import Document
from ultrai.domain.errors import UsageError
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.query import Message
from ultrai.reading.reader import Reader
from ultrai.reading.reading import Limits

LIMIT_BYTES = 4_000_000
_STANDARD_INPUT = "-"


def compose_messages(prompt: str | None, *, system: str | None) -> tuple[Message, ...]:
    """The conversation: the system prompt if any, then the question.

    Raises UsageError for an empty question.
    """
    messages = [Message("user", read_prompt(prompt))]
    if system is not None:
        messages.insert(0, Message("system", system))
    return tuple(messages)


def read_documents(
    paths: Sequence[Path], *, most_mb: int
) -> tuple[tuple[Document, ...], tuple[Notice, ...]]:
    """The files as documents, and what of them was not read; none larger than `most_mb`.

    They are named by their file names; by their paths where names are shared. Raises Unreadable, a
    UsageError, for the first that gives no text.
    """
    many = Counter(path.name for path in paths)
    documents, notices = [], []
    with Reader(Limits.of_megabytes(most_mb)) as reader:
        for path in paths:
            reading = reader.read(path)
            name = _printable(path.name if many[path.name] == 1 else str(path))
            documents.append(Document(name, reading.text))
            if reading.remark:
                remark = f"{name}: {reading.remark}"
                notices.append(Notice(NoticeCode.DOCUMENT_INCOMPLETE, remark))
    return tuple(documents), tuple(notices)


def read_texts(paths: Sequence[Path], *, most_mb: int) -> tuple[Document, ...]:
    """The documents alone; `-`, at most once, is standard input."""
    names = [str(path) for path in paths]
    if names.count(_STANDARD_INPUT) > 1:
        raise UsageError("'-' is named twice, and standard input can be read once")
    named = [path for path in paths if str(path) != _STANDARD_INPUT]
    files, _ = read_documents(named, most_mb=most_mb)
    if _STANDARD_INPUT not in names:
        return files
    limit = most_mb * 1_000_000
    data = sys.stdin.buffer.read(limit + 1)
    place = names.index(_STANDARD_INPUT)
    text = _decoded(data, "standard input", limit=limit)
    return (*files[:place], Document(_STANDARD_INPUT, text), *files[place:])


def read_prompt(prompt: str | None) -> str:
    """The question itself; `-` or nothing reads standard input."""
    text = prompt if prompt not in (None, _STANDARD_INPUT) else _read_input(prompt is None)
    if not text or not text.strip():
        raise UsageError("the prompt is empty", hint="for example: ultrai ask 'What is a qubit?'")
    return text


def _read_input(is_implied: bool) -> str:  # noqa: FBT001 - one private caller
    if is_implied and standard_input_is_terminal():
        raise UsageError(
            "there is no prompt",
            hint="for example: ultrai ask 'What is a qubit?', or: ultrai ask < question.txt",
        )
    data = sys.stdin.buffer.read(LIMIT_BYTES + 1)
    return _decoded(data, "standard input").rstrip("\n")


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)


def _decoded(data: bytes, name: str, *, limit: int = LIMIT_BYTES) -> str:
    if len(data) > limit:
        words = f"{limit // 1_000_000} MB"
        raise UsageError(f"{name} is larger than {words}", hint="give a smaller part of it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not UTF-8 text", hint="only text can be asked about; convert it first"
        ) from error
    if "\0" in text:
        raise UsageError(f"{name} is not text: it holds zero bytes", hint="convert it first")
    return text.replace("\r\n", "\n")
