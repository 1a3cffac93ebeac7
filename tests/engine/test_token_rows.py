"""What `ultrai tokens` says of each model: estimate, what was learned, margin."""

from __future__ import annotations

import pytest
from tests.engine.bar import Bar, model

from ultrai.domain.ask import Ask
from ultrai.domain.cocktail import Cocktail, CocktailBook, Slot
from ultrai.domain.errors import UsageError
from ultrai.domain.outcome import Usage
from ultrai.domain.query import Message
from ultrai.engine.overview import Overview
from ultrai.policy.corrections import Corrections
from ultrai.policy.tokens import text_tokens
from ultrai.testing import Script, run_in_virtual_time

A, B = "openai/a", "other/b"
TEXT = "Four words and 12,345 numbers. " * 40


def rows(bar: Bar, *texts: str, models: tuple[str, ...] = ()):
    book = CocktailBook((Cocktail("X", (Slot(A, (B,)),)),))
    overview = Overview(bar.desk(), book, corrections=Corrections(), tuning=bar.tuning)
    return run_in_virtual_time(overview.tokens(texts, models))


def bar(**more: object) -> Bar:
    return Bar(scripts={A: [Script(**more)], B: [Script()]})


def test_without_models_those_are_shown_that_a_cocktail_asks_first():
    (row,) = rows(bar(), TEXT, "more")
    assert row.model == A
    assert row.estimates == (text_tokens(TEXT, row.tokenizer), text_tokens("more", row.tokenizer))
    assert row.tokens == sum(row.estimates)
    assert row.planned > row.tokens
    assert row.learned_percent is None


def test_the_maker_tells_the_family_where_the_catalogue_does_not():
    assert model(A).tokenizer is None
    first, second = rows(bar(), TEXT, models=(A, B))
    assert (first.tokenizer, first.is_measured) == ("GPT", True)
    assert (second.tokenizer, second.is_measured) == (None, False)
    assert second.margin > first.margin
    assert second.to_dict()["margin_is"] == "not measured"


def test_what_a_model_counted_corrects_what_it_is_expected_to_count():
    counting = bar(usage=Usage(9000, 5, 0, 0))
    before = rows(counting, TEXT, models=(A,))[0]
    counting.asks(*[Ask(messages=(Message("user", TEXT * 10),), models=(A,))] * 3)
    after = rows(counting, TEXT, models=(A,))[0]
    assert after.counted == 3 * 9000
    assert after.tokens > 1.5 * before.tokens
    assert after.estimates == before.estimates
    assert after.learned_percent == round(100 * after.counted / after.estimated)


def test_a_model_that_does_not_exist_is_refused():
    with pytest.raises(UsageError):
        rows(bar(), TEXT, models=("no/such",))
