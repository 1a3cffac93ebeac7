"""The child process that converts files, seen from the parent. See `worker_main` for the child.

One process serves one file after another; it is started when the first needs it. One that does not
answer in time, or dies, is ended, and the next file gets a new one.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ultrai.reading.reading import (
    Format,
    Limits,
    Reading,
    Trouble,
    Unreadable,
    megabytes,
)

WORKER_SCRIPT = Path(__file__).with_name("worker_main.py")


class Converter:
    """Turns bytes of a format into a Reading. Blocks; for one thread at a time."""

    def __init__(self, limits: Limits, *, script: Path = WORKER_SCRIPT) -> None:
        self._limits = limits
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None

    def convert(self, data: bytes, kind: Format, *, name: str) -> Reading:
        """The Reading. Raises Unreadable, whose message begins with `name`."""
        if self._process is None:
            self._process = _spawn(self._script)
        process = self._process
        overdue = threading.Event()

        def end_it() -> None:
            overdue.set()
            process.kill()

        timer = threading.Timer(self._limits.deadline_s, end_it)
        timer.daemon = True
        timer.start()
        try:
            answer, text = _converse(process, data, kind=kind, limits=self._limits)
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
        if answer is None:
            self.close()
            raise _lost(name, process.returncode, limits=self._limits, is_overdue=overdue.is_set())
        if "trouble" in answer:
            raise Unreadable(
                f"{name} {answer['message']}",
                trouble=Trouble(answer["trouble"]),
                hint=str(answer["hint"]),
            )
        return Reading(text, kind, str(answer["remark"]))

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what could not be sent any more does not matter
                    pipe.close()


def _spawn(script: Path) -> subprocess.Popen[bytes]:
    # `-P`: the script's folder holds modules whose names must not hide others'. A session of its
    # own: Ctrl-C on the terminal must not reach it.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and our own script
        [sys.executable, "-P", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _converse(
    process: subprocess.Popen[bytes], data: bytes, *, kind: Format, limits: Limits
) -> tuple[dict[str, Any] | None, str]:
    """The child's answer and the text; None where it died instead."""
    if process.stdin is None or process.stdout is None:  # pragma: no cover - both were asked for
        return None, ""
    order = {"format": kind.value, "size": len(data), "limits": asdict(limits)}
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.write(data)
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        text = process.stdout.read(answer["size"])
    except (OSError, ValueError):
        return None, ""
    if len(text) < answer["size"]:
        return None, ""
    return answer, text.decode()


def _lost(name: str, code: int, *, limits: Limits, is_overdue: bool) -> Unreadable:
    if is_overdue:
        return Unreadable(
            f"{name} could not be read in {limits.deadline_s:g} s",
            trouble=Trouble.TOO_SLOW,
            hint="give a smaller part of it",
        )
    try:
        ending = signal.Signals(-code).name
    except ValueError:
        ending = f"code {code}"
    # A parser in machine code that is given no more memory ends its process without a word.
    memory = megabytes(limits.memory_bytes)
    return Unreadable(
        f"{name} is damaged, or needs more than {memory} of memory: what reads it broke off with "
        f"{ending}",
        trouble=Trouble.DAMAGED,
        hint="repair or export it anew, or give a part of it",
    )
