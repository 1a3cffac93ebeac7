"""Whether a value satisfies a JSON schema, as far as the tests speak of schemas."""

from __future__ import annotations

import re
from typing import Any

KINDS: dict[str, Any] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
FORMATS = {
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"\d\d:\d\d:\d\d(\.\d+)?Z",
    "duration": r"P\d+DT\d+H",
    "email": r"[^@ ]+@[\w.-]+",
    "hostname": r"[a-z0-9.-]+",
    "ipv4": r"(\d{1,3}\.){3}\d{1,3}",
    "ipv6": r"([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}",
    "uri": r"https://\S+",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
}
BOUNDS = {
    "minLength": lambda value, bound: not isinstance(value, str) or len(value) >= bound,
    "maxLength": lambda value, bound: not isinstance(value, str) or len(value) <= bound,
    "minItems": lambda value, bound: not isinstance(value, list) or len(value) >= bound,
    "maxItems": lambda value, bound: not isinstance(value, list) or len(value) <= bound,
    "minProperties": lambda value, bound: not isinstance(value, dict) or len(value) >= bound,
    "maxProperties": lambda value, bound: not isinstance(value, dict) or len(value) <= bound,
    "minimum": lambda value, bound: not KINDS["number"](value) or value >= bound,
    "maximum": lambda value, bound: not KINDS["number"](value) or value <= bound,
    "exclusiveMinimum": lambda value, bound: not KINDS["number"](value) or value > bound,
    "exclusiveMaximum": lambda value, bound: not KINDS["number"](value) or value < bound,
    "multipleOf": lambda value, step: (
        not KINDS["number"](value) or abs(value / step - round(value / step)) < 1e-9
    ),
    "pattern": lambda value, wanted: not isinstance(value, str) or bool(re.search(wanted, value)),
    "format": lambda value, name: (
        not isinstance(value, str) or bool(re.fullmatch(FORMATS.get(name, ".*"), value))
    ),
    "const": lambda value, wanted: value == wanted,
    "enum": lambda value, wanted: value in wanted,
    "uniqueItems": lambda value, wanted: (
        not wanted
        or not isinstance(value, list)
        or all(item not in value[:n] for n, item in enumerate(value))
    ),
}


def satisfies(value: Any, schema: Any, *, document: Any = None) -> bool:
    """Whether the schema accepts the value; references point into ``document``."""
    root = schema if document is None else document
    if not isinstance(schema, dict):
        return schema is not False

    def ok(inner: Any, rules: Any) -> bool:
        return satisfies(inner, rules, document=root)

    kinds = schema.get("type", list(KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return (
        any(KINDS[kind](value) for kind in kinds)
        and all(holds(value, schema[name]) for name, holds in BOUNDS.items() if name in schema)
        and all(ok(value, part) for part in schema.get("allOf", ()))
        and ("anyOf" not in schema or any(ok(value, part) for part in schema["anyOf"]))
        and ("oneOf" not in schema or any(ok(value, part) for part in schema["oneOf"]))
        and ("$ref" not in schema or ok(value, _referred(root, schema["$ref"])))
        and (not isinstance(value, dict) or _object_is_fine(value, schema, ok))
        and (not isinstance(value, list) or _array_is_fine(value, schema, ok))
    )


def _referred(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#").split("/")[1:]:
        document = document[step]
    return document


def _object_is_fine(value: dict[str, Any], schema: Any, ok: Any) -> bool:
    properties = schema.get("properties", {})
    other = schema.get("additionalProperties", True)
    return all(name in value for name in schema.get("required", ())) and all(
        ok(inner, properties.get(name, other)) for name, inner in value.items()
    )


def _array_is_fine(value: list[Any], schema: Any, ok: Any) -> bool:
    first, each = schema.get("prefixItems", []), schema.get("items", True)
    held = sum(ok(item, schema["contains"]) for item in value) if "contains" in schema else 1
    return held >= schema.get("minContains", 1) and all(
        ok(item, first[n] if n < len(first) else each) for n, item in enumerate(value)
    )
