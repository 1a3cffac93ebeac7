"""Alerts to a program: the JSON on its standard input, no shell in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ultrai.domain.alert import Alert


@dataclass(frozen=True, slots=True)
class Command:
    """Fits `engine.ports.AlertSink`. What the program prints goes nowhere."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]

    async def deliver(self, alert: Alert) -> str | None:
        """It has ended with 0; else how. It is killed where nobody waits for it any more."""
        body = json.dumps(alert.to_dict(), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            process = await self._start()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return f"{self.argv[0]} cannot be started: {reason}"
        try:
            await process.communicate(body)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    _kill(process)
                await process.wait()
        code = process.returncode
        return None if code == 0 else f"{self.argv[0]} ended with {code}"

    async def _start(self) -> asyncio.subprocess.Process:
        nowhere = asyncio.subprocess.DEVNULL
        starting = asyncio.get_running_loop().create_task(
            asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=nowhere,
                stderr=nowhere,
                env=dict(self.environ),
                start_new_session=True,  # so that what it has started can be ended with it
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # It may run already, and have started others.
            with suppress(OSError, ValueError):
                process = await starting
                _kill(process)
                await process.wait()
            raise


def _kill(process: asyncio.subprocess.Process) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
