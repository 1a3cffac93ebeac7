"""Faults on answers that are no chats: vectors, lists of models, records, keys, credits.

There are no frames there and nothing is said, so only faults strike that refuse, are late or break
a body (`faults.SAID` are the others).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from ultrai_sim.aim import Occasion
from ultrai_sim.breaking import STREAM_FAULTS
from ultrai_sim.bytewise import BYTE_FAULTS
from ultrai_sim.credentials import name_of_key
from ultrai_sim.denials import DENIALS
from ultrai_sim.faults import Fault
from ultrai_sim.hostile import HOSTILE_FAULTS
from ultrai_sim.ranking import in_order
from ultrai_sim.schedule import Reply, Send, play
from ultrai_sim.tampering import REFUSAL_FAULTS, Circumstances, Script, delay
from ultrai_sim.world import SEEN, WORLD, World

REFUSALS = {**REFUSAL_FAULTS, **DENIALS}
SCRIPT_FAULTS = {**STREAM_FAULTS, **HOSTILE_FAULTS, **BYTE_FAULTS}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def refuse_if_due(faults: Sequence[Fault], around: Circumstances) -> None:
    """Raise the error that a fault asks for, as late as another fault asks for."""
    for fault in faults:
        if fault.kind in REFUSALS:
            late_s = sum(delay(other) for other in faults)
            if late_s:
                await asyncio.sleep(late_s)
            refusal = REFUSALS[fault.kind](fault, around)
            refusal.at_provider = fault.provider != "*"
            raise refusal


@dataclass(slots=True)
class Plain:
    """A body that is sent in one piece unless a fault breaks it; ``billed`` once it was played."""

    body: bytes
    headers: Mapping[str, str]
    faults: Sequence[Fault]
    usage: Mapping[str, object] = field(default_factory=dict)
    billed: bool = True

    async def play(self, request: web.Request, world: World) -> web.StreamResponse:
        """Send it as its faults have it."""
        middle = len(self.body) // 2
        # One token, so that what has been delivered can be told from nothing at all.
        steps = [Send(self.body[:middle]), Send(self.body[middle:], 1)]
        reply = Reply((), dict(self.headers), advance=world.advance)
        reply.head_s = sum(delay(fault) for fault in self.faults)
        script = Script(reply, list(steps), b"", stream=False, usage=self.usage)
        for fault in in_order(self.faults):
            if fault.kind in SCRIPT_FAULTS:
                SCRIPT_FAULTS[fault.kind](script, fault)
        reply.steps = script.steps
        self.billed = script.billed
        seen = request[SEEN]
        outcome, seen.outcome = seen.outcome, "client_left"
        response = await play(request, reply)
        seen.outcome = outcome if reply.ended == "complete" else reply.ended
        return response


def struck(route: str, handler: Handler) -> Handler:
    """A handler of a route that faults may be aimed at; they strike before it is asked."""

    async def answer(request: web.Request) -> web.StreamResponse:
        world, seen = request.app[WORLD], request[SEEN]
        seen.attempt = world.book.count(f"/{route}")
        if not world.book.faults or request.method == "HEAD":
            return await handler(request)
        occasion = _occasion(request, world, route=route, attempt=seen.attempt)
        faults = world.book.due(occasion)
        seen.faults = tuple(fault.kind for fault in faults)
        authorization = request.headers.get("Authorization", "")
        around = circumstances_of(world, occasion, authorization=authorization)
        await refuse_if_due(faults, around)
        response = await handler(request)
        body = response.body if isinstance(response, web.Response) else None
        if not faults or not isinstance(body, bytes):
            return response
        headers = {name: text for name, text in response.headers.items() if name not in FRAMING}
        return await Plain(body, headers, faults).play(request, world)

    return answer


FRAMING = frozenset({"Content-Length", "Transfer-Encoding"})


def _occasion(request: web.Request, world: World, *, route: str, attempt: int) -> Occasion:
    """A record is its generation's; the other routes belong to no model and no provider."""
    wanted = request.query.get("id", "") if route == "generation" else ""
    generation = world.generations.get(wanted)
    return Occasion(
        model="" if generation is None else generation.line.model,
        provider="" if generation is None else generation.line.provider,
        attempt=attempt,
        key=name_of_key(request, world),
        since_s=world.clock() - world.began,
        route=route,
    )


def circumstances_of(world: World, occasion: Occasion, *, authorization: str) -> Circumstances:
    """What a fault may need to know of a request that asks no model to speak."""
    return Circumstances(
        model_id=occasion.model,
        provider=occasion.provider,
        authorization=authorization,
        now=world.clock(),
        max_tokens=0,
        free_per_minute=world.money.free_tier.per_minute,
        free_daily_limit=world.money.free_tier.daily_limit,
    )
