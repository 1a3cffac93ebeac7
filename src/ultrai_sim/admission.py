"""From a request to an order: who asks, what for, and whether OpenRouter would take it.

The checks run in the order that OpenRouter's answers suggest: credentials, JSON, messages, model,
free tier; then the key's limit and the credits (`account`); then `route`. Each raises a
`Refusal`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from ultrai_sim import refusals
from ultrai_sim.account import Account
from ultrai_sim.catalogue import Model
from ultrai_sim.charges import Prices, prices_at
from ultrai_sim.credentials import inference_key
from ultrai_sim.intake import Intake, Search
from ultrai_sim.keys import Key
from ultrai_sim.prompt_cache import Prefix
from ultrai_sim.providers import is_named
from ultrai_sim.question import Question, read_question
from ultrai_sim.searching import searches_natively
from ultrai_sim.thinking import Thinking, read_thinking
from ultrai_sim.world import SEEN, World

if TYPE_CHECKING:
    from aiohttp import web

DEFAULT_MAX_TOKENS = 4096
DATA_POLICY = (
    "No endpoints found matching your data policy (Free model training). "
    "Configure: https://openrouter.ai/settings/privacy"
)
PARAMETERS_CHECKED = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "min_p",
        "presence_penalty",
        "repetition_penalty",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "tool_choice",
        "tools",
        "top_a",
        "top_k",
        "top_logprobs",
        "top_p",
    }
)


@dataclass(slots=True)
class Order:
    """An admitted chat request. ``max_tokens`` None: not given, so the model's own limit holds.

    ``likeness`` is the same for requests with the same body. ``prices`` are those of the moment at
    which it ``began``, ``fee`` the share of them that is left to pay where the account's own key
    pays the provider.
    """

    account: Account
    key: Key
    authorization: str
    asked: Model
    model: Model
    provider: str
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
    fee: Decimal | None = None
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


async def take_order(request: web.Request, world: World) -> Order:
    """Check a chat request from its header to the free tier; counts it as an attempt."""
    seen = request[SEEN]
    key = inference_key(request, world)
    raw = await request.read()
    body = read_body(raw)
    seen.body = body
    messages = body.get("messages") or _legacy(body)
    if not isinstance(messages, list) or not messages:
        raise refusals.refuse(400, 'Input required: specify "prompt" or "messages"')
    began = world.clock()
    asked = _find_model(body, world)
    seen.model, seen.stream = asked.id, body.get("stream") is True
    seen.attempt = world.book.count(asked.id)
    if asked.is_free:
        world.money.free_tier.admit(began)
    likeness = blake2b(raw, digest_size=16).digest()
    drawn = world.draw_id(asked.id, likeness)
    model = world.listing.concrete(asked, drawn[0])
    question = read_question(body, messages, supported=model.parameters)
    intake = _intake(question, model)
    return Order(
        account=world.money,
        key=key,
        authorization=request.headers["Authorization"],
        asked=asked,
        model=model,
        provider=model.provider,
        question=question,
        likeness=likeness,
        intake=intake,
        prices=prices_at(model.pricing, intake.tokens, now=began),
        max_tokens=_max_tokens(body),
        stream=seen.stream,
        thinking=read_thinking(body, model),
        attempt=seen.attempt,
        generation_id=f"gen-{int(began)}-{b64encode(drawn, b'aZ').decode()}",
        began=began,
    )


def route(order: Order, body: Mapping[str, Any]) -> None:
    """Check the model's window and choose the provider; 400 or 404 where there is no way."""
    order.provider = _route(body, order.model)
    _check_window(order)


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
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        raise refusals.refuse(400, "Input must have at least 1 token.")
    return body


def _legacy(body: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    prompt = body.get("prompt")
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) and prompt else None


def _find_model(body: Mapping[str, Any], world: World) -> Model:
    wanted = body.get("model") or next(iter(body.get("models") or ()), "openrouter/auto")
    model = world.listing.find(str(wanted))
    if model is None:
        raise refusals.unknown_model(str(wanted))
    if model.retired:
        raise refusals.retired_model(str(wanted))
    if ":batch" in model.id:
        raise refusals.refuse(400, f"{wanted} is only available through the batch API")
    return model


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if limit is None:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise refusals.refuse(400, "max_tokens: Number must be greater than or equal to 1")
    return limit


def _check_window(order: Order) -> None:
    window = order.model.context_length
    output = order.max_tokens or 0
    total = order.prompt_tokens + output
    if window is not None and total > window:
        raise refusals.refuse(
            400,
            f"This endpoint's maximum context length is {window} tokens. However, you requested "
            f"about {total} tokens ({order.prompt_tokens} of text input, {output} in the output). "
            "Please reduce the length of either one, or use the context-compression plugin to "
            "compress your prompt automatically.",
            metadata={"error_type": "context_length_exceeded", "provider_name": order.provider},
        )


def _route(body: Mapping[str, Any], model: Model) -> str:
    """The provider that serves, after the request's own wishes; 404 when none is left."""
    wishes = body.get("provider")
    if not isinstance(wishes, dict):
        return model.provider
    _check_price(wishes.get("max_price"), model)
    if wishes.get("data_collection") == "deny" and model.is_free:
        raise _no_route(DATA_POLICY, "Filter by Data Policy")
    if wishes.get("require_parameters"):
        sent = PARAMETERS_CHECKED.intersection(body)
        if not sent <= set(model.parameters):
            text = "No endpoints found that can handle the requested parameters."
            raise _no_route(text, "Filter by Parameters")
    only, ignore = wishes.get("only"), wishes.get("ignore") or ()
    left = [
        name
        for name in model.providers
        if (not only or _named(name, only)) and not _named(name, ignore)
    ]
    if not left:
        text = "No allowed providers are available for the selected model."
        raise _no_route(text, "Filter by Allowed Providers")
    order = wishes.get("order") or ()
    return next((name for wish in order for name in left if _named(name, [wish])), left[0])


def _named(name: str, wishes: Any) -> bool:
    return any(is_named(name, str(wish)) for wish in wishes)


def _check_price(cap: Any, model: Model) -> None:
    """``max_price`` is in USD per million tokens, numbers or texts."""
    if not isinstance(cap, dict):
        return
    for name in ("prompt", "completion"):
        if name in cap:
            price = Decimal(str(model.pricing.get(name, "0"))) * 1_000_000
            if price > Decimal(str(cap[name])):
                text = "No endpoints found within your maximum price."
                raise _no_route(text, "Filter by Max Price")


def _no_route(message: str, step: str) -> refusals.Refusal:
    steps = {"Initial Endpoints": 1, step: 0}
    funnel = [{"step": name, "endpoint_count": count} for name, count in steps.items()]
    metadata = {"routing_funnel": funnel, "failed_routing_step": step}
    return refusals.refuse(404, message, metadata=metadata)
