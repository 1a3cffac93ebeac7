"""A key from keyring's back end that keeps passwords in a file, put there by its own command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.contract.money.command import ultrai
from tests.contract.sim.talking import with_simulator

from ultrai_sim import World

BACK_END = "keyrings.alt.file.PlaintextKeyring"
ASK = ("ask", "-m", "openai/gpt-4o-mini", "hello")


def test_a_key_that_was_put_there_with_its_own_command_answers(tmp_path: Path) -> None:
    environment = {
        "PYTHON_KEYRING_BACKEND": BACK_END,
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "OPENROUTER_API_KEY": "keyring:openrouter/me",
    }

    def put(key: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "keyring", "set", "openrouter", "me"],
            env={**environment, "HOME": str(tmp_path)},
            input=key.encode(),
            check=True,
        )

    async def story(sim):
        before = await ultrai(sim, tmp_path, *ASK, **environment)
        put(sim.api_key)
        return before, await ultrai(sim, tmp_path, *ASK, **environment)

    before, after = with_simulator(World(), story)
    assert before[0] == 6
    assert "the keyring keeps nothing for openrouter/me" in before[2]
    assert "put it there with: keyring set openrouter me" in before[2]
    assert before[2].count("\n") == 1
    assert after[0] == 0
    assert list((tmp_path / "data").rglob("*keyring*")), "the file is there, and nowhere else"
    assert "sk-or-" not in after[1] + after[2]
