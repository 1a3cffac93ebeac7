"""Programs in pages and in `examples/` are run against the simulator; fragments compile."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import ROOT, Block, blocks

from ultrai.settings.load import load
from ultrai_sim import load_scenario

if TYPE_CHECKING:
    from tests.docs.conftest import Runs

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SCENARIO_KEYS = {"seed", "latency", "faults", "models", "says", "keys", "account", "changes"}
LAST_LINES = {
    "ask_a_cocktail.py": "cost: $",
    "batch.py": "What is 7 squared? ",
    "cost_cap.py": "complete for $",
    "offline_test.py": "the backup answered",
    "own_models.py": "google/gemini-2.5-flash -> google/gemini-2.5-flash",
    "stream_events.py": "complete",
}


def _in(language: str) -> list[Block]:
    return [block for block in blocks() if block.language == language]


def _is_program(block: Block) -> bool:
    if "not run" in block.remarks or not re.search(
        r"^(import|from) ultrai", block.text, re.MULTILINE
    ):
        return False
    try:
        compile(block.text, block.name, "exec")
    except SyntaxError:
        return False
    return True


PROGRAMS = [block for block in _in("python") if _is_program(block)]


@pytest.mark.parametrize("block", _in("python"), ids=lambda block: block.name)
def test_a_fragment_compiles_as_in_a_notebook(block: Block) -> None:
    compile(block.text, block.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.name)
def test_a_program_in_a_page_runs(block: Block, typed: Runs) -> None:
    ended = typed([sys.executable, "-c", block.text])
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""


def test_some_programs_are_run() -> None:
    assert len(PROGRAMS) >= 4


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs(example: Path, typed: Runs) -> None:
    ended = typed([sys.executable, str(example)])
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-1].startswith(LAST_LINES[example.name])


def test_every_example_has_its_line() -> None:
    assert {example.name for example in EXAMPLES} == set(LAST_LINES)


@pytest.mark.parametrize("block", _in("toml"), ids=lambda block: block.name)
def test_a_toml_block_is_a_scenario_or_settings_that_load(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "shown.toml"
    path.write_text(block.text, encoding="utf-8")
    if SCENARIO_KEYS & set(tomllib.loads(block.text)):
        load_scenario(path)
    else:
        assert load(config=path).source == path


@pytest.mark.parametrize("block", _in("json"), ids=lambda block: block.name)
def test_a_json_block_parses(block: Block) -> None:
    json.loads(block.text)
