"""Break the engine on purpose, one way at a time, and see that tests or simulation notice.

python scripts/mutation_check.py                 every mutation; exit 1 if one survives
python scripts/mutation_check.py --only NAME     one of them (may be given several times)
python scripts/mutation_check.py --list          what there is

Theory of operation. `mutations.toml` beside this script names, for each mutation, a file below
`src`, a text that occurs there exactly once, what it becomes, and the tests that should notice. The
tree is copied to a temporary directory (the checkout is never touched), the text is replaced, and
the tests run until the first of them fails. Where they all pass, simulated worlds are played; where
those find nothing either, the mutation has survived. Before anything is broken the same tests must
pass, or nothing is proven.

Needs the environment of `make venv`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("mutations.toml")
COPIED = ("src", "tests", "bench", "scripts", "LICENSE", "pyproject.toml", "docs", "examples")
PATIENCE_S = 900  # a machine may be busy; a test that hangs ends by its own limit
LONGEST_TEST_S = 30
WORLDS = 200
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
_SEED = re.compile(r"^seed \d+: ", re.MULTILINE)


@dataclass(frozen=True)
class Mutation:
    """One way to break it."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, tree: Path) -> None:
        """Break the copy. Raises ValueError when the text is not there exactly once."""
        path = tree / "src" / self.file
        text = path.read_text("utf-8")
        if text.count(self.old) != 1:
            message = f"{self.name}: its text occurs {text.count(self.old)} times in {self.file}"
            raise ValueError(message)
        path.write_text(text.replace(self.old, self.new), "utf-8")


@dataclass(frozen=True)
class Verdict:
    """What noticed it; `by` None: nothing did. `invalid`: why this says nothing, if so."""

    mutation: Mutation
    by: str | None
    seconds: float
    invalid: str | None = None


def load() -> list[Mutation]:
    """All mutations of the table."""
    rows = tomllib.loads(TABLE.read_text("utf-8"))["mutations"]
    return [Mutation(**{**row, "tests": tuple(row["tests"])}) for row in rows]


def check(mutation: Mutation) -> Verdict:
    """Break a copy in this way and look who notices."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="ultrai-mutant-") as name:
        tree = _copy(Path(name))
        mutation.apply(tree)
        try:
            by, invalid = _noticed_by(tree, mutation.tests), None
        except NothingSaidError as error:
            by, invalid = None, str(error)
    return Verdict(mutation, by, time.perf_counter() - began, invalid)


class NothingSaidError(Exception):
    """What ran neither passed nor failed: nothing was noticed, and nothing was missed."""


def _copy(tree: Path) -> Path:
    for part in COPIED:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / part)
    return tree


def _noticed_by(tree: Path, tests: Sequence[str]) -> str | None:
    told = _run(
        tree,
        "-m",
        "pytest",
        "-q",
        "-x",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-o",
        f"timeout={LONGEST_TEST_S}",
        *tests,
    )
    code, output = told
    if code:
        failed = _FAILED.search(output)
        if failed is None:  # broken so that it cannot even be imported: no test was asked
            message = "the tests do not even start"
            raise NothingSaidError(message)
        return failed.group(1)
    told = _run(tree, "-m", "tests.simulation.soak", "--jobs", "1", "--worlds", str(WORLDS))
    code, output = told
    found = _SEED.search(output)
    if code or found:
        return f"simulation, {found.group(0).rstrip(': ')}" if found else "simulation"
    return None


def _run(tree: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output. Raises NothingSaidError when it does not end."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"nothing ended within {PATIENCE_S} s"
        raise NothingSaidError(message) from None
    return done.returncode, done.stdout + done.stderr


def _prove_sound(mutations: Sequence[Mutation]) -> str | None:
    """What fails in the tree as it is; None: nothing, so a failure later is the mutation's."""
    tests = sorted({test for mutation in mutations for test in mutation.tests})
    with tempfile.TemporaryDirectory(prefix="ultrai-sound-") as name:
        return _noticed_by(_copy(Path(name)), tests)


def main(argv: Sequence[str] | None = None) -> int:
    """0: each mutation is noticed; 1: one survives; 2: the table or the tree is not fit for it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", action="append", metavar="NAME", help="only this one")
    parser.add_argument("--list", action="store_true", help="list the mutations")
    parser.add_argument("--json", action="store_true", help="one JSON object per verdict")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    options = parser.parse_args(argv)
    mutations = [m for m in load() if not options.only or m.name in options.only]
    if options.list:
        for mutation in mutations:
            _say(f"{mutation.name:32} {mutation.breaks}")
        return 0
    if not mutations:
        _say(f"no mutation is called {', '.join(options.only)}; --list names them")
        return 2
    try:
        broken = _prove_sound(mutations)
    except NothingSaidError as error:
        broken = str(error)
    if broken is not None:
        _say(f"nothing can be proven: without any mutation this fails: {broken}")
        return 2
    return _check_all(mutations, options)


def _check_all(mutations: Sequence[Mutation], options: argparse.Namespace) -> int:
    survivors = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for verdict in pool.map(check, mutations):
            survivors += verdict.by is None
            _tell(verdict, as_json=options.json)
    if not options.json:
        _say(f"{len(mutations)} mutations, {survivors} survived")
    return 1 if survivors else 0


def _tell(verdict: Verdict, *, as_json: bool) -> None:
    mutation = verdict.mutation
    if as_json:
        row = {"name": mutation.name, "by": verdict.by, "seconds": round(verdict.seconds, 1)}
        row |= {} if verdict.invalid is None else {"invalid": verdict.invalid}
        _say(json.dumps(row))
        return
    told = verdict.by or (verdict.invalid and f"SAYS NOTHING: {verdict.invalid}") or "SURVIVED"
    _say(f"{mutation.name:32} {verdict.seconds:5.0f} s  {told}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
