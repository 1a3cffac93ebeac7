"""A Report as OpenAI's wire format has it. Pure: the same Report gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from ultrai.domain.money import format_usd
from ultrai.domain.outcome import Answer, Failure, Usage
from ultrai.domain.report import Report, RunStatus, SlotReport
from ultrai.server.exchange import RUN_ID
from ultrai.server.parsing import Order, Shape

_CUT = "length"


def completion_id(run_id: str) -> str:
    """The id of the completion that a Run is."""
    return f"chatcmpl-{run_id.removeprefix('run_')}"


def created_s(report: Report) -> int:
    """When the Run began, in Unix seconds."""
    return int(datetime.fromisoformat(report.created_at).timestamp())


def completion_of(order: Order, report: Report) -> dict[str, object]:
    """The body of an answer that is not streamed."""
    return {
        "id": completion_id(report.id),
        "object": "chat.completion",
        "created": created_s(report),
        "model": model_of(order, report),
        "choices": choices_of(order, report),
        "usage": usage_of(report),
        "ultrai": about(report),
    }


def model_of(order: Order, report: Report) -> str:
    """Who answered, where it was one model; else what was asked for."""
    if order.shape is Shape.SINGLE and report.slots:
        return report.slots[0].answered_by or order.model
    return order.model


def choices_of(order: Order, report: Report) -> list[dict[str, object]]:
    """The choices in the wanted shape."""
    if order.shape is Shape.ALL:
        return [_slot_choice(slot) for slot in report.slots]
    if order.shape is Shape.PLAIN:
        text = "\n\n".join(section(slot) for slot in report.slots)
        return [
            _choice(0, {"role": "assistant", "content": text}, finish=plain_finish(report.slots))
        ]
    slot = first_answered(report)
    assert slot is not None
    assert slot.answer is not None
    return [_choice(0, message_of(slot.answer), finish=finish_of(slot.answer))]


def first_answered(report: Report) -> SlotReport | None:
    """The Slot whose Answer came first."""
    answered = [slot for slot in report.slots if slot.answer is not None]
    return min(answered, key=lambda slot: slot.elapsed_ms or 0, default=None)


def message_of(answer: Answer) -> dict[str, object]:
    """The message that an Answer is."""
    message: dict[str, object] = {"role": "assistant", "content": answer.text}
    if answer.reasoning:
        message["reasoning"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [call.to_dict() for call in answer.tool_calls]
        message["content"] = answer.text or None
    return message


def finish_of(answer: Answer) -> str:
    """Why the text ends."""
    if answer.finish_reason is None:
        return _CUT if answer.truncated else "stop"
    return answer.finish_reason


def plain_finish(slots: Sequence[SlotReport]) -> str:
    """Why a text of several Answers ends: cut if any was."""
    cut = any(slot.answer is not None and slot.answer.truncated for slot in slots)
    return _CUT if cut else "stop"


def heading(slot: SlotReport) -> str:
    """The Markdown heading over an Answer: who answers, and for whom."""
    model = slot.answered_by
    if model is None:
        return f"## {slot.primary}: no answer"
    return f"## {model} (for {slot.primary})" if slot.fallback else f"## {model}"


def section(slot: SlotReport) -> str:
    """One Slot in a text of several: its Answer under its heading, or why there is none."""
    text = why_none(slot.failure) if slot.answer is None else slot.answer.text.strip("\n")
    return f"{heading(slot)}\n\n{text}"


def why_none(failure: Failure | None) -> str:
    """One line in italics."""
    if failure is None:
        return "*cancelled*"
    message = " ".join(failure.message.split()).replace("*", "\\*")
    return f"*{failure.kind.value}: {message}*"


def usage_of(report: Report) -> dict[str, object]:
    """Token counts and cost, summed over every Attempt; null where nobody said."""
    usage, cost = report.usage, report.cost_nanos
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": _total(usage),
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "cost": None if cost is None else Decimal(format_usd(cost)),
    }


def about(report: Report) -> dict[str, object]:
    """The block `ultrai`: what OpenAI's format has no place for."""
    return {
        "run_id": report.id,
        "status": report.status.value,
        "answered_by": [slot.answered_by for slot in report.slots if slot.answered_by],
        "slots": [slot.to_dict() for slot in report.slots],
        "notices": [notice.to_dict() for notice in report.notices],
        "cost_known": report.cost_known,
    }


def headers_of(report: Report) -> list[tuple[bytes, bytes]]:
    """The headers that every answer about a Run bears; its cost when it is over and known."""
    headers = [
        (RUN_ID, report.id.encode()),
        (b"x-ultrai-status", report.status.value.encode()),
    ]
    cost = report.cost_nanos
    if cost is not None and report.status is not RunStatus.RUNNING:
        headers.append((b"x-ultrai-cost", format_usd(cost).encode()))
    return headers


def _slot_choice(slot: SlotReport) -> dict[str, object]:
    if slot.answer is not None:
        return _choice(slot.index, message_of(slot.answer), finish=finish_of(slot.answer))
    choice = _choice(slot.index, {"role": "assistant", "content": ""}, finish="error")
    return {**choice, "error": error_of(slot.failure)}


def error_of(failure: Failure | None) -> dict[str, object]:
    """Why a choice is empty."""
    if failure is None:
        return {"code": "cancelled", "message": "the slot was cancelled"}
    return {"code": failure.kind.value, "message": failure.message}


def _choice(index: int, message: Mapping[str, object], *, finish: str) -> dict[str, object]:
    return {"index": index, "message": message, "finish_reason": finish, "logprobs": None}


def _total(usage: Usage) -> int | None:
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return usage.prompt_tokens + usage.completion_tokens
