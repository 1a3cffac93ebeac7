"""What a document says beside each answer: who, for whom, how long, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ultrai.cli.render.phrases import cost_words, duration
from ultrai.cli.render.safety import one_line
from ultrai.domain.report import Report, SlotReport


def provenance(slot: SlotReport) -> str:
    """About an answer: `in place of x-ai/grok-4, served by xAI, total 1.1 s, 412 tokens, $0.01`."""
    answer = slot.answer
    parts: list[str] = []
    if slot.fallback:
        parts.append(f"in place of {one_line(slot.primary)}")
    if answer is not None and answer.model and answer.model != slot.answered_by:
        parts.append(f"reported as {one_line(answer.model)}")
    if answer is not None and answer.provider:
        parts.append(f"served by {one_line(answer.provider)}")
    parts.append(f"first token {duration(slot.first_token_ms)}")
    parts.append(f"total {duration(slot.elapsed_ms)}")
    if slot.usage is not None and slot.usage.completion_tokens is not None:
        parts.append(f"{slot.usage.completion_tokens:,} tokens")
    parts.append(cost_words(slot.cost))
    if answer is not None and answer.truncated:
        parts.append("cut by the token limit")
    return ", ".join(parts)


def messages_of(report: Report) -> list[tuple[str, str]]:
    """The conversation that was asked, roles and contents, and the documents it is about."""
    messages = cast("Sequence[Mapping[str, object]]", report.query.get("messages") or ())
    told = [(str(message.get("role")), str(message.get("content"))) for message in messages]
    documents = cast("Sequence[Mapping[str, object]]", report.query.get("documents") or ())
    if documents:
        told.append(("documents", "\n".join(map(_document_line, documents))))
    return told


def _document_line(document: Mapping[str, object]) -> str:
    line = document.get("first_line")
    where = "" if line is None else f" from line {line}"
    return f"{one_line(str(document['name']))}{where} ({document['characters']:,} characters)"
