"""Documents stand before the question, fenced and named; clean-up loses nothing."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.fitting import Lines
from ultrai.domain.query import Message
from ultrai.policy.cleaning import clean
from ultrai.policy.showing import CITE, Shown, show
from ultrai.policy.text_kinds import ChunkKind

NOTES = Shown("notes.md", "Use ``` with care.\n", Lines(1, 1))
QUESTION = Message("user", "What does it say?")


def test_the_document_comes_first_and_the_question_last() -> None:
    (message,) = show([QUESTION], [NOTES])
    assert message.content == (
        "File: notes.md (lines 1-1)\n````\nUse ``` with care.\n````\n\nWhat does it say?"
    )


def test_a_conversation_carries_them_in_its_first_user_message() -> None:
    talk = [Message("system", "Be brief."), QUESTION, Message("assistant", "No."), QUESTION]
    shown = show(talk, [NOTES])
    assert [m.content.endswith(before.content) for m, before in zip(shown, talk, strict=True)] == (
        [True] * 4
    )
    assert [m.content.startswith("File: ") for m in shown] == [False, True, False, False]


def test_without_a_user_message_they_are_one() -> None:
    assert [m.role for m in show([Message("system", "Go.")], [NOTES])] == ["system", "user"]


def test_passages_come_with_how_to_cite_them() -> None:
    (message,) = show([QUESTION], [NOTES], as_passages=True)
    assert message.content.startswith(CITE)


def test_a_name_stays_in_its_line() -> None:
    (message,) = show([QUESTION], [Shown("a\nb\x1b.txt", "x", Lines(1, 1))])
    assert message.content.startswith("File: a?b?.txt (lines 1-1)\n")


def test_without_documents_nothing_changes() -> None:
    assert show([QUESTION], []) == (QUESTION,)


@given(st.text("a `\n", max_size=60))
def test_no_text_ends_its_own_fence(text: str) -> None:
    (message,) = show([QUESTION], [Shown("x", text, Lines(1, 9))])
    lines = message.content.split("\n")
    fence = lines[1]
    assert lines.count(fence) == 2
    assert set(fence) == {"`"}


def test_clean_up_takes_blanks_at_line_ends_and_runs_of_blank_lines() -> None:
    assert clean("\n\none  \n\n\n \ntwo\t\n\n", ChunkKind.PROSE) == "one\n\ntwo"


def test_clean_up_leaves_code_alone_also_in_markdown() -> None:
    code = "def f():\n\n\n    pass  \n"
    assert clean(code, ChunkKind.CODE) == code
    fenced = f"Text\n\n\n```\n{code}```\n\n\nEnd"
    assert clean(fenced, ChunkKind.MARKDOWN) == f"Text\n\n```\n{code}```\n\nEnd"


def test_clean_up_keeps_the_line_breaks_of_markdown() -> None:
    assert clean("one    \ntwo", ChunkKind.MARKDOWN) == "one  \ntwo"


@given(text=st.text("ab.# \t\n`", max_size=80), kind=st.sampled_from(ChunkKind))
def test_clean_up_loses_no_word_and_adds_nothing(text: str, kind: ChunkKind) -> None:
    cleaned = clean(text, kind)
    assert cleaned.split() == text.split()
    assert len(cleaned) <= len(text)
    assert not re.search(r"\n\n\n", cleaned) or kind is not ChunkKind.PROSE
