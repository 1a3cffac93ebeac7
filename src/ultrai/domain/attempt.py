"""What one Attempt asks of an upstream, and the account behind a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

from ultrai.domain.query import Message, Sampling
from ultrai.domain.value import value


@value
class Timers:
    """How long each stage of an Attempt may take, in seconds.

    `liveness_s` bounds silence of any kind (comments and empty frames count as life).
    `first_text_s` and `text_stall_s` bound the wait for text or reasoning; keep-alive comments do
    not reset them. `whole_s` bounds an answer in one piece, from its head: it shows no text on its
    way, only blanks that keep the connection alive.
    """

    connect_s: float = 10.0
    headers_s: float = 60.0
    first_text_s: float = 60.0
    text_stall_s: float = 30.0
    liveness_s: float = 60.0
    whole_s: float = inf


@dataclass(frozen=True, slots=True)
class PriceCap:
    """The dearest acceptable provider: USD per million tokens, sent as `provider.max_price`."""

    prompt: Decimal
    completion: Decimal
    request: Decimal | None = None


@value
class AttemptRequest:
    """One request. `model` is our own id, with the upstream's prefix if it has one.

    `sampling.max_tokens` is what is sent; parameters the model does not support are absent already.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    stream: bool = True
    price_cap: PriceCap | None = None
    timers: Timers = field(default_factory=Timers)


@dataclass(frozen=True, slots=True)
class Account:
    """What `GET /key` says of the key in use. Amounts are nanodollars; None: no limit, or not said.

    `free_used` and `free_limit` count requests to `:free` models in the current UTC day, in which
    `usage_day_nanos` was spent; weeks begin on Monday, months are the calendar's. `expires_at` is a
    stamp as the upstream wrote it.
    """

    label: str | None = None
    limit_nanos: int | None = None
    limit_remaining_nanos: int | None = None
    usage_nanos: int | None = None
    free_used: int | None = None
    free_limit: int | None = None
    is_free_tier: bool | None = None
    usage_day_nanos: int | None = None
    expires_at: str | None = None
    usage_week_nanos: int | None = None
    usage_month_nanos: int | None = None
