"""Alerts to a program: the JSON on its standard input, no shell in between."""

from __future__ import annotations

import asyncio
import json
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
        body = json.dumps(alert.to_dict(), ensure_ascii=False).encode() + b"\n"
        nowhere = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=nowhere,
                stderr=nowhere,
                env=dict(self.environ),
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return f"{self.argv[0]} cannot be started: {reason}"
        try:
            await process.communicate(body)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        code = process.returncode
        return None if code == 0 else f"{self.argv[0]} ended with {code}"
