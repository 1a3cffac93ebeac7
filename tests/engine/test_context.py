"""Each model gets what its window holds of the documents, and everybody says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engine.bar import Bar, broken, cocktail, codes, model

from ultrai.domain.ask import Ask
from ultrai.domain.document import Document
from ultrai.domain.errors import BudgetRefusal, UsageError
from ultrai.domain.fitting import FitWish
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import FailureKind
from ultrai.domain.query import Message, Sampling
from ultrai.policy.tokens import bound_tokens, estimate_tokens, window_tokens
from ultrai.testing import Script, run_in_virtual_time

SMALL, SMALLER, LARGE = "small/one", "small/two", "large/one"
SECRET = "The apothecary Quillon hid the brass astrolabe beneath the third step."
FILLER = "\n\n".join(
    f"Paragraph {n} tells of rivers and bridges and of markets." for n in range(900)
)
BOOK = Document("book.txt", f"{FILLER}\n\n{SECRET}\n\n{FILLER}\n")
QUESTION = (Message("system", "Be brief."), Message("user", "Where is Quillon's astrolabe?"))
ASK = Ask(messages=QUESTION, documents=(BOOK,), sampling=Sampling(max_tokens=500))


def bar(**scripts: list[Script]) -> Bar:
    listed = [model(SMALL, window=8000), model(SMALLER, window=6000), model(LARGE, window=500_000)]
    both = {SMALL: [Script()], SMALLER: [Script()], LARGE: [Script()], **scripts}
    return Bar(models=listed, scripts=both, cocktails=[cocktail("X", (SMALL, LARGE))])


def sent_to(bar: Bar, model_id: str) -> str:
    (request,) = [each for each in bar.upstream.requests if each.model == model_id]
    return request.messages[1].content


def test_a_large_window_gets_the_whole_and_a_small_one_the_passages_that_answer():
    room = bar()
    report = room.ask(replace(ASK, models=(LARGE, SMALL)))
    assert BOOK.text.rstrip() in sent_to(room, LARGE)
    assert SECRET in sent_to(room, SMALL)
    assert len(sent_to(room, SMALL)) < len(BOOK.text) / 10
    assert [slot.fit["mode"] for slot in report.slots] == ["whole", "retrieve"]
    (source,) = report.slots[1].fit["sources"]
    assert source["name"] == "book.txt"
    assert 0 < source["coverage_percent"] < 10
    assert any(each["first_line"] <= 1801 <= each["last_line"] for each in source["passages"]), (
        "the secret's line is named"
    )
    (notice,) = [n for n in report.notices if n.code is NoticeCode.INPUT_RETRIEVED]
    assert notice.slot == 1


def test_what_is_sent_fits_the_window_with_its_margin():
    room = bar()
    room.ask(replace(ASK, models=(SMALL, SMALLER)))
    for request in room.upstream.requests:
        planned = window_tokens(estimate_tokens(request.messages, None))
        assert planned + 500 <= {SMALL: 8000, SMALLER: 6000}[request.model]


def test_the_bound_of_an_attempt_is_that_of_what_is_sent():
    room = bar()
    plan = run_in_virtual_time(room.desk().plan(replace(ASK, models=(LARGE, SMALL))))
    room.ask(replace(ASK, models=(LARGE, SMALL)))
    for slot in plan.slots:
        (sent,) = [r for r in room.upstream.requests if r.model == slot.primary]
        tokens = bound_tokens(sent.messages) + 500
        assert slot.first.bound_nanos == tokens * 1250  # $1 a million, headroom 1.25


def test_the_query_keeps_the_question_and_says_which_texts_it_was_about():
    report = bar().ask(replace(ASK, models=(LARGE,)))
    assert report.query["messages"] == [m.to_dict() for m in QUESTION]
    assert report.query["documents"] == [
        {"name": "book.txt", "characters": len(BOOK.text), "sha256": BOOK.sha256}
    ]


def test_a_backup_with_another_window_gets_its_own():
    room = bar(**{SMALL: [broken(FailureKind.UPSTREAM_ERROR)]})
    report = room.ask(replace(ASK, cocktail="X"))
    assert report.slots[0].answered_by == LARGE
    assert report.slots[0].fit["mode"] == "whole"
    room = Bar(
        models=[model(SMALL, window=8000), model(LARGE, window=500_000)],
        scripts={LARGE: [broken(FailureKind.UPSTREAM_ERROR)], SMALL: [Script()]},
        cocktails=[cocktail("X", (LARGE, SMALL))],
    )
    report = room.ask(replace(ASK, cocktail="X"))
    assert report.slots[0].fit["mode"] == "retrieve"
    assert "input_retrieved" in codes(report)


def test_a_text_is_shortened_sentence_by_sentence_where_that_is_named():
    report = bar().ask(replace(ASK, models=(SMALL,), fit=FitWish.COMPRESS))
    assert report.slots[0].fit["mode"] == "compress"
    assert "input_compressed" in codes(report)


def test_needless_blanks_are_left_out_where_that_is_enough():
    document = Document("a.txt", "word" + "  \n" * 20_000 + "end of it\n")
    report = bar().ask(replace(ASK, documents=(document,), models=(SMALL,)))
    assert report.slots[0].fit["mode"] == "cleaned"
    assert "input_cleaned" in codes(report)


@pytest.mark.parametrize("wish", [FitWish.WHOLE, FitWish.REFUSE])
def test_input_that_may_not_be_changed_and_fits_nowhere_is_refused_before_anything_is_sent(wish):
    room = bar()
    with pytest.raises(UsageError, match=r"does not fit: small/one holds 8,000 tokens"):
        room.ask(replace(ASK, models=(SMALL,), fit=wish))
    assert room.upstream.requests == []


def test_refuse_wants_every_slot_to_hold_the_whole_and_whole_wants_one():
    room = bar()
    both = replace(ASK, models=(SMALL, LARGE))
    with pytest.raises(UsageError, match="does not fit"):
        room.ask(replace(both, fit=FitWish.REFUSE))
    assert room.upstream.requests == []
    report = room.ask(replace(both, fit=FitWish.WHOLE))
    assert [slot.state.value for slot in report.slots] == ["failed", "answered"]
    assert report.slots[0].failure.kind is FailureKind.CONTEXT_TOO_LONG


def test_a_pinned_passage_goes_to_every_model():
    room = bar()
    pins = ("Paragraph 700 tells of rivers", "book.txt:1-1")
    room.ask(replace(ASK, models=(SMALL, SMALLER), pins=pins))
    for each in (SMALL, SMALLER):
        assert "Paragraph 700 tells" in sent_to(room, each)
        assert "Paragraph 0 tells" in sent_to(room, each)


def test_pins_that_do_not_fit_leave_the_model_out():
    with pytest.raises(UsageError, match="the pinned passages do not fit"):
        bar().ask(replace(ASK, models=(SMALL,), pins=("book.txt:1-1500",)))


def test_equal_windows_share_the_work():
    listed = [replace(model(f"m/{n}", window=8000)) for n in range(3)]
    room = Bar(models=listed, scripts={each.id: [Script()] for each in listed})
    room.ask(replace(ASK, models=tuple(each.id for each in listed)))
    first, *others = [request.messages for request in room.upstream.requests]
    assert all(each is first for each in others)


def test_strict_refuses_what_would_be_left_out():
    with pytest.raises(UsageError, match="--strict: small/one gets"):
        bar().ask(replace(ASK, models=(SMALL,), strict=True))


def test_a_question_without_documents_has_no_fit():
    report = bar().ask(Ask(models=(SMALL,)))
    assert report.slots[0].fit is None
    assert report.to_dict()["slots"][0]["fit"] is None


def test_a_cost_cap_that_cannot_hold_the_whole_gets_the_passages_it_can():
    room = bar()
    plan = run_in_virtual_time(room.desk().plan(replace(ASK, models=(LARGE,))))
    whole = plan.slots[0].first.bound_nanos
    report = room.ask(replace(ASK, models=(LARGE,), max_cost_nanos=whole // 10))
    assert report.slots[0].fit["mode"] == "retrieve"
    assert SECRET in sent_to(room, LARGE)
    (notice,) = [n for n in report.notices if n.code is NoticeCode.INPUT_RETRIEVED]
    assert notice.message.endswith("more would pass its share of the cost cap")
    assert room.ask(replace(ASK, models=(LARGE,), max_cost_nanos=whole)).slots[0].fit["mode"] == (
        "whole"
    )
    with pytest.raises(BudgetRefusal):
        room.ask(replace(ASK, models=(LARGE,), max_cost_nanos=whole // 10, fit=FitWish.WHOLE))
