"""`python -m ultrai` as its own process, beside an upstream that runs in the test's own loop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.product.shape import check_report
from tests.contract.product.upstream import KEY, Upstream

SOURCES = Path(__file__).parents[3] / "src"
PATIENCE_S = 60


@dataclass(frozen=True)
class Ended:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        shape = json.loads(self.out)
        if "slots" in shape:
            check_report(shape)
        return shape


async def start(
    upstream: Upstream, *arguments: str, env: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """The process, under way, in the test's own environment."""
    own = {
        **os.environ,
        "PYTHONPATH": str(SOURCES),
        "OPENROUTER_BASE_URL": upstream.url,
        "OPENROUTER_API_KEY": KEY,
        "ULTRAI_BACKOFF_BASE_S": "0.01",
        "ULTRAI_CACHE": "off",
        **(env or {}),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ultrai",
        *arguments,
        env=own,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def end(process: asyncio.subprocess.Process) -> Ended:
    """Wait for it."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"it hangs; so far:\n{out.decode()}\n{err.decode()}") from None
    assert process.returncode is not None
    ended = Ended(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in ended.err
    return ended


async def command(
    upstream: Upstream, *arguments: str, env: Mapping[str, str] | None = None
) -> Ended:
    """Run it to its end."""
    return await end(await start(upstream, *arguments, env=env))


async def until(condition: Callable[[], object], patience_s: float = 30.0) -> None:
    """Wait for something that another task or process brings about."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110  what another process does sets no Event here
            await asyncio.sleep(0.01)


def interrupt(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGINT)
