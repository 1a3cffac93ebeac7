"""The ``usage`` object: tokens, what they cost and how, as it is printed on the wire.

Two dialects are real. A plain answer, and one whose provider searched by itself, names ``is_byok``
and tells costs before completion details; where OpenRouter ran a tool for the model it is the other
way round, and the tool's own price is in ``cost`` but not in what the upstream got.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ultrai_sim.charges import Charge, js_number
from ultrai_sim.intake import Intake
from ultrai_sim.speech import Answer


def usage_of(answer: Answer, intake: Intake, *, cost: Charge) -> dict[str, Any]:
    """The ``usage`` object."""
    orchestrated = intake.orchestrated
    upstream = cost.prompt + cost.completion if orchestrated else cost.total
    costs = {
        "upstream_inference_cost": _number(upstream),
        "upstream_inference_prompt_cost": _number(cost.prompt),
        "upstream_inference_completions_cost": _number(cost.completion),
    }
    completion = {
        "reasoning_tokens": len(answer.thoughts),
        "image_tokens": 0,
        "audio_tokens": 0,
    }
    usage: dict[str, Any] = {
        "prompt_tokens": intake.tokens,
        "completion_tokens": answer.tokens,
        "total_tokens": intake.tokens + answer.tokens,
        "cost": msgspec.Raw(cost.wire.encode()),
    }
    prompt = {
        "cached_tokens": intake.cached,
        "cache_write_tokens": intake.written,
        "audio_tokens": intake.audio,
        "video_tokens": intake.video,
    }
    if orchestrated:
        usage["prompt_tokens_details"] = prompt
        usage["completion_tokens_details"] = completion
        usage["cost_details"] = costs
    else:
        usage["is_byok"] = cost.is_byok
        usage["prompt_tokens_details"] = prompt
        usage["cost_details"] = costs
        usage["completion_tokens_details"] = completion
    searches = {"web_search_requests": 1} if intake.search else {}
    run = len(intake.served) + (intake.search == "orchestrated")
    tools = {"tool_calls_requested": run, "tool_calls_executed": run} if run else {}
    if searches or tools:
        usage["server_tool_use_details"] = {**searches, **tools}
    return usage


def free_of_charge(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The same counts for an answer that is not billed, as one that ends in an error is not."""
    details = dict.fromkeys(usage["cost_details"], 0)
    return {**usage, "cost": 0, "cost_details": details}


def _number(value: float) -> msgspec.Raw:
    return msgspec.Raw(js_number(value).encode())
