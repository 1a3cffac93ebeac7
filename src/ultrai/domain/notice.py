"""A Notice: a typed remark that something is not as asked. Nothing is silent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoticeCode(StrEnum):
    """Why a Notice was written; each code is stable, its message is for people."""

    COCKTAIL_CHOSEN = "cocktail_chosen"
    COCKTAIL_DEFAULTED = "cocktail_defaulted"
    MODEL_CORRECTED = "model_corrected"
    MODEL_SUPERSEDED = "model_superseded"
    MODEL_NOT_READY = "model_not_ready"
    PARAMETER_DROPPED = "parameter_dropped"
    REASONING_HEADROOM = "reasoning_headroom"
    MAX_TOKENS_REDUCED = "max_tokens_reduced"
    MAX_TOKENS_RAISED = "max_tokens_raised"
    ANSWER_TRUNCATED = "answer_truncated"
    FALLBACK_USED = "fallback_used"
    DIVERSITY_LOST = "diversity_lost"
    CIRCUIT_OPEN = "circuit_open"
    CATALOGUE_MISSING = "catalogue_missing"
    CATALOGUE_STALE = "catalogue_stale"
    PRICE_UNKNOWN = "price_unknown"
    PRICE_CAP_RAISED = "price_cap_raised"
    COST_ESTIMATED = "cost_estimated"
    COST_ABOVE_BOUND = "cost_above_bound"
    BYOK_CHARGED = "byok_charged"
    UPSTREAM_STOPPED = "upstream_stopped"
    QUORUM_REACHED = "quorum_reached"
    QUORUM_MISSED = "quorum_missed"
    STOPPED_WAITING = "stopped_waiting"
    RUN_RESUMED = "run_resumed"
    HISTORY_FAILED = "history_failed"
    LEDGER_FAILED = "ledger_failed"
    BUDGET_EXCEEDED = "budget_exceeded"
    SLOTS_DROPPED = "slots_dropped"
    INPUT_CLEANED = "input_cleaned"
    INPUT_RETRIEVED = "input_retrieved"
    INPUT_COMPRESSED = "input_compressed"
    INPUT_SUMMARISED = "input_summarised"
    SUMMARY_PLANNED = "summary_planned"
    SUMMARY_INCOMPLETE = "summary_incomplete"
    ANSWERED_FROM_CACHE = "answered_from_cache"
    SHARED_IN_FLIGHT = "shared_in_flight"
    CACHE_FAILED = "cache_failed"
    DOCUMENT_INCOMPLETE = "document_incomplete"
    INDEX_USED = "index_used"


@dataclass(frozen=True, slots=True)
class Notice:
    """One remark; `slot` is the index of the Slot it concerns, or None for the whole Run."""

    code: NoticeCode
    message: str
    slot: int | None = None

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {"code": self.code.value, "message": self.message, "slot": self.slot}
