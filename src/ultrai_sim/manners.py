"""What differs on the wire between makers of models and between providers.

The makers' formats of reasoning and ids of calls, the providers' own words for why a generation
ended, and who sends a fingerprint or a service tier. From recorded traffic of 2025 and 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Seal = Literal["", "signature", "encrypted"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a maker's models show their reasoning and name their calls.

    ``summarises``: only a summary of the thoughts is shown. ``seal`` is what comes after them so
    that they can be sent back: a signature, an encrypted copy, or nothing.
    """

    format: str = "unknown"
    summarises: bool = False
    seal: Seal = ""
    call_prefix: str = "call_"
    call_letters: int = 24


PLAIN = Manner()
MANNERS: Mapping[str, Manner] = {
    "openai": Manner("openai-responses-v1", summarises=True, seal="encrypted"),
    "anthropic": Manner(
        "anthropic-claude-v1", seal="signature", call_prefix="toolu_01", call_letters=22
    ),
    "google": Manner("google-gemini-v1", seal="encrypted", call_prefix="tool_", call_letters=20),
    "x-ai": Manner("xai-responses-v1", summarises=True, seal="encrypted"),
    "mistralai": Manner(call_prefix="", call_letters=9),
}

RESPONSES = {"stop": "completed", "length": "max_output_tokens", "tool_calls": "completed"}
GEMINI = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
}
NATIVE_REASONS: Mapping[str, Mapping[str, str]] = {
    "OpenAI": RESPONSES,
    "Azure": RESPONSES,
    "xAI": RESPONSES,
    "Anthropic": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "refusal",
    },
    "Google": GEMINI,
    "Google AI Studio": GEMINI,
    "Cohere": {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"},
}
TIERED = frozenset({"OpenAI", "Azure", "Google", "Google AI Studio", "xAI"})
FINGERPRINTED = frozenset({"DeepSeek", "Groq", "Together", "Alibaba"})


def maker_of(model_id: str) -> str:
    """Whose model it is: the first part of its id, without an alias's mark."""
    return model_id.partition("/")[0].lstrip("~")


def manner_of(model_id: str) -> Manner:
    """The manner of a model's maker."""
    return MANNERS.get(maker_of(model_id), PLAIN)


def native_reason(provider: str, reason: str, *, model_id: str) -> str:
    """Why a generation ended, in the provider's own words."""
    reasons = NATIVE_REASONS.get(provider, {})
    if reasons is GEMINI and maker_of(model_id) != "google":
        # Other makers' models are served by Google as they are.
        return reason
    return reasons.get(reason, reason)


def tier_of(provider: str) -> str | None:
    """The service tier that an answer names."""
    return "default" if provider in TIERED else None


def fingerprint_of(provider: str, model_id: str) -> str | None:
    """The system fingerprint that an answer names; the same as long as the model is."""
    if provider not in FINGERPRINTED:
        return None
    digest = sum(map(ord, provider + model_id)) * 2_654_435_761 % 2**40
    return f"fp_{digest:010x}"
