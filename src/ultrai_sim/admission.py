"""From a request to an order: who asks, what for, and whether OpenRouter would take it.

The checks run in the order that OpenRouter's answers suggest: credentials, JSON, messages, model,
free tier; then the key's limit and the credits (`account`); then `route_order`. Each raises a
`Refusal`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ultrai_sim import refusals
from ultrai_sim.account import Account
from ultrai_sim.catalogue import Model
from ultrai_sim.charges import Need, Prices, prices_at
from ultrai_sim.credentials import inference_key
from ultrai_sim.endpoints import Endpoint
from ultrai_sim.generations import Try
from ultrai_sim.guardrails import unguarded
from ultrai_sim.incoming import NotJSON, read_json
from ultrai_sim.intake import Intake, Search
from ultrai_sim.keys import Key
from ultrai_sim.prompt_cache import Prefix
from ultrai_sim.question import Question, read_question
from ultrai_sim.routing import route
from ultrai_sim.searching import searches_natively
from ultrai_sim.speech import Answer
from ultrai_sim.thinking import Thinking, read_thinking
from ultrai_sim.tiers import by_tier, read_tier, served_tier, tiered
from ultrai_sim.validating import check_messages, check_numbers
from ultrai_sim.world import SEEN, World

if TYPE_CHECKING:
    from aiohttp import web

DEFAULT_MAX_TOKENS = 4096
MOST_MODELS = 3
MOST_READ_KEPT = 256
MOST_BYTES_READ_KEPT = 256 * 1024


@dataclass(slots=True)
class Reading:
    """What a request's body says to one model; ``endpoints`` once they were looked for.

    ``need`` is what it costs at most, where that does not depend on the hour.
    """

    question: Question
    intake: Intake
    thinking: Thinking
    endpoints: Sequence[Endpoint] = ()
    need: Need | None = None


@dataclass(slots=True)
class Order:
    """An admitted chat request. ``max_tokens`` None: not given, so the model's own limit holds.

    ``wanted`` is the id as it was asked for, with its suffixes, ``asked`` the row that it means,
    ``model`` the one that answers for it.
    ``likeness`` is the same for requests with the same body. ``prices`` are those of the moment at
    which it ``began``, ``fee`` the share of them that is left to pay where the account's own key
    pays the provider. ``tries`` are the endpoints that failed before, ``source_id`` the generation
    whose answer is given again. ``struck`` are the faults, by their
    place in the book, that have hit it. ``tier`` is the service tier asked for, ``served_tier``
    the one that the endpoint has. ``answer`` is what it said, unless a fault has changed it.
    """

    account: Account
    key: Key
    authorization: str
    wanted: str
    asked: Model
    model: Model
    provider: str
    reading: Reading
    question: Question
    likeness: bytes
    intake: Intake
    prices: Prices
    max_tokens: int | None
    stream: bool
    thinking: Thinking
    attempt: int
    generation_id: str
    began: float
    tier: str = "default"
    served_tier: str | None = None
    fee: Decimal | None = None
    tries: list[Try] = field(default_factory=list)
    struck: set[int] = field(default_factory=set)
    source_id: str | None = None
    answer: Answer | None = None
    cache_headers: dict[str, str] = field(default_factory=dict)
    prefixes: Sequence[Prefix] = ()

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt."""
        return self.intake.tokens

    @property
    def created(self) -> int:
        """When it began, in whole seconds."""
        return int(self.began)

    @property
    def ceiling(self) -> int:
        """The most completion tokens that may be billed."""
        own = self.model.max_completion_tokens
        if self.max_tokens is None:
            return own or DEFAULT_MAX_TOKENS
        return min(self.max_tokens, own) if own else self.max_tokens


@dataclass(frozen=True, slots=True)
class Letter:
    """A chat request whose key and JSON are good; ``models`` are those to be tried, in order.

    ``tries`` are the endpoints that failed so far, of whatever model.
    """

    key: Key
    authorization: str
    raw: bytes
    body: dict[str, Any]
    messages: list[Any]
    models: Sequence[str]
    tries: list[Try] = field(default_factory=list)


async def read_letter(request: web.Request, world: World) -> Letter:
    """Check a chat request from its header to its messages."""
    key = inference_key(request, world)
    raw = await request.read()
    body = read_body(raw)
    world.requests.weigh(request[SEEN], raw)
    messages = body.get("messages") or _legacy(body)
    if not isinstance(messages, list) or not messages:
        raise refusals.refuse(400, 'Input required: specify "prompt" or "messages"')
    check_messages(messages)
    check_numbers(body)
    authorization = request.headers["Authorization"]
    return Letter(key, authorization, raw, body, messages, _models(body))


def take_order(request: web.Request, world: World, *, letter: Letter, wanted: str) -> Order:
    """Check one model of a request, to the free tier; counts it as an attempt."""
    seen, body, raw = request[SEEN], letter.body, letter.raw
    seen.generation_id = None  # another model's, that was tried before
    began = world.clock()
    asked = _find_model(wanted, world)
    seen.model, seen.stream = asked.id, body.get("stream") is True
    seen.attempt = world.book.count(asked.id)
    if asked.is_free:
        world.money.free_tier.admit(began)
    likeness = blake2b(raw, digest_size=16).digest()
    drawn = world.draw_id(asked.id, likeness)
    model = world.listing.concrete(asked, drawn[0])
    reading = _read(world, letter, model=model, wanted=wanted, likeness=likeness)
    order = Order(
        account=world.money,
        key=letter.key,
        authorization=letter.authorization,
        wanted=wanted,
        asked=asked,
        model=model,
        provider=model.provider,
        reading=reading,
        question=reading.question,
        likeness=likeness,
        intake=reading.intake,
        prices=model.pricing,
        max_tokens=_max_tokens(body),
        stream=seen.stream,
        thinking=reading.thinking,
        attempt=seen.attempt,
        generation_id=f"gen-{int(began)}-{b64encode(drawn, b'aZ').decode()}",
        began=began,
        tier=read_tier(body),
        tries=letter.tries.copy(),
    )
    _price(order, model.pricing)
    return order


def route_order(order: Order, body: Mapping[str, Any]) -> Sequence[Endpoint]:
    """The endpoints that may serve, in their order; 400 or 404 where there is no way."""
    reading = order.reading
    if not reading.endpoints:
        allowed = unguarded(order.model, terms=order.account.terms)
        ordered = route(body, order.model, asked=order.wanted, endpoints=allowed)
        reading.endpoints = by_tier(ordered, order.tier)
    return reading.endpoints


def need_of(order: Order, endpoints: Sequence[Endpoint]) -> Need:
    """The most that a request can cost at any of these endpoints; at the listed price of none.

    What it serves next is not known before it is tried, so the dearest one counts.
    """
    reading = order.reading
    if reading.need is not None:
        return reading.need
    needs = [Need.of(order.prices, order.intake, max_tokens=order.ceiling)]
    if endpoints:
        needs = [_need_at(order, endpoint) for endpoint in endpoints]
    dearest = max(needs, key=lambda need: need.worst)
    if endpoints and not any("overrides" in endpoint.pricing for endpoint in endpoints):
        reading.need = dearest  # whatever the hour
    return dearest


def _need_at(order: Order, endpoint: Endpoint) -> Need:
    take_endpoint(order, endpoint)
    return Need.of(order.prices, order.intake, max_tokens=order.ceiling)


def check_window(order: Order) -> None:
    """Refuse what does not fit the window: the provider's, or the model's where it lists none."""
    window = order.model.served_context_length or order.model.context_length
    output = order.max_tokens or 0
    total = order.prompt_tokens + output
    if window is not None and total > window:
        raise refusals.too_long(
            window, prompt=order.prompt_tokens, output=output, provider=order.provider
        )


def take_endpoint(order: Order, endpoint: Endpoint) -> None:
    """Let this endpoint serve, at its price."""
    order.provider = endpoint.provider
    _price(order, endpoint.pricing)


def _price(order: Order, pricing: Prices) -> None:
    """Put down what this list asks of the order now, in the tier in which its provider serves."""
    order.served_tier = served_tier(order.tier, order.provider)
    prices = prices_at(pricing, order.intake.tokens, now=order.began)
    order.prices = tiered(prices, order.served_tier, terms=order.account.terms)


def _read(world: World, letter: Letter, *, model: Model, wanted: str, likeness: bytes) -> Reading:
    """What a body asks of a model, read once for all requests with the same one."""
    key = (likeness, model.id, wanted)
    known = world.read.get(key)
    if known is not None and known[0] is model:
        same: Reading = known[1]
        return same
    question = read_question(letter.body, letter.messages, asked=wanted, supported=model.parameters)
    reading = Reading(question, _intake(question, model), read_thinking(letter.body, model))
    if len(letter.raw) > MOST_BYTES_READ_KEPT:
        return reading
    if len(world.read) >= MOST_READ_KEPT:
        world.read.clear()
    world.read[key] = (model, reading)
    return reading


def _intake(question: Question, model: Model) -> Intake:
    """The prompt as this model is paid for it, before any cache was asked."""
    search: Search = "native" if searches_natively(model.pricing) else "orchestrated"
    return Intake(
        question.count(model.family),
        audio=question.media.audio_tokens,
        video=question.media.video_tokens,
        search=search if question.searches else None,
        served=question.served,
    )


def read_body(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request; 400 where there is none."""
    try:
        body = read_json(raw)
    except NotJSON:
        body = None
    if not isinstance(body, dict):
        raise refusals.refuse(400, "Input must have at least 1 token.")
    return body


def _legacy(body: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    prompt = body.get("prompt")
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) and prompt else None


def _models(body: Mapping[str, Any]) -> list[str]:
    """``model`` first, then ``models``; none named: the account's default."""
    others = body.get("models")
    if others is not None and not isinstance(others, list):
        raise refusals.refuse(400, "models: Invalid input: expected array")
    if len(others or ()) > MOST_MODELS:
        raise refusals.refuse(400, f"'models' array must have {MOST_MODELS} items or fewer.")
    named = [body.get("model"), *(others or ())]
    return list(dict.fromkeys(str(name) for name in named if name)) or ["openrouter/auto"]


def _find_model(wanted: str, world: World) -> Model:
    model = world.listing.find(wanted)
    if model is None:
        raise refusals.unknown_model(wanted)
    if model.retired:
        raise refusals.retired_model(wanted)
    if ":batch" in model.id:
        raise refusals.refuse(400, f"{wanted} is only available through the batch API")
    return model


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    limit = body.get("max_completion_tokens")
    limit = body.get("max_tokens") if limit is None else limit
    if limit is None:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise refusals.refuse(400, "max_tokens: Number must be greater than or equal to 1")
    return limit
