"""What the providers of one model take: the dearest of their prices, as a cap."""

from __future__ import annotations

from ultrai.domain.attempt import PriceCap
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.ports import Upstream

_MILLION = 1_000_000


async def dearest_cap(upstream: Upstream, model_id: str) -> PriceCap | None:
    """The dearest provider's price as a cap; None where the upstream does not tell."""
    try:
        endpoints = await upstream.list_endpoints(model_id)
    except UpstreamUnavailable:
        return None
    rates = [endpoint.rates for endpoint in endpoints if endpoint.rates is not None]
    if not rates:
        return None
    return PriceCap(
        prompt=max(each.prompt for each in rates) * _MILLION,
        completion=max(each.completion for each in rates) * _MILLION,
        request=max((each.request for each in rates if each.request), default=None),
    )
