"""Whole wherever that fits; else by what is asked; and what the user named, whatever fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.fitting import FitMode, FitWish
from ultrai.policy.fitting import Size, Task, room_of, task_of, verdict
from ultrai.policy.tokens import TokenCounts, window_tokens

ROOM = 1000


@pytest.mark.parametrize(
    ("size", "task", "mode"),
    [
        (Size(1000, 900, 10), Task.QUESTION, FitMode.WHOLE),
        (Size(1001, 1000, 10), Task.QUESTION, FitMode.CLEANED),
        (Size(1001, 1001, 10), Task.QUESTION, FitMode.RETRIEVE),
        (Size(9000, 9000, 10), Task.WHOLE, FitMode.SUMMARISE),
        (Size(3000, 3000, 10), Task.OTHER, FitMode.COMPRESS),
        (Size(3001, 3001, 10), Task.OTHER, FitMode.RETRIEVE),
        (Size(3000, 3000, 10, documents=2), Task.OTHER, FitMode.RETRIEVE),
    ],
)
def test_the_way_follows_from_the_sizes_and_the_task(size: Size, task: Task, mode: FitMode) -> None:
    assert verdict(FitWish.AUTO, size, room=ROOM, task=task) is mode


@pytest.mark.parametrize("task", Task)
def test_without_a_known_window_everything_is_sent(task: Task) -> None:
    assert verdict(FitWish.AUTO, Size(10**9, 10**9, 1), room=None, task=task) is FitMode.WHOLE


@pytest.mark.parametrize(
    ("wish", "mode"),
    [
        (FitWish.WHOLE, FitMode.WHOLE),
        (FitWish.REFUSE, FitMode.WHOLE),
        (FitWish.RETRIEVE, FitMode.RETRIEVE),
        (FitWish.COMPRESS, FitMode.COMPRESS),
        (FitWish.SUMMARISE, FitMode.SUMMARISE),
    ],
)
@pytest.mark.parametrize("whole", [10, 10_000])
def test_a_named_way_is_gone_whatever_fits(wish: FitWish, mode: FitMode, whole: int) -> None:
    assert verdict(wish, Size(whole, whole, 5), room=ROOM, task=Task.QUESTION) is mode


@pytest.mark.parametrize(
    "prompt",
    [
        "Summarise the book.",
        "Can you give me a summary of this?",
        "Translate it into Polish",
        "What are the main points?",
        "Fasse das bitte in fünf Sätzen zusammen",
        "Bitte übersetze das ins Englische",
        "Résume ce rapport",
        "Resume el texto",
        "Riassumi il documento",
        "Сделай резюме",
        "请总结一下",
        "要約してください",
    ],
)
def test_a_task_over_the_whole_is_known_by_its_words(prompt: str) -> None:
    assert task_of(prompt) is Task.WHOLE


@pytest.mark.parametrize(
    "prompt",
    [
        "Where did Quillon hide the astrolabe?",
        "who signed the contract",
        "Find the clause about penalties",
        "Wann wurde der Vertrag geschlossen",
        "Où est le trésor ?",
        "¿Cuándo llegó el barco?",
        "Кто автор письма",
        "灯塔在哪里？",
    ],
)
def test_a_question_is_known_by_its_words(prompt: str) -> None:
    assert task_of(prompt) is Task.QUESTION


def test_what_is_neither_is_something_else() -> None:
    assert task_of("Make it rhyme.") is Task.OTHER


counts = st.builds(TokenCounts, native=st.integers(0, 10**6), estimated=st.integers(0, 10**6))


@given(window=st.integers(1, 2_000_000), output=st.integers(0, 100_000), counts=counts)
def test_the_room_is_the_most_that_is_planned_to_fit(
    window: int, output: int, counts: TokenCounts
) -> None:
    room = room_of(window, output=output, counts=counts)
    left = window - output
    assert room == 0 or window_tokens(counts.correct(room)) <= left
    assert window_tokens(counts.correct(room + 1)) > left
