"""A Report as Markdown."""

from __future__ import annotations

from ultrai.cli.render.phrases import failure_line
from ultrai.cli.render.provenance import messages_of, provenance
from ultrai.cli.render.safety import clean, one_line
from ultrai.cli.render.summary import unanswered_lines, verdict
from ultrai.domain.report import Report, SlotReport


def render_markdown(report: Report) -> str:
    """The question quoted, the answers as they came, each under its model's name."""
    title = one_line(report.cocktail or "models named one by one")
    parts = [f"# {title}, {report.created_at}", f"*{verdict(report)}*"]
    for role, content in messages_of(report):
        quoted = "\n".join(f"> {line}".rstrip() for line in clean(content).split("\n"))
        parts.extend([f"**{role}**", quoted])
    parts.extend(_slot(slot) for slot in report.slots)
    unanswered = unanswered_lines(report, brief=False)
    if unanswered:
        parts.append("## Not answered")
        parts.append("\n".join(f"- {line}" for line in unanswered))
    if report.notices:
        parts.append("## Notices")
        parts.append("\n".join(f"- {one_line(notice.message)}" for notice in report.notices))
    return "\n\n".join(part for part in parts if part) + "\n"


def _slot(slot: SlotReport) -> str:
    if slot.answer is None:
        return ""
    body = clean(slot.answer.text).strip("\n")
    failed = [
        f"- {one_line(attempt.model)}: {failure_line(attempt.failure)}"
        for attempt in slot.attempts
        if attempt.failure is not None
    ]
    parts = [f"## {one_line(slot.answered_by or slot.primary)}", f"*{provenance(slot)}*", body]
    if failed:
        parts.extend(["Before that:", "\n".join(failed)])
    return "\n\n".join(parts)
