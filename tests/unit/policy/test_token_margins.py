"""What is planned to fit, fits: by the counts of exact tokenizers on texts made for this."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.token_samples import samples

from ultrai.policy.token_weights import MEASURED
from ultrai.policy.tokens import planned_tokens, text_tokens

COUNTS = json.loads(
    (Path(__file__).parents[3] / "bench/token_counts.json").read_text(encoding="utf-8")
)
SAMPLES = list(samples())


def test_every_family_that_is_called_measured_was_counted() -> None:
    assert {name for name in MEASURED if name != "qwen3"} == set(COUNTS)
    assert MEASURED["qwen3"] == MEASURED["qwen"]


@pytest.mark.parametrize("family", COUNTS)
def test_less_than_one_text_in_a_thousand_is_longer_than_planned(family: str) -> None:
    counts = COUNTS[family]["counts"]
    assert len(counts) == len(SAMPLES) > 1000
    short = [
        (kind, count, planned_tokens(text, family))
        for (kind, text), count in zip(SAMPLES, counts, strict=True)
        if count > planned_tokens(text, family)
    ]
    assert len(short) * 1000 < len(SAMPLES), short


@pytest.mark.parametrize("family", COUNTS)
def test_what_is_expected_is_near_the_truth_for_every_kind_of_text(family: str) -> None:
    found: dict[str, list[int]] = {}
    for (kind, text), count in zip(SAMPLES, COUNTS[family]["counts"], strict=True):
        sums = found.setdefault(kind, [0, 0])
        sums[0] += count
        sums[1] += text_tokens(text, family)
    for kind, (exact, expected) in found.items():
        assert 0.75 < exact / expected < 1.25, kind
