"""POST /chat/completions: admit, compose, render, perform, bill.

Two ways lead out. Without faults and latency an answer goes out in one write, from frames that
were rendered for the first request like it. Otherwise it becomes a list of steps that faults may
rearrange and `schedule.play` performs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from ultrai_sim.accounting import charge
from ultrai_sim.admission import Order, route, take_order
from ultrai_sim.breaking import STREAM_FAULTS
from ultrai_sim.composing import Speaker, compose
from ultrai_sim.faults import Fault
from ultrai_sim.manners import fingerprint_of, tier_of
from ultrai_sim.prompt_cache import LEAST_TOKENS, prefixes_of
from ultrai_sim.schedule import Latency, Reply, Send, Step, Wait, play
from ultrai_sim.settlement import FULL, Ending, settle
from ultrai_sim.speech import Answer
from ultrai_sim.tampering import (
    ANSWER_FAULTS,
    REFUSAL_FAULTS,
    Circumstances,
    Draft,
    Script,
    delay,
)
from ultrai_sim.tokens import NORMALISED, count
from ultrai_sim.usage import usage_of
from ultrai_sim.wire import (
    COMMENT,
    DONE,
    Envelope,
    Frame,
    Style,
    render_body,
    render_frames,
)
from ultrai_sim.world import SEEN, Rendered, SeenRequest, World

STREAM_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Generation-Id,X-Provider-Name,request-id,cf-ray",
}
JSON_HEADERS: Mapping[str, str] = {**STREAM_HEADERS, "Content-Type": "application/json"}


async def complete(request: web.Request, world: World) -> web.StreamResponse:
    """Answer one chat request, or raise the `Refusal` that it meets."""
    seen = request[SEEN]
    seen.outcome = "refused"
    order = await take_order(request, world)
    faults = world.book.due(order.asked.id, order.attempt)
    seen.faults = tuple(fault.kind for fault in faults)
    hold = world.money.reserve(
        order.key, order.model, prompt=order.prompt_tokens, max_tokens=order.ceiling
    )
    try:
        route(order, seen.body)
        seen.generation_id = order.generation_id
        if faults or not world.latency.is_zero:
            return await _perform(request, world, order=order, faults=faults)
        return _at_once(world, order, seen=seen)
    finally:
        world.money.release(hold)


def _at_once(world: World, order: Order, *, seen: SeenRequest) -> web.Response:
    rendered = _rendered(world, order)
    envelope = _envelope(order)
    if order.stream:
        head = envelope.head()
        body = COMMENT * world.comments + head.join([b"", *rendered.tails]) + DONE
        response = web.Response(body=body, headers=STREAM_HEADERS)
    else:
        body = envelope.opening() + rendered.body
        response = web.Response(body=body, headers=JSON_HEADERS)
    response.headers["X-Generation-Id"] = order.generation_id
    response.enable_chunked_encoding()
    seen.outcome = "complete"
    settle(world, order, rendered=rendered, delivered=None, ending=FULL)
    return response


def _rendered(world: World, order: Order) -> Rendered:
    """The answer as it is without faults, composed once per body, model and provider."""
    _ask_cache(world, order)
    intake = order.intake
    key = (order.model.id, order.provider, order.likeness, intake.cached, intake.written)
    known = world.rendered.get(key)
    if known is not None:
        return known
    style = _style(world, order)
    return world.remember(key, _render(_compose(world, order), order, style=style))


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


def _render(answer: Answer, order: Order, *, style: Style, error: Any = None) -> Rendered:
    """An answer in the form in which it is sent; ``error`` goes into a body's choice."""
    cost = charge(order.model, order.intake, completion_tokens=answer.tokens)
    usage = usage_of(answer, order.intake, cost=cost)
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
    )


def _normalised(answer: Answer, order: Order) -> tuple[int, int]:
    """The tokens of prompt and completion as one tokenizer for all models counts them."""
    if order.model.family == NORMALISED:
        return order.prompt_tokens, answer.tokens
    return order.question.count(NORMALISED), count(answer.said, NORMALISED)


def _style(world: World, order: Order) -> Style:
    # Behind a tool that OpenRouter runs, no provider's marks are seen.
    looped = order.intake.orchestrated
    return Style(
        world.usage_dialect,
        max(world.tokens_per_frame, 1),
        fingerprint=None if looped else fingerprint_of(order.provider, order.model.id),
        tier=None if looped else tier_of(order.provider),
        legacy=order.question.legacy,
    )


def _envelope(order: Order) -> Envelope:
    return Envelope(
        order.generation_id,
        order.created,
        order.model.answers_as,
        order.provider,
        legacy=order.question.legacy,
    )


async def _perform(
    request: web.Request, world: World, *, order: Order, faults: Sequence[Fault]
) -> web.StreamResponse:
    rendered = _rendered(world, order)
    draft = _draft(world, order, answer=rendered.answer)
    for fault in faults:
        if fault.kind in ANSWER_FAULTS:
            ANSWER_FAULTS[fault.kind](draft, fault)
    await _refuse(world, order, faults=faults)
    if faults:
        rendered = _render(draft.answer, order, style=draft.style, error=draft.choice_error)
    script = _script(world, order, draft=draft, rendered=rendered)
    for fault in faults:
        if fault.kind in STREAM_FAULTS:
            STREAM_FAULTS[fault.kind](script, fault)
    script.reply.steps = script.steps
    seen = request[SEEN]
    seen.outcome = "client_left"
    cancelled = True
    try:
        response = await play(request, script.reply)
        cancelled = False
        seen.outcome = script.reply.ended
        return response
    finally:
        settle(
            world,
            order,
            rendered=rendered,
            delivered=None if script.reply.ended == "complete" else script.reply.delivered,
            ending=Ending(cancelled=cancelled, billed=draft.billed and script.billed),
        )


def _draft(world: World, order: Order, *, answer: Answer) -> Draft:
    return Draft(
        answer=answer,
        style=_style(world, order),
        latency=world.latency,
        max_tokens=order.ceiling,
        stream=order.stream,
    )


async def _refuse(world: World, order: Order, *, faults: Sequence[Fault]) -> None:
    """Raise the error that a fault asks for, as late as another fault asks for."""
    around = Circumstances(
        model_id=order.asked.id,
        provider=order.provider,
        authorization=order.authorization,
        now=world.clock(),
        max_tokens=order.ceiling,
        free_per_minute=world.money.free_tier.per_minute,
        free_daily_limit=world.money.free_tier.daily_limit,
    )
    for fault in faults:
        if fault.kind in REFUSAL_FAULTS:
            late_s = sum(delay(other) for other in faults)
            if late_s:
                await asyncio.sleep(late_s)
            raise REFUSAL_FAULTS[fault.kind](fault, around)


def _script(world: World, order: Order, *, draft: Draft, rendered: Rendered) -> Script:
    head = _envelope(order).head()
    latency = draft.latency
    tokens = rendered.answer.tokens
    steps: list[Step] = []
    headers = dict(STREAM_HEADERS if order.stream else JSON_HEADERS)
    headers["X-Generation-Id"] = order.generation_id
    reply = Reply((), headers)
    if order.stream:
        reply.head_s = latency.head_s
        steps += _stream_steps(head, rendered.frames, latency=latency, comments=world.comments)
    else:
        reply.head_s = (
            latency.head_s + latency.first_token_s + latency.per_token_s * max(tokens - 1, 0)
        )
        body = _envelope(order).opening() + rendered.body
        middle = len(body) // 2
        steps += [Send(body[:middle]), Send(body[middle:], tokens)]
    return Script(reply, steps, head, order.stream, rendered.usage)


def _stream_steps(
    head: bytes, frames: Sequence[Frame], *, latency: Latency, comments: int
) -> list[Step]:
    steps: list[Step] = [Send(COMMENT) for _ in range(comments)]
    if latency.first_token_s:
        steps.append(Wait(latency.first_token_s, latency.comment_every_s))
    late_s = 0.0
    for frame in frames:
        if late_s:
            steps.append(Wait(late_s))
        steps.append(Send(head + frame.tail, frame.tokens))
        late_s = latency.per_token_s * frame.tokens
    return [*steps, Send(DONE)]
