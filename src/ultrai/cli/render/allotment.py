"""What each model got of the documents, in words: from `slots[].fit`, or from a Plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ultrai.cli.render.phrases import count
from ultrai.cli.render.safety import one_line
from ultrai.domain.report import Report, SlotReport

_MOST_RANGES = 12
_WORDS = {
    "whole": "whole",
    "cleaned": "whole, without needless blanks",
    "retrieve": "{passages}, {share}",
    "compress": "shortened to {share}",
    "summarise": "summarised, {share}",
}


def allotment(fit: Mapping[str, object] | None) -> str:
    """`whole`, `12 passages, 3.1 % of book.txt`; empty where there are no documents."""
    if fit is None:
        return ""
    sources = _sources(fit)
    tokens = sum(cast("int", source["tokens"]) for source in sources)
    sent = sum(cast("int", source["sent_tokens"]) for source in sources)
    percent = 100.0 if sent >= tokens else min(99.9, round(100 * sent / tokens, 1))
    name = one_line(str(sources[0]["name"])) if len(sources) == 1 else f"{len(sources)} documents"
    many = sum(len(_passages(source)) for source in sources)
    words = _WORDS.get(str(fit["mode"]), "{share}")
    return words.format(passages=count(many, "passage"), share=f"{percent:g} % of {name}")


def sent_line(report: Report) -> str:
    """One line about all Slots: `sent: [1] whole · [2] 12 passages, 3.1 % of book.txt`."""
    told = [(slot.index + 1, allotment(slot.fit)) for slot in report.slots if slot.fit]
    if not told:
        return ""
    if len(told) > 1 and len({words for _, words in told}) == 1:
        return f"sent to all: {told[0][1]}"
    return "sent: " + " · ".join(f"[{number}] {words}" for number, words in told)


def allotment_lines(slot: SlotReport) -> list[str]:
    """What a Slot's model got: a line, and one for each document of which it got passages."""
    if slot.fit is None:
        return []
    lines = [f"sent: {allotment(slot.fit)}"]
    if slot.fit["mode"] in ("whole", "cleaned"):
        return lines
    for source in _sources(slot.fit):
        passages = _passages(source)
        if not passages:
            continue
        ranges = [f"{each['first_line']}-{each['last_line']}" for each in passages]
        more = f" and {len(ranges) - _MOST_RANGES} more" if len(ranges) > _MOST_RANGES else ""
        name = one_line(str(source["name"]))
        lines.append(f"  {name}, lines {', '.join(ranges[:_MOST_RANGES])}{more}")
    return lines


def _sources(fit: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    return cast("Sequence[Mapping[str, object]]", fit["sources"])


def _passages(source: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    return cast("Sequence[Mapping[str, object]]", source["passages"])
