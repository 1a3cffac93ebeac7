"""Names that have one home: the outside world enters the program in few, known places."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable

import pytest
from tests.structure.exceptions import HOMES
from tests.structure.sources import (
    Function,
    Module,
    functions,
    modules,
    names_used,
    project_files,
    text_of,
)

_ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}
_CLOCK = {
    "time.time",
    "time.time_ns",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}
_CHANCE = {"uuid.uuid1", "uuid.uuid4", "os.urandom", "random.SystemRandom"}
_UNNAMED_TASK = re.compile(
    rf"\b({'|'.join(('TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'))})\b(?!\([a-z]+\))"
)
_CODE = {".py", ".sh", ".toml", ".js", ".html", ".css", ".mako"}


def _is_chance(name: str) -> bool:
    first, _, last = name.rpartition(".")
    shared_generator = first == "random" and last.islower()
    return shared_generator or first == "secrets" or name in _CHANCE


RULES: dict[str, Callable[[str], bool]] = {
    "print": lambda name: name in {"print", "builtins.print", "pprint.pprint"},
    "environment": _ENVIRONMENT.__contains__,
    "clock": _CLOCK.__contains__,
    "chance": _is_chance,
}


def _is_home(path: str, rule: str) -> bool:
    return any(path == home or (home[-1] == "/" and path.startswith(home)) for home in HOMES[rule])


@pytest.mark.parametrize("rule", RULES)
def test_each_way_to_the_outside_world_has_one_home(rule: str) -> None:
    strangers = sorted(
        f"{module.path}:{line}: {name}"
        for module in modules()
        if not _is_home(module.path, rule)
        for name, line in names_used(module)
        if RULES[rule](name)
    )
    assert not strangers, "\n".join(strangers)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("print", "print('x')"),
        ("environment", "import os as o\no.environ['x']"),
        ("environment", "from os import getenv as get"),
        ("clock", "import datetime as dt\nmoment = dt.datetime.now(dt.UTC)"),
        ("clock", "from datetime import datetime\ndef f(clock=datetime.now): ..."),
        ("clock", "import time\ntime.time()"),
        ("chance", "import random\nrandom.choice([1])"),
        ("chance", "from random import random as roll"),
        ("chance", "import uuid\nuuid.uuid4()"),
    ],
)
def test_a_stranger_is_recognised_under_any_alias(rule: str, code: str) -> None:
    module = Module("x.py", code, ast.parse(code))
    assert any(RULES[rule](name) for name, _ in names_used(module))


@pytest.mark.parametrize(
    "code",
    ["import random\nrandom.Random(7).choice([1])", "world.clock.now()", "run.print(1)"],
)
def test_what_was_passed_in_is_no_stranger(code: str) -> None:
    module = Module("x.py", code, ast.parse(code))
    mentioned = [name for name, _ in names_used(module)]
    assert [name for rule in RULES.values() for name in mentioned if rule(name)] == []


@pytest.mark.parametrize("rule", RULES)
def test_each_home_is_lived_in(rule: str) -> None:
    lived_in = {
        home
        for home in HOMES[rule]
        for module in modules()
        if module.path == home or (home[-1] == "/" and module.path.startswith(home))
        if home[-1] == "/" or any(RULES[rule](name) for name, _ in names_used(module))
    }
    assert lived_in == set(HOMES[rule])


def _is_unpacked(annotation: ast.expr | None) -> bool:
    """Whether a TypedDict names every keyword, so that nothing passes unnamed."""
    return (
        isinstance(annotation, ast.Subscript)
        and isinstance(annotation.value, ast.Name)
        and annotation.value.id == "Unpack"
    )


def _forwards(function: Function) -> bool:
    taken = function.node.args.kwarg
    if taken is None or _is_unpacked(taken.annotation):
        return False
    return any(
        keyword.arg is None
        and isinstance(keyword.value, ast.Name)
        and keyword.value.id == taken.arg
        for call in ast.walk(function.node)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
    )


def test_no_function_passes_keyword_arguments_through_unnamed() -> None:
    assert [each.key for each in functions() if _forwards(each)] == []


def test_the_nouns_and_the_policy_need_only_the_standard_library() -> None:
    foreign = sorted(
        f"{module.path}: {name}"
        for module in modules()
        if module.path.startswith(("ultrai/domain/", "ultrai/policy/"))
        for name in _imported_packages(module.tree)
        if name not in _standard_and_ours()
    )
    assert foreign == []


def test_the_policy_awaits_nothing() -> None:
    waiting = [
        each.key
        for each in functions()
        if each.key.startswith(("ultrai/domain/", "ultrai/policy/"))
        and isinstance(each.node, ast.AsyncFunctionDef)
    ]
    assert waiting == []


def test_every_open_task_in_the_code_names_its_person() -> None:
    unnamed = [
        f"{path.name}:{number}: {line.strip()}"
        for path in project_files()
        if path.suffix in _CODE
        for number, line in enumerate((text_of(path) or "").splitlines(), 1)
        if _UNNAMED_TASK.search(line)
    ]
    assert unnamed == []


def _imported_packages(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _standard_and_ours() -> frozenset[str]:

    return sys.stdlib_module_names | {"ultrai"}
