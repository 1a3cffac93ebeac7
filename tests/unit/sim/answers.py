"""Questions and answers for the tests of what simulated models say."""

from __future__ import annotations

from typing import Any

from ultrai_sim.catalogue import Model, load_catalogue
from ultrai_sim.composing import Speaker, compose
from ultrai_sim.question import Question, read_question
from ultrai_sim.searching import searches_natively
from ultrai_sim.speech import Answer
from ultrai_sim.thinking import read_thinking

MODELS = load_catalogue()
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}


def model_of(model_id: str) -> Model:
    model = MODELS.find(model_id)
    assert model is not None
    return model


def question_of(text: str, model_id: str = "openai/gpt-4o", **fields: Any) -> Question:
    messages = fields.pop("messages", [{"role": "user", "content": text}])
    body = {"model": model_id, "messages": messages, **fields}
    return read_question(body, messages, supported=model_of(model_id).parameters)


def answer_to(
    text: str, model_id: str = "openai/gpt-4o", *, world_seed: int = 0, **fields: Any
) -> Answer:
    """What a model of the catalogue says; ``fields`` are the request's."""
    model = model_of(model_id)
    question = question_of(text, model_id, **fields)
    speaker = Speaker(
        model_id=model.id,
        provider=model.provider,
        family=model.family,
        seed=world_seed,
        limit=fields.get("max_tokens"),
        thinking=read_thinking(fields, model),
        search=("native" if searches_natively(model.pricing) else "orchestrated")
        if question.searches
        else None,
    )
    return compose(question, speaker)
