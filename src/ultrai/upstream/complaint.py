"""What an upstream says when it says no: the error object, in any of its shapes, as one value.

Shapes seen: `{"error": {code, message, metadata}}` with a status or inside a 200; the same at the
top of a stream's frame or in `choices[]`; `error` as plain text; `{"success": false, "error":
{name, message}}`; `{"detail": …}` and `{"message": …}` of other servers; HTML of a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ultrai.upstream.lenient import integer, items, mapping, parse_json, text
from ultrai.upstream.words import one_line

_EMPTY_PHRASES = ("", "provider returned error", "error", "unknown error")
_CAUSE_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Complaint:
    """`code` is an HTTP-like number, `word` a code in words; either, both or neither is there.

    `message` is the upstream's own sentence, on one line, possibly empty.
    """

    code: int | None = None
    word: str = ""
    message: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    is_html: bool = False

    @property
    def said(self) -> str:
        """Message and words in lower case, for rules that look at what was said."""
        return f"{self.message} {self.word}".lower()

    def fact(self, name: str) -> str:
        """A textual entry of the metadata in lower case, or nothing."""
        return (text(self.metadata.get(name)) or "").lower()


def read_error(value: object) -> Complaint:
    """The Complaint in an `error` value of any type."""
    if isinstance(value, str):
        return Complaint(message=one_line(value))
    shape = mapping(value)
    metadata = mapping(shape.get("metadata"))
    word = text(metadata.get("error_type")) or text(shape.get("error_type"))
    code = integer(shape.get("code"))
    if word is None and code is None:
        word = text(shape.get("code")) or text(shape.get("type"))
    return Complaint(
        code=code,
        word=(word or "").lower(),
        message=_message(shape, metadata),
        metadata=metadata,
    )


def read_body(body: bytes) -> Complaint:
    """The Complaint in the body of a response with an error status; never fails."""
    value = parse_json(body)
    if isinstance(value, dict):
        shape = mapping(value)
        error = shape.get("error")
        if error:
            return read_error(error)
        return read_error({"message": shape.get("message") or _detail(shape.get("detail"))})
    raw = body.decode("utf-8", "replace").strip()
    if raw.startswith("<"):
        return Complaint(is_html=True)
    return Complaint(message=one_line(raw))


def _message(shape: Mapping[str, object], metadata: Mapping[str, object]) -> str:
    message = one_line(text(shape.get("message")) or "")
    if message.lower().rstrip(".") not in _EMPTY_PHRASES:
        return message
    cause = one_line(_cause(metadata.get("raw"), _CAUSE_DEPTH))
    provider = one_line(text(metadata.get("provider_name")) or "")
    named = f"{message or 'error'} ({provider})" if provider else message
    return one_line(f"{named}: {cause}" if named and cause else named or cause)


def _cause(raw: object, depth: int) -> str:
    """The sentence inside `metadata.raw`: text, JSON as text, or an object, nested or not."""
    if isinstance(raw, str):
        inner = parse_json(raw.encode("utf-8", "replace")) if raw.lstrip()[:1] in "{[" else None
        return _cause(inner, depth - 1) or raw if isinstance(inner, dict) and depth else raw
    shape = mapping(raw)
    for key in ("error", "message", "detail"):
        if shape.get(key) and depth:
            return _cause(shape[key], depth - 1)
    return ""


def _detail(detail: object) -> object:
    """FastAPI's `detail`: text, or a list of objects with `msg`."""
    said = [text(mapping(item).get("msg")) for item in items(detail)]
    return "; ".join(s for s in said if s) or detail
