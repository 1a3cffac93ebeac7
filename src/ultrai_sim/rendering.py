"""An answer in the form in which it is sent: composed, priced and put into frames or a body.

What is the same for two requests with the same body is kept (`World.rendered`): composed once per
body, model and endpoint, without the envelope that tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrai_sim.admission import Order
from ultrai_sim.charges import FOR_NOTHING, charge
from ultrai_sim.composing import Speaker, compose
from ultrai_sim.manners import fingerprint_of
from ultrai_sim.prompt_cache import LEAST_TOKENS, prefixes_of
from ultrai_sim.replies import OPEN_HEADERS
from ultrai_sim.response_cache import zeroed
from ultrai_sim.speech import Answer
from ultrai_sim.tokens import NORMALISED, count
from ultrai_sim.usage import free_of_charge, usage_of
from ultrai_sim.wire import Envelope, Style, render_body, render_frames
from ultrai_sim.world import Rendered, World

STREAM_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    **OPEN_HEADERS,
}
JSON_HEADERS: Mapping[str, str] = {**STREAM_HEADERS, "Content-Type": "application/json"}


def rendering_of(world: World, order: Order) -> Rendered:
    """The answer as it is without faults, composed once per body, model and provider."""
    _ask_cache(world, order)
    order.fee = world.money.fee(order.provider, now=order.began)
    intake = order.intake
    key = (
        order.model.id,
        order.provider,
        order.likeness,
        intake.cached,
        intake.written,
        intake.search,
        order.fee,
        order.served_tier,
        tuple(order.prices.values()),
    )
    known = world.rendered.get(key)
    if known is None:
        style = style_of(world, order)
        known = world.remember(key, render(_compose(world, order), order, style=style))
    order.answer = known.answer
    return known


def _ask_cache(world: World, order: Order) -> None:
    """Find out what of a long prompt its provider has seen before."""
    model = order.model
    if order.intake.tokens < LEAST_TOKENS or "input_cache_read" not in model.pricing:
        return
    order.prefixes = prefixes_of(order.question, model, provider=order.provider)
    order.intake = world.prompt_cache.look_up(
        order.intake, order.prefixes, model=model, now=world.clock()
    )


def _compose(world: World, order: Order) -> Answer:
    model = order.model
    speaker = Speaker(
        model_id=model.id,
        provider=order.provider,
        family=model.family,
        seed=world.seed,
        limit=None if order.max_tokens is None else order.ceiling,
        thinking=order.thinking,
        search=order.intake.search,
        looped=order.intake.orchestrated,
        script=world.says.get(order.asked.id, world.says.get("*")),
    )
    return compose(order.question, speaker)


def render(answer: Answer, order: Order, *, style: Style, error: Any = None) -> Rendered:
    """An answer in the form in which it is sent; ``error`` goes into a body's choice."""
    cost = charge(order.prices, order.intake, completion_tokens=answer.tokens, fee=order.fee)
    usage = usage_of(answer, order.intake, cost=cost)
    if order.source_id is not None:
        cost, usage = FOR_NOTHING, zeroed(usage)
    if error is not None:
        usage = free_of_charge(usage)
    frames = render_frames(answer, usage, style=style) if order.stream else ()
    body = b"" if order.stream else render_body(answer, usage, style=style, error=error)
    return Rendered(
        answer,
        cost,
        usage,
        frames,
        tails=[frame.tail for frame in frames],
        body=body,
        normalised=_normalised(answer, order),
        told=(answer.text, answer.reasoning),
    )


def _normalised(answer: Answer, order: Order) -> tuple[int, int]:
    """The tokens of prompt and completion as one tokenizer for all models counts them."""
    if order.model.family == NORMALISED:
        return order.prompt_tokens, answer.tokens
    return order.question.count(NORMALISED), count(answer.said, NORMALISED)


def style_of(world: World, order: Order) -> Style:
    """How the answer is put into frames, and which of its provider's marks it bears."""
    # Behind a tool that OpenRouter runs, no provider's marks are seen.
    looped = order.intake.orchestrated
    return Style(
        world.usage_dialect,
        max(world.tokens_per_frame, 1),
        fingerprint=None if looped else fingerprint_of(order.provider, order.model.id),
        tier=None if looped else order.served_tier,
        legacy=order.question.legacy,
    )


def envelope_of(order: Order) -> Envelope:
    """What is the same in every frame of the answer."""
    return Envelope(
        order.generation_id,
        order.created,
        order.model.answers_as,
        order.provider,
        legacy=order.question.legacy,
    )
