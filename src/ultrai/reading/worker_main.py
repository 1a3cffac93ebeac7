"""The process that takes apart what others made: started by `converter` as a script.

Theory of operation. The parent writes a line of JSON (format, size, limits) and the file's bytes to
standard input; this process answers on standard output with a line of JSON (the text's size and a
remark, or why there is no text) and the text. Then it waits for the next file. The parent ends it
at the deadline. Its memory is bounded, so that a bomb meets MemoryError; a parser that crashes
takes only this process with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from ultrai.reading.reading import Limits


def main() -> None:
    """Serve until standard input closes. Never returns."""
    # As a script it finds the package that it is part of, wherever that lies.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to act upon
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # a library that prints must not spoil an answer
    os.dup2(nowhere, 2)
    while serve_one(sys.stdin.buffer, answers):
        pass
    os._exit(0)


def serve_one(orders: BinaryIO, answers: BinaryIO) -> bool:
    """Read an order and answer it; False where there is none any more."""
    line = orders.readline()
    if not line:
        return False
    order = json.loads(line)
    data = orders.read(order["size"])
    answer, text = _answer(order, data)
    answers.write(json.dumps({**answer, "size": len(text)}).encode() + b"\n" + text)
    answers.flush()
    return True


def _answer(order: dict[str, Any], data: bytes) -> tuple[dict[str, str], bytes]:
    from ultrai.reading.reading import Limits, Trouble
    from ultrai.reading.refusal import Refusal

    limits = Limits(**order["limits"])
    _bound_memory(limits)
    try:
        text, remark = _convert(order["format"], data, limits=limits)
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > limits.text_bytes:
            raise Refusal.too_much_text(limits)
    except Refusal as error:
        answer = {"trouble": error.trouble.value, "message": error.message, "hint": error.hint}
        return answer, b""
    except (MemoryError, RecursionError):
        message = "takes more memory to read than is allowed"
        hint = "it may be damaged; give a smaller part of it"
        return {"trouble": Trouble.TOO_LARGE.value, "message": message, "hint": hint}, b""
    return {"remark": remark}, encoded


def _convert(kind: str, data: bytes, *, limits: Limits) -> tuple[str, str]:
    from ultrai.reading.docx_text import docx_to_text
    from ultrai.reading.html_text import html_to_text
    from ultrai.reading.pdf_text import pdf_to_text
    from ultrai.reading.reading import Format, Trouble
    from ultrai.reading.refusal import Refusal

    if kind == Format.PDF:
        return pdf_to_text(data, limits)
    if kind == Format.DOCX:
        return docx_to_text(data, limits), ""
    try:
        text = html_to_text(data)
    except UnicodeDecodeError as error:
        message = f"is not the {error.encoding} text that it says it is"
        raise Refusal(Trouble.ENCODING, message, hint="convert it to UTF-8 first") from error
    if not text:
        raise Refusal(Trouble.NO_TEXT, "holds no text", hint="give a page that holds text")
    return text, ""


def _bound_memory(limits: Limits) -> None:
    """As far as the system can: there is no such bound on Windows, a loose one on macOS."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = limits.memory_bytes
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
