"""Which endpoints may serve a request, and in which order they are tried.

Filters run in OpenRouter's order, and a refusal lists how many endpoints each step left (the
routing funnel). What is left is ordered by the request's own wishes; without any, the first
provider of the catalogue comes first. OpenRouter itself spreads the load by price: here the same
request always goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ultrai_sim import refusals
from ultrai_sim.catalogue import Model
from ultrai_sim.endpoints import PERCENTILES, Endpoint, endpoints_of
from ultrai_sim.reading import amount_of

ROUTING_PAGE = "https://openrouter.ai/docs/guides/routing/provider-selection"
PRIVACY_PAGE = "https://openrouter.ai/settings/privacy"
SORTS = ("price", "throughput", "latency", "exacto")
PARTITIONS = ("model", "none")
ORDERS: Mapping[str, Callable[[Endpoint], Any]] = {
    "price": lambda e: e.usd_per_million("prompt") + e.usd_per_million("completion"),
    "throughput": lambda e: -e.pace,
    "latency": lambda e: e.first_ms,
}
"""By what endpoints are sorted; `exacto` leaves them as they are."""
SUFFIX_SORTS = {"nitro": "throughput", "floor": "price", "exacto": "exacto"}
CHECKED = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
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
LISTS = ("order", "only", "ignore", "quantizations")
FLAGS = ("allow_fallbacks", "require_parameters", "zdr")


@dataclass(frozen=True, slots=True)
class Step:
    """One filter: its name in the funnel, what it keeps, and how it refuses."""

    name: str
    keeps: Callable[[Endpoint], bool]
    message: str
    more: Mapping[str, Any] | None = None


def route(
    body: Mapping[str, Any], model: Model, *, asked: str, endpoints: Sequence[Endpoint]
) -> list[Endpoint]:
    """The endpoints in the order in which they are tried; 400 or 404 where there are none."""
    wishes = _wishes(body)
    left = endpoints
    funnel = [("Initial Endpoints", len(left))]
    for step in _steps(body, wishes, model=model, endpoints=left):
        kept = [endpoint for endpoint in left if step.keeps(endpoint)]
        if not kept:
            raise refusals.no_route(step.message, funnel, failed=step.name, more=step.more)
        if len(kept) < len(left):
            funnel.append((step.name, len(kept)))
        left = kept
    ordered = _ordered(left, wishes, suffixes=asked.split(":")[1:])
    if wishes.get("allow_fallbacks") is not False or wishes.get("order"):
        return ordered
    return ordered[:1]


def _wishes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    wishes = body.get("provider")
    if wishes is None:
        return {}
    if not isinstance(wishes, dict):
        raise _invalid("provider", "expected object")
    for name in LISTS:
        value = wishes.get(name)
        if value is not None and not (
            isinstance(value, list) and all(isinstance(each, str) for each in value)
        ):
            raise _invalid(f"provider.{name}", "expected array of strings")
    for name in FLAGS:
        if not isinstance(wishes.get(name, False), bool | None):
            raise _invalid(f"provider.{name}", "expected boolean")
    if wishes.get("data_collection") not in (None, "allow", "deny"):
        raise _invalid("provider.data_collection", "expected one of allow|deny")
    return wishes


def _steps(
    body: Mapping[str, Any],
    wishes: Mapping[str, Any],
    *,
    model: Model,
    endpoints: Sequence[Endpoint],
) -> list[Step]:
    return [
        *_media(body, model),
        *_tools(body, model),
        *_allowed(wishes, model, endpoints=endpoints),
        *_privacy(wishes),
        *_precision(wishes),
        *_parameters(body, wishes, model=model),
        *_price(wishes),
    ]


def _media(body: Mapping[str, Any], model: Model) -> list[Step]:
    parts = [
        part
        for message in body.get("messages") or ()
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part, dict)
    ]
    if not any(part.get("type") == "image_url" for part in parts):
        return []
    message = "No endpoints found that support image input"
    return [Step("Filter by Image Support", lambda _: "image" in model.inputs, message)]


def _tools(body: Mapping[str, Any], model: Model) -> list[Step]:
    offered = body.get("tools")
    if offered is not None and not isinstance(offered, list):
        raise _invalid("tools", "expected array")
    tools = [tool for tool in offered or () if isinstance(tool, dict)]
    names = [
        str(tool["function"].get("name"))
        for tool in tools
        if tool.get("type") == "function" and isinstance(tool.get("function"), dict)
    ]
    if not names or body.get("tool_choice") == "none":
        return []
    message = (
        f'No endpoints found that support tool use. Try disabling "{names[0]}". '
        f"To learn more about provider routing, visit: {ROUTING_PAGE}"
    )
    supports = "tools" in model.parameters
    return [Step("Filter by Tool Compatibility", lambda _: supports, message)]


def _allowed(
    wishes: Mapping[str, Any], model: Model, *, endpoints: Sequence[Endpoint]
) -> list[Step]:
    steps = []
    only, ignore = wishes.get("only"), wishes.get("ignore")
    slugs = [endpoint.slug for endpoint in endpoints]
    if only:
        message = (
            "No allowed providers are available for the selected model. Providers serving "
            f"{model.id}: {', '.join(slugs)}, but your request's provider.only preference "
            f"permits only: {', '.join(only)}."
        )
        more = {"available_providers": slugs, "requested_providers": list(only)}
        steps.append(Step("Filter by Allowed Providers", lambda e: e.is_named(only), message, more))
    if ignore:
        message = (
            "All providers have been ignored. To change your default ignored providers, "
            f"visit: {PRIVACY_PAGE}"
        )
        steps.append(Step("Filter by Ignored Providers", lambda e: not e.is_named(ignore), message))
    order = wishes.get("order")
    if order and wishes.get("allow_fallbacks") is False:
        message = (
            "No allowed providers are available for the selected model. Providers serving "
            f"{model.id}: {', '.join(slugs)}, but your request's provider.order preference "
            f"without fallbacks permits only: {', '.join(order)}."
        )
        more = {"available_providers": slugs, "requested_providers": list(order)}
        steps.append(Step("Filter by Provider Order", lambda e: e.is_named(order), message, more))
    return steps


def _privacy(wishes: Mapping[str, Any]) -> list[Step]:
    text = "No endpoints found matching your data policy ({}). Configure: " + PRIVACY_PAGE
    steps = []
    if wishes.get("data_collection") == "deny":
        message = text.format("Free model training")
        steps.append(Step("Filter by Data Policy", lambda e: not e.trains, message))
    if wishes.get("zdr"):
        message = text.format("Zero data retention")
        steps.append(Step("Filter by Data Policy", lambda e: e.zdr, message))
    return steps


def _precision(wishes: Mapping[str, Any]) -> list[Step]:
    wanted = wishes.get("quantizations")
    if not wanted:
        return []
    message = f"No endpoints found with the requested quantizations: {', '.join(wanted)}"
    return [
        Step("Filter by Quantization", lambda e: (e.quantization or "unknown") in wanted, message)
    ]


def _parameters(body: Mapping[str, Any], wishes: Mapping[str, Any], *, model: Model) -> list[Step]:
    if not wishes.get("require_parameters"):
        return []
    sent = {name for name in CHECKED.intersection(body) if body[name] is not None}
    if "max_completion_tokens" in sent:
        sent = sent - {"max_completion_tokens"} | {"max_tokens"}
    shape = body.get("response_format")
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        sent.add("structured_outputs")
    fits = sent <= set(model.parameters)
    message = "No endpoints found that can handle the requested parameters."
    return [Step("Filter by Parameters", lambda _: fits, message)]


def _price(wishes: Mapping[str, Any]) -> list[Step]:
    """``max_price`` is in USD per million tokens, numbers or texts; per request in USD."""
    caps = wishes.get("max_price")
    if caps is None:
        return []
    if not isinstance(caps, dict):
        raise _invalid("provider.max_price", "expected object")
    limits: dict[str, Decimal] = {}
    for name in ("prompt", "completion", "request"):
        if caps.get(name) is not None:
            limit = amount_of(caps[name])
            if limit is None:
                raise _invalid(f"provider.max_price.{name}", "expected number")
            limits[name] = limit

    def is_cheap(endpoint: Endpoint) -> bool:
        return all(_price_of(endpoint, name) <= limit for name, limit in limits.items())

    message = "No endpoints found that satisfy the max price for this request"
    return [Step("Filter by Max Price", is_cheap, message)]


def _price_of(endpoint: Endpoint, name: str) -> Decimal:
    if name == "request":
        return Decimal(str(endpoint.pricing.get("request", "0")))
    return endpoint.usd_per_million(name)


def by_partition(body: Mapping[str, Any], models: Sequence[tuple[str, Model | None]]) -> list[str]:
    """The ids of several models in the order in which they are tried; 400 for wrong wishes.

    A ``sort`` whose ``partition`` is ``none`` sorts the models too, each by its best endpoint;
    those that nobody knows come last. Otherwise they stay as they are.
    """
    sort = _wishes(body).get("sort")
    names = [name for name, _ in models]
    if not isinstance(sort, dict) or sort.get("partition") != "none":
        return names
    key = ORDERS.get(_sort_of(sort) or "")
    if key is None:
        return names
    best = {name: min(map(key, endpoints_of(model))) for name, model in models if model is not None}
    return sorted(names, key=lambda name: (name not in best, best.get(name, 0)))


def _ordered(
    endpoints: Sequence[Endpoint], wishes: Mapping[str, Any], *, suffixes: Sequence[str]
) -> list[Endpoint]:
    """Named ones first, in their order; the rest by what is asked for."""
    ordered = list(endpoints)
    by = _sort_of(wishes.get("sort"))
    by = by or next((SUFFIX_SORTS[each] for each in suffixes if each in SUFFIX_SORTS), None)
    key = ORDERS.get(by or "")
    if key is not None:
        ordered.sort(key=key)
    _put_slow_last(ordered, wishes)
    named = [e for wish in wishes.get("order") or () for e in ordered if e.is_named([wish])]
    return list(dict.fromkeys([*named, *ordered]))


def _sort_of(wish: Any) -> str | None:
    """By what is sorted, a word or a table with ``by``; 400 for anything else."""
    by, partition = wish, None
    if isinstance(wish, dict):
        by, partition = wish.get("by"), wish.get("partition")
    if by is not None and by not in SORTS:
        raise _invalid("provider.sort", f"expected one of {'|'.join(SORTS)}")
    if partition not in (None, *PARTITIONS):
        raise _invalid("provider.sort.partition", f"expected one of {'|'.join(PARTITIONS)}")
    return by if isinstance(by, str) else None


def _put_slow_last(endpoints: list[Endpoint], wishes: Mapping[str, Any]) -> None:
    """The soft preferences: they put back, and never leave out. A number is the median's."""
    latency = _percentiles(wishes, "preferred_max_latency")
    throughput = _percentiles(wishes, "preferred_min_throughput")
    if latency:
        endpoints.sort(key=lambda e: any(e.latencies_ms[p] > s * 1000 for p, s in latency.items()))
    if throughput:
        endpoints.sort(key=lambda e: any(e.throughputs[p] < n for p, n in throughput.items()))


def _percentiles(wishes: Mapping[str, Any], name: str) -> Mapping[str, float]:
    """A preference by percentile; 400 where it is neither a number nor a table of them."""
    wish = wishes.get(name)
    if wish is None:
        return {}
    table = wish if isinstance(wish, dict) else {"p50": wish}
    given = {percentile: limit for percentile, limit in table.items() if limit is not None}
    for percentile, limit in given.items():
        if percentile not in PERCENTILES:
            raise _invalid(f"provider.{name}", f"expected one of {'|'.join(PERCENTILES)}")
        if not isinstance(limit, int | float) or isinstance(limit, bool) or limit < 0:
            raise _invalid(f"provider.{name}", "expected number")
    return given


def _invalid(path: str, message: str) -> refusals.Refusal:
    return refusals.refuse(400, f"{path}: Invalid input: {message}")
