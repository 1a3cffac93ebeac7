"""What an Attempt ends in: an Answer or a Failure, both values, and its cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ultrai.domain.money import format_usd
from ultrai.domain.value import value


class FailureKind(StrEnum):
    """What the world did. Every kind has one row in `policy.fallback`; the names are a contract."""

    BAD_REQUEST = "bad_request"
    CONTEXT_TOO_LONG = "context_too_long"
    AUTH = "auth"
    INSUFFICIENT_CREDIT = "insufficient_credit"
    IN_FLIGHT_BUDGET = "in_flight_budget"
    KEY_LIMIT = "key_limit"
    MODERATED = "moderated"
    FORBIDDEN = "forbidden"
    MODEL_UNAVAILABLE = "model_unavailable"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    UPSTREAM_ERROR = "upstream_error"
    NO_PROVIDER = "no_provider"
    OVERLOADED = "overloaded"
    NETWORK = "network"
    CUT_STREAM = "cut_stream"
    BAD_RESPONSE = "bad_response"
    EMPTY_ANSWER = "empty_answer"
    REFUSED_BY_BUDGET = "refused_by_budget"
    DEADLINE = "deadline"


class Phase(StrEnum):
    """Whether any text of the Attempt had arrived, or its stream was being read, when it failed."""

    BEFORE_STREAM = "before_stream"
    MID_STREAM = "mid_stream"


class Remedy(StrEnum):
    """What was done about a Failure."""

    RETRY = "retry"
    NEXT_CANDIDATE = "next_candidate"
    GIVE_UP_SLOT = "give_up_slot"
    STOP_UPSTREAM = "stop_upstream"


class CostState(StrEnum):
    """How well an Attempt's cost is known.

    `not_billed`: refused before the stream. `estimated`: our own bound or reckoning. `reported`:
    the upstream's own figure with the answer. `reconciled`: read from the upstream afterwards.
    `unknown_billed`: billed, and nobody can say how much.
    """

    NOT_BILLED = "not_billed"
    ESTIMATED = "estimated"
    REPORTED = "reported"
    RECONCILED = "reconciled"
    UNKNOWN_BILLED = "unknown_billed"

    @property
    def is_known(self) -> bool:
        """Whether the figure beside it is the truth."""
        return self not in (CostState.ESTIMATED, CostState.UNKNOWN_BILLED)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an Attempt yielded no Answer. `remedy` and `advice` are filled in once decided.

    `retry_after_s`: how long the upstream asked us to wait. `resets_at_ms`: epoch milliseconds at
    which an exhausted quota returns. `affordable_tokens`: the most output tokens the credit pays.
    `price_capped`: the request's own price cap left no provider.
    """

    kind: FailureKind
    message: str
    phase: Phase = Phase.BEFORE_STREAM
    status: int | None = None
    retry_after_s: float | None = None
    advice: str = ""
    remedy: Remedy | None = None
    resets_at_ms: int | None = None
    affordable_tokens: int | None = None
    price_capped: bool = False

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {
            "kind": self.kind.value,
            "phase": self.phase.value,
            "status": self.status,
            "message": self.message,
            "retry_after_s": self.retry_after_s,
            "advice": self.advice,
            "remedy": self.remedy.value if self.remedy else None,
        }


@value
class Usage:
    """Token counts by the model's own tokenizer, as the upstream reports them; None: not said."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "cached_tokens": self.cached_tokens,
        }


@value
class Cost:
    """Nanodollars and how well they are known; `raw` is the upstream's own string, if any."""

    nanos: int | None
    state: CostState
    raw: str | None = None

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract: a decimal string in USD, null where unknown."""
        return {
            "cost_usd": None if self.nanos is None else format_usd(self.nanos),
            "cost_state": self.state.value,
        }


NO_USAGE = Usage()
NOT_BILLED = Cost(0, CostState.NOT_BILLED)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model asks to be called; `arguments` is its text, which may be bad JSON."""

    id: str
    name: str
    arguments: str

    def to_dict(self) -> dict[str, object]:
        """OpenAI's wire shape."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@value
class Answer:
    """A complete text with its provenance. `model` and `provider` are what the upstream said."""

    text: str
    reasoning: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    truncated: bool = False
    cached: bool = False
    received_at: str | None = None
    generation_id: str | None = None
    model: str | None = None
    provider: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract; `tool_calls` only where there are any."""
        shape: dict[str, object] = {
            "text": self.text,
            "reasoning": self.reasoning,
            "finish_reason": self.finish_reason,
            "native_finish_reason": self.native_finish_reason,
            "truncated": self.truncated,
            "cached": self.cached,
            "received_at": self.received_at,
            "generation_id": self.generation_id,
            "model": self.model,
            "provider": self.provider,
        }
        if self.tool_calls:
            shape["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        return shape


@value
class Received:
    """What one Attempt brought home from the upstream: exactly one of `answer` and `failure`.

    `cost_raw` is the upstream's figure as text, `byok_raw` what the provider charged beside it to a
    key of the user's own; `sent` is False when provably nothing left us.
    """

    answer: Answer | None = None
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    cost_raw: str | None = None
    byok_raw: str | None = None
    generation_id: str | None = None
    sent: bool = True
    streamed: bool = False
