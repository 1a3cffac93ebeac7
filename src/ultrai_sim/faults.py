"""What can go wrong, on order: the kinds of fault, and the book that says when one is due.

A fault hits requests on its ``route`` (``chat``, ``embeddings``, ``models``, ``generation``, ``key`` or
``credits``; without one, the first two), for its ``model`` (an id, or a pattern such as ``openai/*``) at its ``provider``
(a display name or a slug, or a pattern), made with its ``key`` (its name), on the ``attempts`` listed
(1 is the first request for that model since the start or the last reset), with a ``probability``,
between ``from_s`` and ``until_s`` after the start, flapping (``on_s`` on, ``off_s`` off), at most so
many ``times``. What is not given does not restrict. Several may be due at once.
``after`` counts frames that carry text or reasoning; ``at`` names a place instead: ``head`` (before
it), ``start`` (behind it), ``usage``, ``done`` (before each). ``code`` is what stands in the body's
``error.code`` in place of the status: a number, a text, or ``"null"``.

| kind | what happens | options (default) |
|---|---|---|
| status | an HTTP error with OpenRouter's usual body | status (500), message, code, metadata, availability (a table), headers, retry_after (seconds, or the header's text), retry_after_date_s (an HTTP-date so far ahead) |
| html | a page of the edge where JSON belongs | status (502) |
| redirect | a redirect to another host | status (307), location |
| error_in_200 | status 200, body `{"error": …}` without choices | status (502, the code), message, metadata, code |
| echo_key | an error whose message repeats the Authorization header | status (400) |
| free_daily_429, free_minute_429 | the free tier's windows | – |
| in_flight_402 | credit held by requests in flight | retry_after (1) |
| afford_402 | "can only afford N" | tokens (100) |
| stall_before_headers | silence before the response head, then the answer | seconds (3600) |
| slow | other latencies for this request | head_s, first_token_s, per_token_s (0 each) |
| empty_length | reasoning ate the budget: no text, finish `length` | – |
| content_filter | cut by the provider's filter, finish `content_filter` | after (2, in tokens) |
| refusal | `refusal` text instead of content | message |
| tool_calls | a tool call without text | – |
| choice_error | the choice fails: finish `error`, `error` inside it | status (502), message, metadata, code, after (2) |
| usage_missing | no usage at all | – |
| finish_twice | finish_reason sent twice before the usage frame | – |
| error_first_event | 200, then the first event is an error | status (502), message, metadata, code |
| error_mid_stream | an error after some text | status (502), message, metadata, code, after (2), dialect ("2026": finish `error`; "2025": finish null, usage, then [DONE]) |
| length_then_error_400 | finish `length`, then an error 400, usage, [DONE] (seen 2025-11) | after (2) |
| cut | the body ends without finish or [DONE] | after (2), at, how ("clean": a proper end; "incomplete": in mid-chunk) |
| reset | a TCP reset | after (0: before the head), at |
| stall_before_text | silence between head and first frame, then the answer | seconds (3600), comments (true), every_s (0.5) |
| stall_mid_text | silence in the middle of the text, then the rest | after (2), at, seconds (3600), comments (true), every_s (0.5) |
| comments_only | comments for ever | every_s (0.5) |
| endless | text for ever | every_s (0) |
| huge_line | one frame with an enormous text | size (2000000 bytes), after (2) |
| garbage | a frame (or body) that is not JSON | after (2) |
| split_bytes | the body written in small pieces, through letters and lines | size (7; at most 1,024 pieces a frame) |
| cost_negative, cost_nan, cost_absurd, cost_text | `usage.cost` is -1, the bare token NaN, 1e308 or a text | – |
| finish_missing | no frame says why it ended; [DONE] comes | – |
| done_missing | the stream ends after its usage, without [DONE] | – |
| done_twice | [DONE] comes twice | – |
| text_after_done | more text, and [DONE] again, after [DONE] | – |
| carriage_returns | lines end in CR LF | – |
| bad_utf8 | a text that is no UTF-8 | after (2) |
| no_choices | a frame with an empty list of choices | after (2) |
| many_choices | a frame with 10,000 choices, none of them ours, one of index -1 | after (2) |
| wrong_model | the answer names a model that was not asked | – |
| wrong_content_type | `text/plain`, whatever the body is | – |
| gzip_bomb | a small body that unpacks to blanks without end | size (100000000 bytes) |
| stall_then_error | silence, then "Network connection lost." in the stream | seconds (125), after (2), message, status (502), metadata, code |
| tool_calls_broken | a tool call whose arguments are no JSON | – |
| credits_402, key_limit_402, key_limit_403, budget_403 | no credit, the key's ceiling, the workspace's | – |
| moderation_403, guardrail_403 | the prompt was flagged, or a guardrail forbids it | – |
| shared_pool_429 | the pool that many accounts share is full | retry_after (5) |
| unknown_model_400, context_400 | no such id; the prompt is too long | – |
| retired_404, data_policy_404, no_provider_503 | nobody serves it, for three reasons | – |
| body | whatever body you like, with a status | status (502), text (empty), content_type |
| blanks_first | blank lines, then the answer | seconds (2), every_s (0.5) |
| bom | a byte order mark before the answer | – |
| comments_flood | a great many comments at once | size (1000000 bytes) |
| drip | the answer byte by byte | size (1 byte), every_s (0.05) |
| frame_twice | every frame that carries text comes twice | – |
| frames_joined | all frames in one write | – |
| length_too_long, length_too_short | Content-Length promises more, or less, than comes | – |
| clock_jump | the server's clock jumps during the answer | seconds (3600) |
| early_hints | a 103 before the answer's own head | – |
| drip_head | the response head byte by byte | size (1 byte), every_s (0.05) |
| balance_402 | this kind of output needs a balance of $1 | – |
| zod_400 | the body of the layer that validates some routes | – |
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any

from ultrai_sim.aim import AIM_KEYS, Occasion, is_model, is_provider, is_route, is_time, wrong_aim
from ultrai_sim.fault_values import wrong_value
from ultrai_sim.reading import short

ERROR_OPTIONS = frozenset({"status", "message", "metadata", "code"})
STALL_OPTIONS = frozenset({"seconds", "comments", "every_s"})
AFTER = frozenset({"after"})
NONE: frozenset[str] = frozenset()

KINDS: Mapping[str, frozenset[str]] = {
    "status": ERROR_OPTIONS | {"headers", "retry_after", "retry_after_date_s", "availability"},
    "html": frozenset({"status"}),
    "redirect": frozenset({"status", "location"}),
    "error_in_200": ERROR_OPTIONS,
    "echo_key": frozenset({"status"}),
    "free_daily_429": NONE,
    "free_minute_429": NONE,
    "in_flight_402": frozenset({"retry_after"}),
    "afford_402": frozenset({"tokens"}),
    "stall_before_headers": frozenset({"seconds"}),
    "slow": frozenset({"head_s", "first_token_s", "per_token_s"}),
    "empty_length": NONE,
    "content_filter": AFTER,
    "refusal": frozenset({"message"}),
    "tool_calls": NONE,
    "choice_error": ERROR_OPTIONS | AFTER,
    "usage_missing": NONE,
    "finish_twice": NONE,
    "error_first_event": ERROR_OPTIONS,
    "error_mid_stream": ERROR_OPTIONS | {"after", "dialect"},
    "length_then_error_400": AFTER,
    "cut": frozenset({"after", "at", "how"}),
    "reset": AFTER | {"at"},
    "stall_before_text": STALL_OPTIONS,
    "stall_mid_text": STALL_OPTIONS | AFTER | {"at"},
    "comments_only": frozenset({"every_s"}),
    "endless": frozenset({"every_s"}),
    "huge_line": frozenset({"size", "after"}),
    "garbage": AFTER,
    "split_bytes": frozenset({"size"}),
    "cost_negative": NONE,
    "cost_nan": NONE,
    "cost_absurd": NONE,
    "cost_text": NONE,
    "finish_missing": NONE,
    "done_missing": NONE,
    "done_twice": NONE,
    "text_after_done": NONE,
    "carriage_returns": NONE,
    "bad_utf8": AFTER,
    "no_choices": AFTER,
    "many_choices": AFTER,
    "wrong_model": NONE,
    "wrong_content_type": NONE,
    "gzip_bomb": frozenset({"size"}),
    "stall_then_error": ERROR_OPTIONS | {"seconds", "after"},
    "tool_calls_broken": NONE,
    "credits_402": NONE,
    "key_limit_402": NONE,
    "key_limit_403": NONE,
    "budget_403": NONE,
    "moderation_403": NONE,
    "guardrail_403": NONE,
    "shared_pool_429": frozenset({"retry_after"}),
    "unknown_model_400": NONE,
    "context_400": NONE,
    "retired_404": NONE,
    "data_policy_404": NONE,
    "no_provider_503": NONE,
    "body": frozenset({"status", "text", "content_type"}),
    "blanks_first": frozenset({"seconds", "every_s"}),
    "bom": NONE,
    "comments_flood": frozenset({"size"}),
    "drip": frozenset({"size", "every_s"}),
    "frame_twice": NONE,
    "frames_joined": NONE,
    "length_too_long": NONE,
    "length_too_short": NONE,
    "clock_jump": frozenset({"seconds"}),
    "early_hints": NONE,
    "drip_head": frozenset({"size", "every_s"}),
    "balance_402": NONE,
    "zod_400": NONE,
}
"""Every kind, and its options beside ``model``, ``provider`` and ``attempts``."""

SAID = frozenset(
    {
        *("empty_length", "content_filter", "refusal", "tool_calls", "tool_calls_broken"),
        *("choice_error", "usage_missing", "finish_twice", "error_mid_stream"),
        *("length_then_error_400", "finish_missing", "done_missing", "done_twice"),
        *("text_after_done", "carriage_returns", "bad_utf8", "no_choices", "many_choices"),
        "frame_twice",
    }
)
"""Those about what a model says or about frames, which only chats have."""


class FaultError(ValueError):
    """A fault that cannot be: its text names the key and the nearest valid one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong; see the table above. Options left None take its defaults."""

    kind: str
    route: str | None = None
    model: str = "*"
    provider: str = "*"
    key: str = "*"
    attempts: tuple[int, ...] | None = None
    probability: float | None = None
    from_s: float | None = None
    until_s: float | None = None
    on_s: float | None = None
    off_s: float | None = None
    times: int | None = None
    status: int | None = None
    message: str | None = None
    metadata: Mapping[str, Any] | None = None
    availability: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None
    retry_after: float | str | None = None
    retry_after_date_s: float | None = None
    location: str | None = None
    tokens: int | None = None
    seconds: float | None = None
    head_s: float | None = None
    first_token_s: float | None = None
    per_token_s: float | None = None
    comments: bool | None = None
    every_s: float | None = None
    after: int | None = None
    how: str | None = None
    dialect: str | None = None
    size: int | None = None
    at: str | None = None
    code: int | str | None = None
    text: str | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown kind, an option that the kind does not have, an impossible value."""
        kind: Any = self.kind  # from a file or from JSON: whatever stood there
        if not isinstance(kind, str) or kind not in KINDS:
            near = get_close_matches(str(self.kind)[:99], KINDS, 1, 0.0)[0]
            message = f"no fault is called {short(self.kind)}; nearest valid kind: {near!r}"
            raise FaultError(message)
        given = {name: getattr(self, name) for name in FAULT_KEYS}
        given = {name: value for name, value in given.items() if value is not None}
        for name in given:
            if name in OPTIONS and name not in KINDS[self.kind]:
                valid = sorted(KINDS[self.kind]) or ["none"]
                message = f"fault {self.kind!r} has no option {name!r}; it has {', '.join(valid)}"
                raise FaultError(message)
        wrong = next(filter(None, (wrong_value(*item) for item in given.items())), None)
        wrong = wrong or wrong_aim(self)
        if wrong is None and self.route not in (None, "chat") and kind in SAID:
            wrong = "it is about what a model says; its 'route' can only be 'chat'"
        if wrong is None and self.at is not None and self.after is not None:
            wrong = "'at' and 'after' both name a place; give one of them"
        if wrong is not None:
            message = f"fault {self.kind!r}: {wrong}"
            raise FaultError(message)
        if self.attempts is not None:
            wished: Any = self.attempts
            several = isinstance(wished, list | tuple)
            object.__setattr__(self, "attempts", tuple(wished) if several else (wished,))

    def hits(self, occasion: Occasion) -> bool:
        """Whether it is due on this occasion, but for how many ``times`` it has struck."""
        return (
            is_route(self.route, occasion.route)
            and (occasion.route == "chat" or self.kind not in SAID)
            and is_model(self.model, occasion.model)
            and (self.attempts is None or occasion.attempt in self.attempts)
            and is_provider(self.provider, occasion.provider)
            and is_model(self.key, occasion.key)
            and is_time(self, occasion.since_s)
            and (self.probability is None or occasion.draw < self.probability)
        )


FAULT_KEYS = tuple(spec.name for spec in fields(Fault))
OPTIONS = tuple(name for name in FAULT_KEYS if name not in ("kind", *AIM_KEYS))


def read_fault(row: Any) -> Fault:
    """A `Fault` from a scenario's ``[[faults]]`` table or from JSON; `FaultError` if it is wrong.

    ``attempts`` may be one number or a list.
    """
    if not isinstance(row, Mapping):
        message = f"a fault is a table with a 'kind', not {type(row).__name__}"
        raise FaultError(message)
    for key in row:
        if key not in FAULT_KEYS:
            near = get_close_matches(str(key), FAULT_KEYS, 1, 0.0)[0]
            message = f"unknown key {key!r}; nearest valid key: {near!r}"
            raise FaultError(message)
    if "kind" not in row:
        message = "'kind' is missing"
        raise FaultError(message)
    return Fault(**row)


class FaultBook:
    """The faults of a world, how often each has struck, and how often each model was asked."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self.faults = list(faults)
        self.attempts: Counter[str] = Counter()
        self.struck: Counter[int] = Counter()
        self._seed = seed

    def replace(self, faults: Iterable[Fault]) -> None:
        """These faults from now on; attempts go on being counted."""
        self.faults = list(faults)
        self.struck.clear()

    def count(self, model_id: str) -> int:
        """Count one request for a model; its number, from 1."""
        self.attempts[model_id] += 1
        return self.attempts[model_id]

    def due(self, occasion: Occasion, *, already: set[int] | None = None) -> list[Fault]:
        """The faults that hit on this occasion, in the book's order; they count as struck.

        ``already`` is the request's own note of what has struck it: its endpoints count as one.
        """
        found = []
        noted = set() if already is None else already
        for index, fault in enumerate(self.faults):
            again = index in noted
            if fault.times is not None and self.struck[index] >= fault.times and not again:
                continue
            now = occasion
            if fault.probability is not None:
                now = replace(occasion, draw=self._draw(occasion, index))
            if fault.hits(now):
                self.struck[index] += not again
                noted.add(index)
                found.append(fault)
        return found

    def _draw(self, occasion: Occasion, index: int) -> float:
        """From 0 to 1, the same for all endpoints of a request: the chance is the request's."""
        text = f"{self._seed} {index} {occasion.model} {occasion.attempt}"
        digest = blake2b(text.encode("utf-8", "replace"), digest_size=4).digest()
        return int.from_bytes(digest, "big") / 2**32
