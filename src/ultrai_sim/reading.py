"""Reading values of a scenario: what each may be, and where in the file a wrong one stands.

A value that passes can be carried out: no number is too large for a clock, a sum or a body.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, TypeVar

MOST_SECONDS = 1e9
MOST_USD = 10**9
MOST_DECIMALS = 40
MOST_WHOLE = 10**15
MOST_DEEP = 50
LONGEST_SHOWN = 60

Value = TypeVar("Value")
Check = Callable[[Any], str | None]

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)|\(at end of document\)")
_LONG_NUMBER = re.compile(r"[0-9_]{4000}")
_KEY = re.compile(r"""^\s*(?P<key>"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*[.=]""")


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a scenario: a table, which one of several (from 0), and a key in it."""

    table: str = ""
    index: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        """`faults[2].status`, counted from 1."""
        number = "" if self.index is None else f"[{self.index + 1}]"
        key = self.key
        if key is not None and len(key) > LONGEST_SHOWN:
            key = key[: LONGEST_SHOWN - 1] + "…"
        return ".".join(filter(None, (f"{self.table}{number}", key)))


class WrongValue(ValueError):
    """Something in a scenario is wrong; the text says what, ``where`` says where."""

    def __init__(self, where: Where, message: str) -> None:
        super().__init__(f"{where}: {message}" if str(where) else message)
        self.where = where


def line_of(text: str, where: Where) -> int | None:
    """The number of the line that holds that place; None: not found.

    A scanner of headers and keys, not a parser: what it takes for a header inside a text of several
    lines can only make the number wrong.
    """
    table, seen, found = "", dict[str, int](), None
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            table = header[1].strip()
            seen[table] = seen.get(table, -1) + 1
        base = table.partition(".")[0]
        if not table and found is None and _key_of(line) == where.table:
            found = number  # a table written as one value: `models = [1]`
        if base != where.table or (where.index is not None and seen.get(base, 0) != where.index):
            continue
        if header is not None:
            found = number if found is None else found
            continue
        if where.key is not None and _key_of(line) == where.key:
            return number
    return found


def _key_of(line: str) -> str | None:
    key = _KEY.match(line)
    return None if key is None else key["key"].strip("\"'")


def nearest(key: str, valid: Sequence[str]) -> str:
    """The valid key that is spelt most like it."""
    return get_close_matches(key[:LONGEST_SHOWN], valid, 1, 0.0)[0]


class NotTOML(ValueError):
    """A text that cannot be read; ``line`` is where, the text says why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read_toml(text: str) -> dict[str, Any]:
    """The document that a text writes; `NotTOML` too where it is too deep or a number too long."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else len(text.splitlines())
        raise NotTOML(line, f"not TOML: {_TOML_PLACE.sub('', str(error)).strip()}") from None
    except RecursionError:
        raise _too_deep(text) from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        found = _LONG_NUMBER.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        raise NotTOML(line, "a number of more than 4,000 digits") from None
    if _depth(document) > MOST_DEEP:
        raise _too_deep(text)
    return document


def _too_deep(text: str) -> NotTOML:
    """Names the line that opens most."""
    lines = [line.count("[") + line.count("{") for line in text.splitlines()]
    line = lines.index(max(lines)) + 1
    return NotTOML(line, f"more than {MOST_DEEP} lists and tables inside each other")


def _depth(document: Any) -> int:
    """How many lists and tables are inside each other, at most."""
    deepest, left = 0, [(document, 1)]
    while left:
        value, depth = left.pop()
        inner = value.values() if isinstance(value, Mapping) else value
        deepest = max(deepest, depth)
        left += [(each, depth + 1) for each in inner if isinstance(each, Mapping | list)]
    return deepest


def short(value: Any) -> str:
    """A value as a complaint names it, on one line of a terminal."""
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number of more than 30 digits"  # which Python may even refuse to write
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # such a number inside
        return f"a {type(value).__name__} that is too large to be shown"
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "…"


# --- what a value may be --------------------------------------------------------------------


def a_text(value: Any) -> str | None:
    """Any text."""
    return None if isinstance(value, str) else f"expected a text, not {short(value)}"


def true_or_false(value: Any) -> str | None:
    """A truth value."""
    return None if isinstance(value, bool) else f"expected true or false, not {short(value)}"


def whole(value: Any) -> str | None:
    """A whole number, 0 or more."""
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_WHOLE
    return None if fits else f"expected a whole number, 0 or more, not {short(value)}"


def whole_up_to(most: int) -> Check:
    """A whole number, 0 or more, with a bound."""

    def check(value: Any) -> str | None:
        fits = whole(value) is None and value <= most
        return None if fits else f"expected a whole number, 0 to {most:,}, not {short(value)}"

    return check


def positive(value: Any) -> str | None:
    """A whole number, 1 or more."""
    return None if whole(value) is None and value else f"expected 1 or more, not {short(value)}"


def seconds(value: Any) -> str | None:
    """A duration, not negative, of thirty years at most."""
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if fits and 0 <= value <= MOST_SECONDS:
        return None
    return f"expected a number of seconds, 0 to 1,000,000,000, not {short(value)}"


def amount_of(value: Any) -> Decimal | None:
    """The finite amount, 0 or more, that a text or a number writes; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        amount = Decimal(value if isinstance(value, int) else str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def money(value: Any) -> str | None:
    """An amount in USD, finite and not negative; text or number."""
    amount = amount_of(value)
    if amount is None:
        return f"expected an amount in USD, 0 or more, not {short(value)}"
    if amount > MOST_USD:
        return f"expected an amount in USD, at most {MOST_USD:,}, not {short(value)}"
    exponent = amount.as_tuple().exponent
    fits = isinstance(exponent, int) and exponent >= -MOST_DECIMALS
    return None if fits else f"expected at most {MOST_DECIMALS} decimals, not {short(value)}"


def share(value: Any) -> str | None:
    """A part of a price: from 0 to 1; text or number."""
    problem = money(value)
    if problem is None and Decimal(str(value)) > 1:
        problem = f"expected a part from 0 to 1, not {short(value)}"
    return problem


def texts(value: Any) -> str | None:
    """A list of texts."""
    fits = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    return None if fits else f"expected a list of texts, not {short(value)}"


def some_texts(value: Any) -> str | None:
    """A list of texts, at least one."""
    fits = texts(value) is None and len(value) > 0
    return None if fits else f"expected a list of texts, at least one, not {short(value)}"


def a_table(value: Any) -> str | None:
    """A table."""
    return None if isinstance(value, Mapping) else f"expected a table, not {short(value)}"


def a_list(value: Any) -> str | None:
    """A list."""
    return None if isinstance(value, list) else f"expected a list, not {short(value)}"


def one_of(*valid: object) -> Check:
    """One of these."""

    def check(value: Any) -> str | None:
        if any(value == each and type(value) is type(each) for each in valid):
            return None
        return f"{short(value)} is not one of {', '.join(str(each) for each in valid)}"

    return check


def first_problem(terms: object, checks: Mapping[str, Check]) -> str | None:
    """What is wrong with a dataclass; a field may always be what it is by default."""
    for spec in fields(terms):  # type: ignore[arg-type]
        value = getattr(terms, spec.name)
        if value is spec.default or spec.name not in checks:
            continue
        problem = checks[spec.name](value)
        if problem is not None:
            return f"{spec.name}: {problem}"
    return None


def read_table(kind: type[Value], row: Any, *, checks: Mapping[str, Check], where: Where) -> Value:
    """A dataclass from a table; every key is one of ``checks`` and passes it."""
    problem = a_table(row)
    if problem is not None:
        raise WrongValue(where, problem)
    for key, value in row.items():
        place = Where(where.table, where.index, key)
        if key not in checks:
            message = f"unknown key {short(key)}; nearest valid key: {nearest(key, list(checks))!r}"
            raise WrongValue(place, message)
        problem = checks[key](value)
        if problem is not None:
            raise WrongValue(place, problem)
    for spec in fields(kind):  # type: ignore[arg-type]
        if _is_required(spec) and spec.name not in row:
            raise WrongValue(where, f"{spec.name!r} is missing")
    values = {key: _as_field(value, is_money=checks[key] is money) for key, value in row.items()}
    try:
        return kind(**values)
    except ValueError as error:  # what only the whole can tell
        raise WrongValue(where, str(error)) from None


def _is_required(spec: Field[Any]) -> bool:
    return spec.default is MISSING and spec.default_factory is MISSING


def _as_field(value: Any, *, is_money: bool) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return str(value) if is_money else value
