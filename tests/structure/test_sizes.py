"""Code by numbers: nothing is too long to be read at once."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from tests.structure import exceptions
from tests.structure.sources import Function, functions, modules

MODULE_LINES = 400
MEDIAN_MODULE_LINES = 150
FUNCTION_LINES = 50
FUNCTION_LINES_HARD = 70
PARAMETERS = 5
POSITIONS = 2


def _compare(found: Mapping[str, int], allowed: Mapping[str, str], what: str) -> None:
    unexplained = [f"{key}: {found[key]} {what}" for key in found.keys() - allowed.keys()]
    stale = [f"{key}: no longer needs its exception" for key in allowed.keys() - found.keys()]
    assert not unexplained + stale, "\n".join(sorted(unexplained + stale))


def _is_dictated(function: Function) -> bool:
    """Whether Python, not we, chose the positions: `__aexit__` takes three."""
    name = function.node.name
    return name.startswith("__") and name.endswith("__") and name != "__init__"


def test_the_source_is_found() -> None:
    assert len(modules()) > 5
    assert len(functions()) > 20


def test_no_module_is_longer_than_400_lines() -> None:
    long = {each.path: each.lines for each in modules() if each.lines > MODULE_LINES}
    _compare(long, exceptions.LONG_MODULES, "lines")


def test_the_median_module_has_at_most_150_lines() -> None:
    sizes = [each.lines for each in modules() if len(each.tree.body) > 1]  # more than a docstring
    assert median(sizes) <= MEDIAN_MODULE_LINES


def test_no_function_is_longer_than_50_lines() -> None:
    long = {each.key: each.lines for each in functions() if each.lines > FUNCTION_LINES}
    _compare(long, exceptions.LONG_FUNCTIONS, "lines")


def test_no_exception_allows_a_function_of_more_than_70_lines() -> None:
    long = {each.key: each.lines for each in functions() if each.lines > FUNCTION_LINES_HARD}
    _compare(long, {}, "lines, and 70 is hard")


def test_no_function_takes_more_than_five_parameters() -> None:
    many = {
        each.key: len(each.parameters) for each in functions() if len(each.parameters) > PARAMETERS
    }
    _compare(many, exceptions.MANY_PARAMETERS, "parameters")


def test_parameters_are_keyword_only_after_the_second() -> None:
    many = {
        each.key: len(each.positional)
        for each in functions()
        if len(each.positional) > POSITIONS and not _is_dictated(each)
    }
    _compare(many, exceptions.MANY_POSITIONS, "positional parameters")
