"""An answer performed step by step, where faults or latency are due: changed, refused or broken.

Faults work in three stages: on what the model says, in the place of an answer, on the steps of
the reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ultrai_sim.admission import Order
from ultrai_sim.faults import Fault
from ultrai_sim.ranking import in_order
from ultrai_sim.rendering import (
    JSON_HEADERS,
    STREAM_HEADERS,
    envelope_of,
    render,
    rendering_of,
    style_of,
)
from ultrai_sim.schedule import Latency, Reply, Role, Send, Step, Wait, play
from ultrai_sim.settlement import Ending, settle
from ultrai_sim.speech import Answer
from ultrai_sim.striking import SCRIPT_FAULTS
from ultrai_sim.tampering import (
    ANSWER_FAULTS,
    Circumstances,
    Draft,
    Script,
)
from ultrai_sim.wire import COMMENT, DONE, USAGE, Frame
from ultrai_sim.world import SEEN, Rendered, World

if TYPE_CHECKING:
    from aiohttp import web


def circumstances(world: World, order: Order) -> Circumstances:
    """What a fault may need to know of an order."""
    return Circumstances(
        model_id=order.asked.id,
        provider=order.provider,
        authorization=order.authorization,
        now=world.clock(),
        max_tokens=order.ceiling,
        free_per_minute=world.money.free_tier.per_minute,
        free_daily_limit=world.money.free_tier.daily_limit,
        prompt=order.question.asked,
    )


async def perform(
    request: web.Request, world: World, *, order: Order, faults: Sequence[Fault]
) -> web.StreamResponse:
    """Answer an order as its faults and the world's latency have it; billed at its end."""
    rendered = rendering_of(world, order)
    draft = _draft(world, order, answer=rendered.answer)
    for fault in faults:
        if fault.kind in ANSWER_FAULTS:
            ANSWER_FAULTS[fault.kind](draft, fault)
    if faults:
        rendered = render(draft.answer, order, style=draft.style, error=draft.choice_error)
    script = _script(world, order, draft=draft, rendered=rendered)
    for fault in in_order(faults):
        if fault.kind in SCRIPT_FAULTS:
            SCRIPT_FAULTS[fault.kind](script, fault)
    script.reply.steps = script.steps
    script.reply.headers = {**script.reply.headers, **order.cache_headers}
    script.reply.advance = world.advance
    seen = request[SEEN]
    seen.outcome = "client_left"
    cancelled = True
    try:
        response = await play(request, script.reply)
        cancelled = False
        seen.outcome = script.reply.ended
        return response
    finally:
        # A cost that was told is billed, whatever broke behind it.
        is_whole = script.reply.ended == "complete" or script.reply.has_told
        ending = Ending(
            delivered=None if is_whole else script.reply.delivered,
            cancelled=cancelled,
            billed=draft.billed and script.billed,
            latency=draft.latency,
            first_s=script.reply.first_s,
        )
        settle(world, order, rendered=rendered, seen=seen, ending=ending)


def _draft(world: World, order: Order, *, answer: Answer) -> Draft:
    return Draft(
        answer=answer,
        style=style_of(world, order),
        latency=world.latency_of(order.asked.id, f"{order.attempt} {order.asked.id}"),
        max_tokens=order.ceiling,
        stream=order.stream,
    )


def _script(world: World, order: Order, *, draft: Draft, rendered: Rendered) -> Script:
    head = envelope_of(order).head()
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
        reply.head_s = latency.total_s(tokens)
        body = envelope_of(order).opening() + rendered.body
        middle = len(body) // 2
        steps += [Send(body[:middle]), Send(body[middle:], tokens)]
    return Script(reply, steps, head, order.stream, rendered.usage)


def _stream_steps(
    head: bytes, frames: Sequence[Frame], *, latency: Latency, comments: int
) -> list[Step]:
    steps: list[Step] = [Send(COMMENT, role="comment") for _ in range(comments)]
    if latency.first_token_s:
        steps.append(Wait(latency.first_token_s, latency.comment_every_s))
    late_s = 0.0
    for frame in frames:
        if late_s:
            steps.append(Wait(late_s))
        role: Role = "text" if frame.tokens else "usage" if USAGE in frame.tail else ""
        steps.append(Send(head + frame.tail, frame.tokens, role))
        late_s = latency.per_token_s * frame.tokens
    return [*steps, Send(DONE, role="done")]
