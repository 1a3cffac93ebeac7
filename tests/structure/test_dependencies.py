"""What the project stands on: few direct dependencies, locked by hash, from no address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.structure.sources import ROOT, project_files, text_of

DIRECT_DEPENDENCIES = 12
LOCKS = ("demo", "dev")

_REQUIREMENT = re.compile(r"([a-z0-9][a-z0-9-]*)==(\S+)(?: ; [^\\]+)? \\")
_HASH = re.compile(r" {4}--hash=sha256:[0-9a-f]{64}(?: \\)?")
_COMMENT = re.compile(r" *#.*")

# Written in pieces, so that this file does not hold what it looks for.
_REGISTRIES = [
    name + "." + ending
    for name, ending in [
        ("pypi", "org"),
        ("pypi.python", "org"),
        ("python" + "hosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb." + "debian", "org"),
        ("security.debian", "org"),
        ("ftp.debian", "org"),
        ("archive.ubuntu", "com"),
        ("conda.anaconda", "org"),
    ]
]
_MACHINE_PATHS = ["/" + "work/" + below for below in ("main", "shared", r"\.library")] + [
    r"(?<![\w.}~])/" + "root/",
    "/" + "opt/pypi",
    "/" + "opt/wheels",
    r"(?<![\w.}~])/" + "Users/[a-z]",
    "/" + "tmp/(?:dv|lv)/",
    r"\.\./" + "shared/",
]
FORBIDDEN = re.compile("|".join([*map(re.escape, _REGISTRIES), *_MACHINE_PATHS]))


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _name(requirement: str) -> str:
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(kind: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{kind}.txt").read_text(encoding="utf-8")
    return {found[1]: found[2] for line in text.splitlines() if (found := _REQUIREMENT.match(line))}


def test_the_core_has_at_most_twelve_direct_dependencies() -> None:
    assert 0 < len(_project()["project"]["dependencies"]) <= DIRECT_DEPENDENCIES


def test_no_test_tool_is_a_dependency_of_the_core_or_of_an_extra() -> None:
    project = _project()
    tools = {_name(each) for each in project["dependency-groups"]["dev"]}
    extras = project["project"]["optional-dependencies"]
    needed = [
        *project["project"]["dependencies"],
        *(one for all_ in extras.values() for one in all_),
    ]
    assert tools.isdisjoint(map(_name, needed))


@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_holds_only_pinned_versions_and_their_hashes(kind: str) -> None:
    text = (ROOT / "requirements" / f"{kind}.txt").read_text(encoding="utf-8")
    strange = [
        line
        for line in text.splitlines()
        if not any(form.fullmatch(line) for form in (_REQUIREMENT, _HASH, _COMMENT))
    ]
    assert strange == []
    assert "://" not in text


@pytest.mark.parametrize("kind", LOCKS)
def test_every_locked_version_has_a_hash(kind: str) -> None:
    lines = (ROOT / "requirements" / f"{kind}.txt").read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if _REQUIREMENT.match(line) and not _HASH.fullmatch(following)
    ]
    assert bare == []


def test_the_demo_takes_the_versions_that_are_tested() -> None:
    assert _locked("demo").items() <= _locked("dev").items()


def test_the_locks_hold_every_direct_dependency_and_the_build_backend() -> None:
    project = _project()
    core = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["local"],
        *project["build-system"]["requires"],
    ]
    assert set(map(_name, core)) <= _locked("demo").keys()
    assert set(map(_name, project["dependency-groups"]["dev"])) <= _locked("dev").keys()


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in project_files()
        for number, line in enumerate((text_of(path) or "").splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert named == []


def test_the_search_for_registries_and_paths_finds_one() -> None:
    assert FORBIDDEN.search("https://" + "pypi" + ".org/simple")
    assert FORBIDDEN.search("see /" + "work/main/README.md")
    assert not FORBIDDEN.search("https://openrouter.ai/api/v1/tmp/x and ~/ro" + "ot/x")


def test_shipped_files_are_inside_the_packages() -> None:
    wheel = _project()["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["src/ultrai", "src/ultrai_sim"]
    data = ROOT / "src" / "ultrai"
    assert (data / "py.typed").is_file()
    assert sorted(map(Path.is_file, (data / "data").iterdir())).count(False) == 0
