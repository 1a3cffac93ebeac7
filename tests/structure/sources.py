"""The project's own source as values: modules, functions, and what each name refers to.

Everything here is read, nothing imported, so that a broken module still has its size and names.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_NOT_OURS = frozenset({".git", ".venv", "__pycache__", "build", "dist", "node_modules"})


@dataclass(frozen=True)
class Module:
    """One file below `src`; `path` is relative to it, with forward slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Lines of the file, blank ones and comments included."""
        return len(self.text.splitlines())


@dataclass(frozen=True)
class Function:
    """One function, method or nested function; `key` is `path::qualified.name`."""

    key: str
    node: FunctionNode
    is_method: bool

    @property
    def lines(self) -> int:
        """Lines from `def` to the end: docstring included, decorators not."""
        assert self.node.end_lineno is not None
        return self.node.end_lineno - self.node.lineno + 1

    @property
    def positional(self) -> list[str]:
        """Names of the parameters that may be passed by position, without self or cls."""
        arguments = self.node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
        return names[1:] if self.is_method else names

    @property
    def parameters(self) -> list[str]:
        """Names of all parameters but self or cls; `*args` and `**kwargs` count as one each."""
        arguments = self.node.args
        rest = [each.arg for each in (arguments.vararg, arguments.kwarg) if each]
        return [*self.positional, *(each.arg for each in arguments.kwonlyargs), *rest]


@cache
def modules() -> tuple[Module, ...]:
    """Every module of both packages, in the order of their paths."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(SOURCE).as_posix()
        found.append(Module(where, text, ast.parse(text, filename=where)))
    return tuple(found)


@cache
def functions() -> tuple[Function, ...]:
    """Every function of both packages."""
    return tuple(each for module in modules() for each in functions_of(module))


def functions_of(module: Module) -> list[Function]:
    """The functions of one module, nested ones too."""
    return list(_functions_below(module.tree, module.path, ()))


def _functions_below(
    node: ast.AST, path: str, outer: tuple[str, ...], *, in_class: bool = False
) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode):
            names = (*outer, child.name)
            is_method = in_class and not _is_static(child)
            yield Function(f"{path}::{'.'.join(names)}", child, is_method)
            yield from _functions_below(child, path, names)
        elif isinstance(child, ast.ClassDef):
            yield from _functions_below(child, path, (*outer, child.name), in_class=True)
        else:
            yield from _functions_below(child, path, outer, in_class=in_class)


def _is_static(node: FunctionNode) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list
    )


def names_used(module: Module) -> Iterator[tuple[str, int]]:
    """Full dotted names that the module mentions, each with its line: `datetime.datetime.now`.

    Aliases are followed (`import time as t`, `from os import environ`). A mention counts, not only
    a call: a clock handed over as a default is a use of that clock.
    """
    meanings = _imported_names(module.tree)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                yield f"{node.module}.{each.name}", node.lineno
        elif isinstance(node, ast.Attribute | ast.Name):
            dotted = _dotted(node)
            if dotted is None:
                continue
            first, _, rest = dotted.partition(".")
            meaning = meanings.get(first, first)
            yield (f"{meaning}.{rest}" if rest else meaning), node.lineno


def _imported_names(tree: ast.Module) -> Mapping[str, str]:
    meanings: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                plain = each.name.partition(".")[0]
                meanings[each.asname or plain] = each.name if each.asname else plain
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                meanings[each.asname or each.name] = f"{node.module}.{each.name}"
    return meanings


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return None


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is, or could be, committed; a checkout without git counts them all."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        everything = ROOT.rglob("*")
        paths = [each for each in everything if not _NOT_OURS & set(each.relative_to(ROOT).parts)]
    else:
        paths = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    return tuple(sorted(each for each in paths if each.is_file()))


def text_of(path: Path) -> str | None:
    """The text of a file, or None where it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
