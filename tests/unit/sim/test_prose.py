"""What a model says follows from the question: its length, form, language, and the model's ways."""

from __future__ import annotations

import re

import pytest
from tests.unit.sim.answers import MODELS, answer_to

from ultrai_sim.tongues import TONGUES

SENTENCE_END = re.compile(r"[.!?](?:\s|$)")


def text(asked, model_id="openai/gpt-4o", **fields):
    return answer_to(asked, model_id, **fields).text


def test_the_same_question_model_and_seed_give_the_same_text_and_any_other_another():
    asked = "Explain quantum computing in simple terms."
    first = text(asked)
    assert text(asked) == first
    assert text(asked, "openai/gpt-4o-mini") != first
    assert text(asked + " ") != first
    assert text(asked, world_seed=1) != first
    assert text(asked, seed=7) == text(asked, seed=7)


def test_a_plain_question_gets_a_few_sentences_to_some_paragraphs():
    texts = [text(f"Explain tides, please, version {n}") for n in "abcdefghij"]
    assert all(2 <= len(SENTENCE_END.findall(one)) <= 20 for one in texts)
    assert all(100 < len(one) < 2_500 for one in texts)
    assert len({len(one) for one in texts}) > 5


@pytest.mark.parametrize("asked", ["Name a colour in one word.", "One word: how are you?"])
def test_one_word_is_one_word(asked):
    for model_id in ("openai/gpt-4o", "anthropic/claude-sonnet-4.5", "x-ai/grok-4.7"):
        assert re.fullmatch(r"\w+", text(asked, model_id))


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("Describe tides in one sentence.", 1),
        ("Answer in a single short sentence: what is a tide?", 1),
        ("Describe tides in three sentences.", 3),
        ("Give me 5 sentences on tides.", 5),
        ("Briefly, what are tides?", 1),
    ],
)
def test_as_many_sentences_as_were_asked_for(asked, number):
    assert len(SENTENCE_END.findall(text(asked))) == number


def test_about_as_many_words_as_were_asked_for():
    assert len(text("Describe tides in 50 words").split()) == pytest.approx(50, abs=12)
    assert len(text("Write 400 words about tides").split()) == pytest.approx(400, rel=0.3)


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("Give me a list of five fruits.", 5),
        ("Top 10 fruits?", 10),
        ("Name three good reasons for tides", 3),
    ],
)
@pytest.mark.parametrize("model_id", ["openai/gpt-4o", "google/gemini-2.5-flash", "x-ai/grok-4.3"])
def test_a_list_has_as_many_items_as_were_asked_for(asked, number, model_id):
    items = re.findall(r"^(?:\d+\. |\* |- )", text(asked, model_id), re.MULTILINE)
    assert len(items) == number


def test_an_essay_is_longer_than_an_answer():
    essay = text("Write an essay on tides.")
    assert essay.count("\n\n") >= 6


@pytest.mark.parametrize(
    ("asked", "fence"),
    [
        ("Write a Python function that sums moving averages.", "```python\ndef "),
        ("Show me code that counts words in JavaScript", "```javascript\nexport "),
        ("How do I select rows in SQL?", "```sql\nSELECT "),
    ],
)
def test_code_comes_in_a_fenced_block(asked, fence):
    said = text(asked)
    assert fence in said or "```python\nfrom " in said
    assert said.count("```") == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("What is 17 + 25?", "17 + 25 = 42."),
        ("What is 123 / 456?", "123 / 456 = 0.2697."),
        ("2*21, just the number", "42"),
        ("What is 1 / 0?", "Division by zero is undefined."),
        ("Hi!", "Hello! How can I help you today? 😊"),
    ],
)
def test_what_has_one_answer_gets_it_from_every_model(asked, said):
    for model_id in ("openai/gpt-4o", "anthropic/claude-sonnet-4.5", "deepseek/deepseek-chat"):
        assert text(asked, model_id) == said


def test_a_date_is_no_sum():
    assert "=" not in text("What happened on 2026-11-23 in history?")


def test_models_disagree_about_yes_or_no():
    said = {text("Is water wet, yes or no?", model_id) for model_id in MODELS.models}
    assert said == {"Yes.", "No."}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("Explique-moi la photosynthèse et pourquoi les plantes sont vertes", "french"),
        ("Was ist ein Halbleiter und wie funktioniert das?", "german"),
        ("¿Qué es la fotosíntesis y para qué sirve una hoja?", "spanish"),
        ("Что такое прилив и как он возникает?", "russian"),
        ("你能解释一下量子计算吗？", "chinese"),
        ("量子コンピュータとは何ですか？", "japanese"),
        ("양자 컴퓨팅을 설명해 주세요", "korean"),
        ("ما هي الجاذبية الأرضية؟", "arabic"),
        ("What are tides? Answer in German.", "german"),
        ("What is the meaning of la vie en rose?", "english"),
    ],
)
def test_an_answer_is_in_the_language_of_its_question(asked, language):
    said = text(asked, "mistralai/mistral-large")
    openings = (re.escape(pattern) for pattern in TONGUES[language].openings)
    assert any(re.match(re.sub(r"\\\{\w\\\}", ".+?", pattern), said) for pattern in openings)


def test_instructions_of_the_system_decide_the_form_where_the_question_does_not():
    messages = [
        {"role": "system", "content": "Always answer in one sentence, in French."},
        {"role": "user", "content": "What are tides?"},
    ]
    said = text("", messages=messages)
    assert len(SENTENCE_END.findall(said)) == 1
    assert said.startswith(("En résumé", "Pour bien", "La réponse"))


def test_a_conversation_is_taken_up():
    messages = [
        {"role": "user", "content": "Tell me about volcanoes."},
        {"role": "assistant", "content": "They are hot."},
        {"role": "user", "content": "And what about glaciers?"},
    ]
    said = text("", messages=messages)
    assert said.startswith("Coming back to volcanoes")
    assert "glaciers" in said


def test_an_answer_speaks_of_what_was_asked():
    said = text("Explain the Wankel engine to a botanist")
    assert "Wankel" in said
    assert "engine" in said


def test_each_maker_has_habits_of_its_own():
    asked = "Explain the Wankel engine to a botanist"
    assert text(asked, "anthropic/claude-sonnet-4.5").startswith("That's a question worth")
    assert text(asked, "meta-llama/llama-3.3-70b-instruct").startswith("Great question!")
    assert "\n\n---\n\n" in text(asked, "deepseek/deepseek-chat")
    heads = {text(asked, model_id)[:60] for model_id in MODELS.models}
    assert len(heads) > 40


def test_ordinary_answers_hold_characters_that_break_careless_clients():
    said = "".join(text(f"Explain tides, take {n}") for n in range(150))
    for hard in ("é", "e\u0301", "千", "ש", "\u200d", "☂️", "½", "“"):
        assert hard in said


def test_a_question_with_nothing_in_it_still_gets_an_answer():
    assert text("") != ""
    assert text("?!") != ""
    assert text("{a} {0} {}") != ""
