"""However a Run goes, what a client reads of its stream is what its Report says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.engine.bar import PROMPT, Bar, broken, cocktail, cut

from ultrai.domain.ask import Ask, Commit
from ultrai.domain.outcome import FailureKind
from ultrai.domain.report import Report
from ultrai.server.chunks import DONE, Chunks
from ultrai.server.parsing import Order, Shape
from ultrai.server.rendering import choices_of, created_s
from ultrai.testing import Script

THREE = [cocktail("X", ["m/0", "m/0b"], ["m/1"], ["m/2"])]
COMMITS = {
    Shape.PLAIN: Commit.FIRST,
    Shape.ALL: Commit.EACH,
    Shape.FIRST: Commit.NONE,
    Shape.SINGLE: Commit.EACH,
}
WORLDS = {
    "all well": {},
    "one late": {"m/1": [Script(first_s=3, gap_s=0.2, text="a late answer")]},
    "one dead": {"m/1": [broken(FailureKind.FORBIDDEN)]},
    "a backup": {"m/0": [broken(FailureKind.FORBIDDEN)]},
    "first breaks": {"m/0": [cut()], "m/1": [Script(first_s=2)], "m/2": [Script(first_s=3)]},
    "all break": {f"m/{n}": [cut()] for n in range(3)},
    "all dead": {f"m/{n}": [broken(FailureKind.FORBIDDEN)] for n in ("0", "0b", "1", "2")},
    "newlines": {"m/2": [Script(text='##\u2028not a "heading" \\ é')]},
}


def streamed(order: Order, bar: Bar) -> tuple[Report, bytes]:
    report, events = bar.watch(order.ask)
    chunks = Chunks(order, report.id, created=created_s(report))
    data = b"".join(chunks.take([event]) for event in events)
    assert chunks.is_over
    return report, data


def frames_of(data: bytes) -> list[dict[str, Any]]:
    assert data.endswith(DONE)
    lines = data.decode().removesuffix(DONE.decode()).split("\n\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line]


def texts_of(frames: list[dict[str, Any]]) -> dict[int, str]:
    texts: dict[int, str] = {}
    for frame in frames:
        for choice in frame["choices"]:
            text = choice["delta"].get("content") or ""
            texts[choice["index"]] = texts.get(choice["index"], "") + text
    return texts


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("include_usage", [False, True])
@pytest.mark.parametrize("shape", list(Shape))
def test_a_stream_says_what_the_report_says(world: str, shape: Shape, include_usage: bool) -> None:
    who = {"models": ("m/2",)} if shape is Shape.SINGLE else {"cocktail": "X"}
    quorum = 1 if shape is Shape.FIRST else None
    ask = Ask(messages=PROMPT, commit=COMMITS[shape], quorum=quorum, **who)
    order = Order(ask, shape, "ultrai/x", stream=True, include_usage=include_usage)
    bar = Bar(cocktails=THREE, scripts=WORLDS[world])
    report, data = streamed(order, bar)
    frames = frames_of(data)
    last, texts = frames[-1], texts_of(frames)
    assert last["ultrai"]["run_id"] == report.id
    assert last["ultrai"]["status"] == report.status.value
    assert [frame for frame in frames if frame.get("usage")] == [last]
    reasons = [c["finish_reason"] for f in frames for c in f["choices"] if c["finish_reason"]]
    if not report.answers:
        assert last["error"]["message"]
        assert "error" in reasons
        return
    assert "error" not in last
    assert len(reasons) == (len(report.slots) if shape is Shape.ALL else 1)
    wanted = {each["index"]: each for each in choices_of(order, report)}
    if shape is not Shape.PLAIN:
        for index, choice in wanted.items():
            if choice["finish_reason"] != "error":
                assert texts[index] == choice["message"]["content"]
        return
    for slot in report.slots:
        if slot.answer is not None:
            assert slot.answer.text.strip("\n") in texts[0]
            assert texts[0].count(f"## {slot.answered_by}") == 1
        elif not slot.attempts[-1].partial:
            assert f"## {slot.primary}: no answer" in texts[0]
    assert "\n\n\n\n#" not in texts[0]
    replayed = texts_of(frames_of(Chunks(order, report.id, created=0).replay(report)))
    whole = [slot.answer.text.strip("\n") for slot in report.slots if slot.answer is not None]
    assert all(text in replayed[0] for text in whole)
