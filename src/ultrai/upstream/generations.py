"""What one generation cost, asked for afterwards: OpenRouter's `GET /generation`."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

from ultrai.domain.errors import NotFound
from ultrai.domain.generation import Generation
from ultrai.domain.outcome import Usage
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.lenient import integer, mapping, text
from ultrai.upstream.lookup import Lookup


async def read_generation(
    config: UpstreamConfig, lookup: Lookup, *, generation_id: str
) -> Generation | None:
    """The record; None where there is none (yet), and of a server that keeps none.

    Raises UpstreamUnavailable.
    """
    if not config.is_openrouter:
        return None
    absent = NotFound(f"{config.name} has no record of {generation_id} yet")
    try:
        answer = await lookup.get(f"/generation?id={quote(generation_id, safe='')}", absent=absent)
    except NotFound:
        return None
    data = mapping(mapping(answer).get("data"))
    if not data:
        raise lookup.unavailable("the record of a generation is empty")
    cancelled = data.get("cancelled")
    return Generation(
        id=generation_id,
        cost_raw=_figure(data.get("total_cost", data.get("usage"))),
        provider=text(data.get("provider_name")),
        native=Usage(
            prompt_tokens=integer(data.get("native_tokens_prompt")),
            completion_tokens=integer(data.get("native_tokens_completion")),
            reasoning_tokens=integer(data.get("native_tokens_reasoning")),
            cached_tokens=integer(data.get("native_tokens_cached")),
        ),
        normalised=Usage(
            prompt_tokens=integer(data.get("tokens_prompt")),
            completion_tokens=integer(data.get("tokens_completion")),
        ),
        cancelled=cancelled if isinstance(cancelled, bool) else None,
    )


def _figure(value: object) -> str | None:
    """A number as text, exactly as it was written."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    return str(value)
