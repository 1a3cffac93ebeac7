"""The mutations of `scripts/mutation_check.py` still fit the code that they break."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
FEWEST = 15


def _script() -> ModuleType:
    path = ROOT / "scripts" / "mutation_check.py"
    spec = importlib.util.spec_from_file_location("mutation_check", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_mutation_still_fits_exactly_one_place() -> None:
    mutations = _script().load()
    assert len(mutations) >= FEWEST
    misfits = [
        mutation.name
        for mutation in mutations
        if (ROOT / "src" / mutation.file).read_text("utf-8").count(mutation.old) != 1
    ]
    assert misfits == []


def test_the_tests_that_should_notice_exist_and_names_are_told_apart() -> None:
    mutations = _script().load()
    assert len({mutation.name for mutation in mutations}) == len(mutations)
    named = {test for mutation in mutations for test in mutation.tests}
    assert [test for test in sorted(named) if not (ROOT / test).exists()] == []
