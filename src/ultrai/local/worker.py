"""One child process with one model in it, seen from the parent. See `worker_main` for the child.

Everything here blocks and is called in threads, except `kill`, which may come from any thread at
any time, also before the process exists.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ultrai.domain.errors import LocalModelError

LAST_WORDS_S = 2.0
WORKER_SCRIPT = Path(__file__).with_name("worker_main.py")


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told. `api_key` is what its HTTP server will ask for."""

    path: str
    alias: str
    context_tokens: int
    threads: int
    api_key: str = field(repr=False)


class Worker:
    """Starts the process, waits until the model is loaded, ends it."""

    def __init__(self, job: Job, *, script: Path = WORKER_SCRIPT) -> None:
        self._job = job
        self._script = script
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The process's number, once there is one."""
        return self._process.pid if self._process is not None else None

    def load(self) -> str:
        """Start, load the model, return the server's address; LocalModelError if that fails."""
        with self._lock:
            if self._killed:
                raise LocalModelError(f"{self._job.alias} was closed while it was loading")
            process = self._process = _spawn(self._script)
        answer = _converse(process, self._job)
        if "address" in answer:
            return str(answer["address"])
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LAST_WORDS_S)
        self.kill()
        cause = answer.get("error") or _ending(process.returncode)
        raise LocalModelError(
            f"{self._job.alias} could not be loaded: {cause}",
            hint=f"check free memory, or pull it anew: ultrai local remove {self._job.alias}, "
            f"then ultrai local pull {self._job.alias}",
        )

    def kill(self) -> None:
        """End the process at once and wait for its end; harmless if there is none."""
        with self._lock:
            self._killed = True
            process = self._process
            if process is None:
                return
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what could not be sent any more does not matter
                        pipe.close()


def _spawn(script: Path) -> subprocess.Popen[bytes]:
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    # `-P`: the script's folder holds modules whose names must not hide others'. A session of its
    # own: Ctrl-C on the terminal must not reach it.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and our own script
        [sys.executable, "-P", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=flags,
    )


def _converse(process: subprocess.Popen[bytes], job: Job) -> dict[str, object]:
    """Send the job, await the answer; an empty one if the process ends or is killed first."""
    if process.stdin is None or process.stdout is None:  # pragma: no cover - both were asked for
        return {}
    try:
        process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
    except (OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _ending(code: int) -> str:
    if code >= 0:
        return f"its process ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"its process was ended by {name}"
