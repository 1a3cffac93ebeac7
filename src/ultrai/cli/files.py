"""What a question is made of: the prompt, standard input, and text files as context."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ultrai.cli.terminal import standard_input_is_terminal
from ultrai.domain.errors import UsageError
from ultrai.domain.query import Message

LIMIT_BYTES = 4_000_000
_LIMIT_WORDS = "4 MB"
_LEAST_FENCE = 3
_STANDARD_INPUT = "-"


def compose_messages(
    prompt: str | None, *, system: str | None, files: tuple[Path, ...]
) -> tuple[Message, ...]:
    """The conversation: the system prompt if any, then the question with its files.

    Each file follows the question in a fenced block under its name. Raises UsageError for an empty
    question and for a file that is missing, unreadable, not text or larger than 4 MB.
    """
    question = read_prompt(prompt)
    parts = [question, *(_block(path) for path in files)]
    messages = [Message("user", "\n\n".join(parts))]
    if system is not None:
        messages.insert(0, Message("system", system))
    return tuple(messages)


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


def _block(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f"cannot read {path}: {reason}", hint="-f takes text files that can be read"
        ) from error
    text = _decoded(data, str(path))
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(_LEAST_FENCE, longest + 1)
    name = "".join(c if c.isprintable() else "?" for c in path.name)
    return f"File: {name}\n{fence}\n{text.rstrip()}\n{fence}"


def _decoded(data: bytes, name: str) -> str:
    if len(data) > LIMIT_BYTES:
        raise UsageError(f"{name} is larger than {_LIMIT_WORDS}", hint="give a smaller part of it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not UTF-8 text", hint="only text can be asked about; convert it first"
        ) from error
    if "\0" in text:
        raise UsageError(f"{name} is not text: it holds zero bytes", hint="convert it first")
    return text.replace("\r\n", "\n")
