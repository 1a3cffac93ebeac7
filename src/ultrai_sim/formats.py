"""Texts that a string schema accepts: formats, patterns, lengths, and what a name suggests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from ultrai_sim.patterns import Part

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS_IN_A_YEAR = 31_536_000
USUAL_WORDS = 3
MOST_TRIES = 20
# Names of properties that want a phrase of the question rather than an invented text.
WHOLE_PHRASE = frozenset({"query", "prompt", "question", "text", "input", "message", "description"})


def text_of(rules: Mapping[str, Any], *, name: str, words: Sequence[str], source: Random) -> str:
    """A text that the rules accept; ``name`` is the property's, ``words`` are the question's.

    It takes as long as ``minLength`` is: whoever calls has looked at that.
    """
    least, most = rules.get("minLength", 0), rules.get("maxLength")
    make = FORMATS.get(rules.get("format", ""))
    if make is not None:
        return make(source)
    text = _phrase(name, words=words, source=source)
    if len(text) < least:
        text = _lengthened(text, least, words=words, source=source)
    return text if most is None else text[:most].ljust(least, "x")


def text_of_pattern(rules: Mapping[str, Any], part: Part, *, source: Random) -> str:
    """A text of a pattern that was read; of the length that the rules ask for, if it is found."""
    least, most = rules.get("minLength", 0), rules.get("maxLength")
    text = part.make(source)
    for _ in range(MOST_TRIES):
        if least <= len(text) and (most is None or len(text) <= most):
            break
        text = part.make(source)
    return text


def _lengthened(text: str, least: int, *, words: Sequence[str], source: Random) -> str:
    parts, length = [text], len(text)
    while length < least:
        parts.append(source.choice(words))
        length += 1 + len(parts[-1])
    return " ".join(parts)


def _phrase(name: str, *, words: Sequence[str], source: Random) -> str:
    if name.lower() in WHOLE_PHRASE:
        return " ".join(words[: USUAL_WORDS + 1])
    proper = [word for word in words if word[:1].isupper()]
    if proper and name:
        return source.choice(proper)
    return " ".join(source.choice(words) for _ in range(1 + source.randrange(USUAL_WORDS)))


def _moment(source: Random) -> datetime:
    return EPOCH + timedelta(seconds=source.randrange(SECONDS_IN_A_YEAR))


def _host(source: Random) -> str:
    return f"host-{source.randrange(1000)}.example.com"


FORMATS: Mapping[str, Callable[[Random], str]] = {
    "date-time": lambda source: _moment(source).isoformat().replace("+00:00", "Z"),
    "date": lambda source: _moment(source).date().isoformat(),
    "time": lambda source: _moment(source).time().isoformat() + "Z",
    "duration": lambda source: f"P{1 + source.randrange(30)}DT{source.randrange(24)}H",
    "email": lambda source: f"user{source.randrange(1000)}@example.com",
    "idn-email": lambda source: f"zoë{source.randrange(1000)}@example.com",
    "hostname": _host,
    "idn-hostname": _host,
    "ipv4": lambda source: ".".join(str(1 + source.randrange(254)) for _ in range(4)),
    "ipv6": lambda source: ":".join(f"{source.randrange(65536):x}" for _ in range(8)),
    "uri": lambda source: f"https://{_host(source)}/{source.randrange(1000)}",
    "iri": lambda source: f"https://{_host(source)}/{source.randrange(1000)}",
    "uri-reference": lambda source: f"/items/{source.randrange(1000)}",
    "uuid": lambda source: str(UUID(int=source.getrandbits(128), version=4)),
    "json-pointer": lambda source: f"/items/{source.randrange(10)}",
    "regex": lambda source: f"^[a-z]{{1,{1 + source.randrange(9)}}}$",
}
