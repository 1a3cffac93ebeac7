"""Runs one command against a simulator, as a person with a management key would."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def surroundings(sim, home: Path, **environment: str) -> dict[str, str]:
    """The variables of a command that works with the simulator and keeps its state in `home`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OPENROUTER", "ULTRAI"))}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "ULTRAI_HOME": str(home / "state"),
        "ULTRAI_CACHE": "off",  # whoever asks the same twice pays twice
        "OPENROUTER_BASE_URL": sim.base_url,
        "OPENROUTER_API_KEY": sim.api_key,
        "OPENROUTER_MANAGEMENT_KEY": sim.world.management_key,
        **environment,
    }


async def ultrai(sim, home: Path, *arguments: str, **environment: str):
    """One command: its exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ultrai.cli", *arguments),
        env=surroundings(sim, home, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()
