"""Who may import whom, and what `import ultrai` costs and offers."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

from tests.structure.sources import ROOT, SOURCE

LAYERS = [
    {"cli"},
    {"server"},
    {"assembly", "testing"},
    {"engine", "upstream", "store", "local", "settings", "signals", "reading", "indexing"},
    {"policy"},
    {"domain"},
]
HEAVY = ["aiohttp", "sqlalchemy", "alembic", "rich", "starlette", "xllamacpp", "click"]
PUBLIC = (
    "Answer",
    "Cocktail",
    "Event",
    "Failure",
    "Notice",
    "Plan",
    "Query",
    "Report",
    "Settings",
    "Slot",
    "UltrAI",
    "UltraiError",
    "__version__",
    "ask",
    "open",
)


def _run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_imports_only_packages_below_it() -> None:
    run = _run_python(
        "import sys; from importlinter.cli import lint_imports_command as check;"
        " sys.argv = ['lint-imports', '--no-cache', '--no-logo']; check()"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def test_the_layers_that_are_checked_are_these() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers, apart = settings["tool"]["importlinter"]["contracts"]
    written = [{name.strip(" ()") for name in line.split("|")} for line in layers["layers"]]
    assert written == LAYERS
    assert layers["containers"] == ["ultrai"]
    assert layers["exhaustive"] is True
    assert apart["type"] == "independence"
    assert set(apart["modules"]) == {"ultrai", "ultrai_sim"}


def test_importing_ultrai_loads_nothing_heavy() -> None:
    run = _run_python("import ultrai, sys; print('loaded', *sys.modules)")
    assert run.returncode == 0, run.stderr
    loaded = run.stdout.split()
    assert loaded[0] == "loaded"
    assert "ultrai" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_the_public_names_are_these() -> None:
    run = _run_python("import ultrai; print(*sorted(ultrai.__all__))")
    assert run.returncode == 0, run.stderr
    assert tuple(run.stdout.split()) == PUBLIC


def test_each_public_name_is_there() -> None:
    run = _run_python("import ultrai; print(*(n for n in ultrai.__all__ if hasattr(ultrai, n)))")
    assert run.returncode == 0, run.stderr
    assert sorted(run.stdout.split()) == sorted(PUBLIC)


def test_the_version_is_that_of_the_project() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run = _run_python("import ultrai; print(ultrai.__version__)")
    assert run.stdout.strip() == settings["project"]["version"]
