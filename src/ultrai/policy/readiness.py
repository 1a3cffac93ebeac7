"""Is this Candidate usable now, and if not, why: judged before anything is spent."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ultrai.domain.catalog import Model
from ultrai.domain.plan import NotReady, NotReadyReason
from ultrai.domain.value import value
from ultrai.policy.health import ModelHealth
from ultrai.policy.pricing import dearest_rates

_MILLION = 1_000_000
NOT_IN_CATALOGUE = "is not in the catalogue"
NOT_PULLED = "has no weights on this machine: run `ultrai local pull`"


@value
class Question:
    """What the verdict depends on beside the model.

    `absence` ends the sentence about a model that its upstream does not list.

    `window_tokens` is the prompt with its margin, `max_tokens` the least output wanted. `cap_nanos`
    bounds one Attempt, `max_usd_per_million` the completion price. `needs_price`: a cost cap is in
    force, so an unknown price cannot be taken. `free_left`: requests left today on `:free` models,
    None when nobody knows; they return at `free_resets_s`.
    """

    now: datetime
    absence: str = NOT_IN_CATALOGUE
    window_tokens: int = 0
    max_tokens: int = 1
    needs_price: bool = False
    named_by_user: bool = False
    max_usd_per_million: Decimal | None = None
    free_left: int | None = None
    free_resets_s: float | None = None


def judge(
    model_id: str, model: Model | None, *, health: ModelHealth, question: Question
) -> NotReady | None:
    """The verdict for a model whose upstream's listing is known; None: Ready."""
    if model is None:
        return NotReady(NotReadyReason.NOT_LISTED, f"{model_id} {question.absence}")
    return (
        _expired(model, question.now)
        or _withdrawn(model, health)
        or _wrong_output(model)
        or _price(model, question)
        or _window(model, question)
        or _quota(model, health, question=question)
        or cooling_down(model_id, health, now_s=question.now.timestamp())
    )


def cooling_down(model_id: str, health: ModelHealth, *, now_s: float) -> NotReady | None:
    """The verdict of the circuit alone, which also stands where no listing is known."""
    if not health.is_open(now_s):
        return None
    return NotReady(
        NotReadyReason.COOLING_DOWN,
        f"{model_id} failed {health.failures_in_row} times in a row",
        health.open_until_s,
    )


def _withdrawn(model: Model, health: ModelHealth) -> NotReady | None:
    if health.unavailable_since_s is None:
        return None
    return NotReady(
        NotReadyReason.NOT_LISTED, f"the upstream said that {model.id} is not available"
    )


def _expired(model: Model, now: datetime) -> NotReady | None:
    if model.expires is None or now.date() <= model.expires:
        return None
    return NotReady(NotReadyReason.EXPIRED, f"{model.id} expired on {model.expires.isoformat()}")


def _wrong_output(model: Model) -> NotReady | None:
    if not model.output_modalities or "text" in model.output_modalities:
        return None
    return NotReady(NotReadyReason.NO_TEXT_OUTPUT, f"{model.id} does not answer in text")


def _price(model: Model, question: Question) -> NotReady | None:
    if model.prices is None:
        if question.named_by_user and not question.needs_price:
            return None
        return NotReady(
            NotReadyReason.PRICE_UNKNOWN, f"the price of {model.id} is not known beforehand"
        )
    ceiling = question.max_usd_per_million
    if ceiling is None:
        return None
    price = dearest_rates(model.prices, question.window_tokens).completion * _MILLION
    if price <= ceiling:
        return None
    return NotReady(
        NotReadyReason.OVER_PRICE_CAP,
        f"{model.id} costs ${price.normalize():f} per million output tokens, over the cap of "
        f"${ceiling:f}",
    )


def _window(model: Model, question: Question) -> NotReady | None:
    window = model.context_length
    if not window:
        return None
    needed = question.window_tokens + question.max_tokens
    if needed <= window:
        return None
    return NotReady(
        NotReadyReason.WINDOW_TOO_SMALL,
        f"{model.id} holds {window:,} tokens; prompt and answer need about {needed:,}",
    )


def _quota(model: Model, health: ModelHealth, *, question: Question) -> NotReady | None:
    now_s = question.now.timestamp()
    if health.is_resting(now_s):
        until_s = health.rests_until_s
    elif model.is_free and question.free_left == 0:
        until_s = question.free_resets_s
    else:
        return None
    when = ""
    if until_s is not None:
        when = f" until {datetime.fromtimestamp(until_s, UTC):%Y-%m-%d %H:%M} UTC"
    return NotReady(
        NotReadyReason.QUOTA_EXHAUSTED, f"the daily quota of {model.id} is used up{when}", until_s
    )
