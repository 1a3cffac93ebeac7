"""JSON that a schema accepts, drawn from a source of chance: arguments of calls, shaped answers.

Understood: type (also several), enum, const, properties and required, additionalProperties,
min/maxProperties, items, prefixItems, contains, min/maxItems, uniqueItems, min/maxLength, format,
pattern (`patterns`), the numeric bounds and multipleOf, anyOf, oneOf, allOf and $ref inside the
document. Not understood: not, if/then/else, dependent…, patternProperties and references to other
documents; they are passed over, so a schema that rests on them may not be met.

Recursion ends because what may be left out is left out below `DEEPEST`, and of several ways the
one that ends soonest is taken there. What a schema asks for is looked at before any of it is built:
more than `MOST_VALUES` values, `MOST_LETTERS` characters of text or `MOST_PARTS` of `allOf` and
references is no value of a sensible size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ultrai_sim.formats import text_of, text_of_pattern
from ultrai_sim.patterns import read_pattern

DEEPEST = 5
MOST_STEPS = 40
MOST_VALUES = 5000
MOST_LETTERS = 200_000
MOST_PARTS = 20_000
MOST_COMPARED = 100_000
USUAL_ITEMS = 3
USUAL_KEYWORDS = 64
MOST_TRIES = 20
# What comes of rules of the wrong type, wherever they are used.
NOT_A_SCHEMA = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
TYPES_BY_KEYWORD: Mapping[str, str] = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minLength": "string",
    "maxLength": "string",
    "pattern": "string",
    "format": "string",
    "minimum": "number",
    "maximum": "number",
    "exclusiveMinimum": "number",
    "exclusiveMaximum": "number",
    "multipleOf": "number",
}

Schema = Mapping[str, Any]


class SchemaError(ValueError):
    """A schema that is not one, or that no value of a sensible size satisfies."""


@dataclass(slots=True)
class Maker:
    """Makes values for one schema document; ``words`` and ``numbers`` are what to speak of.

    Numbers are used up in order, so that `divide 123 by 456` is called with both.
    """

    document: Any
    source: Random
    words: Sequence[str] = ("that",)
    numbers: list[float] = field(default_factory=list)
    made: int = 0
    letters: int = 0
    parts: int = 0

    def value(self) -> Any:
        """A value that satisfies the document; `SchemaError` where there is no telling how."""
        try:
            return self._make(self.document)
        except SchemaError:
            raise
        except NOT_A_SCHEMA as error:
            raise SchemaError(str(error)) from error

    def _make(self, schema: Any, *, depth: int = 0, name: str = "") -> Any:
        self.made += 1
        _check_size(self.made, MOST_VALUES)
        rules = self._resolved(schema, depth)
        if "const" in rules:
            return rules["const"]
        if rules.get("enum"):
            return self.source.choice(rules["enum"])
        kind = self._kind(rules, depth)
        if kind == "object":
            return self._object(rules, depth)
        if kind == "array":
            return self._array(rules, depth)
        if kind == "string":
            return self._text(rules, name)
        if kind in ("integer", "number"):
            return self._number(rules, whole=kind == "integer")
        return None if kind == "null" else self.source.random() < 0.5  # noqa: PLR2004

    def _text(self, rules: Schema, name: str) -> str:
        """A text; what it takes is counted before it is made."""
        _check_size(self.letters + rules.get("minLength", 0), MOST_LETTERS)
        pattern = rules.get("pattern")
        if isinstance(pattern, str):
            part = read_pattern(pattern)
            self.letters += part.work + len(pattern)
            _check_size(self.letters, MOST_LETTERS)
            text = text_of_pattern(rules, part, source=self.source)
        else:
            text = text_of(rules, name=name, words=self.words, source=self.source)
        self.letters += len(text)
        return text

    # --- schemas ------------------------------------------------------------------------------

    def _resolved(self, schema: Any, depth: int) -> Schema:
        """One flat table of rules: references followed, branches chosen, all parts merged."""
        if not isinstance(schema, Mapping):
            return {}
        self.parts += len(schema) // USUAL_KEYWORDS
        _check_size(self.parts, MOST_PARTS)
        rules: dict[str, Any] = dict(schema)
        for _ in range(MOST_STEPS):
            more: list[Any] = []
            if "$ref" in rules:
                more.append(self._referred(rules.pop("$ref")))
            more += rules.pop("allOf", ())
            for keyword in ("anyOf", "oneOf"):
                if rules.get(keyword):
                    more.append(self._branch(rules.pop(keyword), depth))
            if not more:
                break
            self.parts += len(more)
            _check_size(self.parts, MOST_PARTS)
            for part in more:
                rules = _merged(rules, part if isinstance(part, Mapping) else {})
        return rules

    def _referred(self, reference: Any) -> Any:
        """What a JSON pointer into the document points to; no rules at all for another one."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return {}
        found = self.document
        for step in filter(None, reference[1:].split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(key, {})
            elif isinstance(found, Sequence) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return {}
        return found

    def _branch(self, branches: Sequence[Any], depth: int) -> Any:
        if depth < DEEPEST:
            return self.source.choice(branches)
        self.parts += len(branches)
        _check_size(self.parts, MOST_PARTS)
        return min(branches, key=self._weight)

    def _weight(self, schema: Any) -> int:
        """How much a branch is likely to grow: references and containers most."""
        if not isinstance(schema, Mapping):
            return 1
        if "$ref" in schema:
            schema = _merged(schema, self._referred(schema["$ref"]))
        if schema.get("type") in ("null", "boolean", "integer", "number", "string"):
            return 0
        if "const" in schema or "enum" in schema:
            return 0
        return 2 + len(schema.get("required", ())) + bool(schema.get("minItems"))

    def _kind(self, rules: Schema, depth: int) -> str:
        kind = rules.get("type")
        if isinstance(kind, str):
            return kind
        if isinstance(kind, Sequence) and kind:
            simple = [one for one in kind if one not in ("object", "array")]
            return str(self.source.choice(simple if simple and depth >= DEEPEST else kind))
        for keyword, meant in TYPES_BY_KEYWORD.items():
            if keyword in rules:
                return meant
        return "string"

    # --- containers ---------------------------------------------------------------------------

    def _object(self, rules: Schema, depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = rules.get("properties") or {}
        required = list(rules.get("required") or ())
        _check_size(self.made + max(len(required), len(properties) // 2), MOST_VALUES)
        needed = set(required)
        most = rules.get("maxProperties", math.inf)
        chosen = [
            name
            for name in properties
            if name in needed or (depth < DEEPEST and self.source.random() < 0.7)  # noqa: PLR2004
        ]
        optional = [name for name in chosen if name not in needed]
        while len(chosen) > most and optional:
            chosen.remove(optional.pop())
        chosen += [name for name in required if name not in properties]
        chosen += self._more_names(rules, chosen, depth=depth)
        other = rules.get("additionalProperties")
        return {
            name: self._make(properties.get(name, other or {}), depth=depth + 1, name=name)
            for name in chosen
        }

    def _more_names(self, rules: Schema, chosen: Sequence[str], *, depth: int) -> list[str]:
        """Names beside those chosen: declared ones first, then invented ones where allowed."""
        properties = rules.get("properties") or {}
        least = rules.get("minProperties", 0)
        free = rules.get("additionalProperties")
        if isinstance(free, Mapping) and not properties and depth < DEEPEST:
            least = max(least, min(2, rules.get("maxProperties", 2)))
        missing = max(least - len(chosen), 0)
        _check_size(self.made + missing, MOST_VALUES)
        spare = [name for name in properties if name not in chosen]
        invented = (f"{self.words[n % len(self.words)].lower()}_{n + 1}" for n in range(missing))
        return (spare + ([] if free is False else list(invented)))[:missing]

    def _array(self, rules: Schema, depth: int) -> list[Any]:
        parts = self._parts(rules, depth)
        if not rules.get("uniqueItems"):
            return [self._make(part, depth=depth + 1) for part in parts]
        made: list[Any] = []
        for part in parts:
            made.append(self._item(part, depth, others=made))
        return [value for n, value in enumerate(made) if value not in made[:n]]

    def _parts(self, rules: Schema, depth: int) -> list[Any]:
        """The schema of each item of an array: given places, then those to contain, then others."""
        first = list(rules.get("prefixItems") or ())
        each = rules.get("items", {})
        if "contains" in rules:
            wanted = {"allOf": [each, rules["contains"]]}
            _check_size(self.made + rules.get("minContains", 1), MOST_VALUES)
            first += [wanted] * rules.get("minContains", 1)
        least, most = rules.get("minItems", 0), rules.get("maxItems", math.inf)
        usual = len(first) + (0 if depth >= DEEPEST else 1 + self.source.randrange(USUAL_ITEMS))
        size = min(max(usual, least), most)
        _check_size(self.made + size, MOST_VALUES)
        size = int(size)
        if each is False:
            size = min(size, len(first))
        return first[:size] + [each] * (size - len(first))

    def _item(self, schema: Any, depth: int, *, others: Iterable[Any]) -> Any:
        value = self._make(schema, depth=depth + 1)
        for _ in range(MOST_TRIES):
            if value not in others:
                break
            value = self._make(schema, depth=depth + 1)
        return value

    # --- numbers ------------------------------------------------------------------------------

    def _number(self, rules: Schema, *, whole: bool) -> float:
        least, most = _bounds(rules)
        step = rules.get("multipleOf") or (1 if whole else 0)
        for n, number in enumerate(self.numbers):
            if least <= number <= most and (not step or number % step == 0):
                del self.numbers[n]
                return int(number) if number == int(number) else number
        low = least if least > -math.inf else min(0.0, most - 100)
        high = most if most < math.inf else max(low + 100, 100.0)
        if step:
            first, last = math.ceil(low / step), math.floor(high / step)
            value = self.source.randint(first, max(first, last)) * step
            return int(value) if value == int(value) else round(value, 12)
        return min(max(round(self.source.uniform(low, high), 2), low), high)


def _check_size(size: float, most: int) -> None:
    """Refuse what is too much to be built."""
    if size > most:
        message = "no value of a sensible size satisfies it"
        raise SchemaError(message)


def _bounds(rules: Schema) -> tuple[float, float]:
    """The least and the greatest value; exclusive bounds are moved by a thousandth or by one."""
    least, most = rules.get("minimum", -math.inf), rules.get("maximum", math.inf)
    nudge = 1 if rules.get("type") == "integer" else rules.get("multipleOf") or 0.001
    below, above = rules.get("exclusiveMinimum"), rules.get("exclusiveMaximum")
    if below is True:
        least += nudge
    elif isinstance(below, int | float):
        least = max(least, below + nudge)
    if above is True:
        most -= nudge
    elif isinstance(above, int | float):
        most = min(most, above - nudge)
    return least, most


def _merged(one: Schema, other: Schema) -> dict[str, Any]:
    """Both tables as one that is at least as strict as each."""
    both: dict[str, Any] = {**other, **one}
    aside: list[Any] = [*one.get("allOf", ()), *other.get("allOf", ())]
    for keyword in one.keys() & other.keys():
        if keyword in MERGED:
            both[keyword] = MERGED[keyword](one[keyword], other[keyword])
        elif keyword in ("anyOf", "oneOf", "$ref"):
            aside.append({keyword: other[keyword]})
    return both | ({"allOf": aside} if aside else {})


def _all_properties(one: Schema, other: Schema) -> Schema:
    shared = {name: {"allOf": [one[name], other[name]]} for name in one.keys() & other.keys()}
    return {**other, **one, **shared}


def _common(one: Any, other: Any) -> Any:
    """The types that two rules allow both; an integer is a number."""
    mine, theirs = ([kind] if isinstance(kind, str) else list(kind) for kind in (one, other))
    both = [kind for kind in mine if kind in theirs]
    if "integer" in (*mine, *theirs) and "number" in (*mine, *theirs):
        both.append("integer")
    return both or mine


def _shared_values(one: Sequence[Any], other: Sequence[Any]) -> Sequence[Any]:
    _check_size(len(one) * len(other), MOST_COMPARED)
    return [value for value in one if value in other] or one


MERGED: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": _all_properties,
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "enum": _shared_values,
    "type": _common,
    "additionalProperties": lambda one, other: one if other in (True, {}) else other,
    **dict.fromkeys(("minimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "maxProperties"), min),
}
