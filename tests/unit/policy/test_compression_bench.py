"""What compression keeps of answers, on the questions that the documentation's table is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ultrai.policy.compressing import compress
from ultrai.policy.text_kinds import ChunkKind
from ultrai.policy.tokens import planned_tokens

ROOT = Path(__file__).parents[3]
QUESTIONS = json.loads((ROOT / "bench/compression_questions.json").read_text(encoding="utf-8"))
NAMES = sorted({row["text"] for row in QUESTIONS})


def text_of(name: str) -> str:
    path = ROOT / name if name == "LICENSE" else ROOT / f"bench/corpus/{name}.txt"
    return path.read_text(encoding="utf-8")


def is_kept(row: dict, text: str) -> bool:
    folded = " ".join(text.casefold().split())
    return any(answer.casefold() in folded for answer in row["answers"])


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["question"])
def test_the_whole_text_holds_the_answer(row: dict) -> None:
    assert is_kept(row, text_of(row["text"]))


@pytest.mark.parametrize(("factor", "least"), [(2, 0.95), (5, 0.95), (10, 0.9), (20, 0.85)])
def test_most_answers_are_kept_of_all_texts_together(factor: int, least: float) -> None:
    whole = "\n\n".join(map(text_of, NAMES))
    most_tokens = planned_tokens(whole, "Qwen") // factor
    kept = 0
    for row in QUESTIONS:
        left = compress(
            whole,
            question=row["question"],
            most_tokens=most_tokens,
            kind=ChunkKind.PROSE,
            tokenizer="Qwen",
        )
        kept += is_kept(row, left.text)
    assert kept >= least * len(QUESTIONS)
