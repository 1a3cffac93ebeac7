"""From a question to an answer: thoughts, then text, calls or JSON; cut as it was asked to be."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ultrai_sim.calling import calls, numbers_of
from ultrai_sim.intake import Search
from ultrai_sim.manners import Manner, maker_of, manner_of, native_reason
from ultrai_sim.prose import READ_AT_MOST, tell, topics_of
from ultrai_sim.question import Question
from ultrai_sim.refusals import refuse
from ultrai_sim.searching import cite
from ultrai_sim.speech import Answer, Citation, cut, draw
from ultrai_sim.structured import Maker, SchemaError
from ultrai_sim.thinking import SILENT, Thinking, budget_of, summarise, think
from ultrai_sim.tokens import split

KEYS = re.compile(r"[\"'`](\w{1,40})[\"'`]")
SEAL_BYTES = 96


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers: a model at a provider, in a world of a seed.

    ``limit`` is the most completion tokens. ``search`` is who searches the web for it, if anybody
    does, and ``looped`` says that OpenRouter runs tools for it. ``script`` is the text that its
    answers are fixed to.
    """

    model_id: str
    provider: str
    family: str
    seed: int
    limit: int | None = None
    thinking: Thinking = SILENT
    search: Search | None = None
    looped: bool = False
    script: str | None = None


def compose(question: Question, speaker: Speaker) -> Answer:
    """The answer to a question; the same one for the same question, speaker and seed.

    400 where a schema given for the answer or for a tool cannot be satisfied.
    """
    topics = topics_of(question.asked[:READ_AT_MOST]) or topics_of(question.prompt[:READ_AT_MOST])
    return Composer(
        question,
        speaker,
        topics or ["question"],
        manner_of(speaker.model_id),
        draw(speaker.seed, speaker.model_id, question.prompt, question.seed),
    ).answer()


@dataclass(frozen=True, slots=True)
class Composer:
    """One answer in the making."""

    question: Question
    speaker: Speaker
    topics: list[str]
    manner: Manner
    source: Random

    def answer(self) -> Answer:
        """The whole answer, cut at the limit."""
        try:
            answer = self._whole()
        except SchemaError as error:
            raise refuse(400, f"Invalid schema: {error}") from error
        shorter = cut(answer, self.speaker.limit)
        if shorter is answer:
            return answer
        return replace(shorter, native_finish_reason=self._native("length"))

    def _whole(self) -> Answer:
        question, speaker = self.question, self.speaker
        if speaker.script is not None:
            return self._worded(Answer(manner=self.manner), speaker.script)
        answer = self._thoughtful()
        made = calls(
            question,
            self.topics,
            manner=self.manner,
            family=speaker.family,
            source=self.source,
        )
        if made:
            native = self._native("tool_calls")
            return replace(
                answer, tool_calls=made, finish_reason="tool_calls", native_finish_reason=native
            )
        if question.shape is not None:
            return self._worded(answer, self._shaped(question.shape))
        maker = maker_of(speaker.model_id)
        return self._worded(answer, tell(question, self.topics, maker=maker, source=self.source))

    def _thoughtful(self) -> Answer:
        """An answer that has thoughts and nothing else yet."""
        thinking, family = self.speaker.thinking, self.speaker.family
        if not thinking.on:
            return Answer(manner=self.manner)
        is_claude = self.manner.seal == "signature"
        budget = budget_of(thinking, limit=self.speaker.limit, is_claude=is_claude)
        thoughts = think(thinking, self.topics, budget=budget, family=family, source=self.source)
        summary = None
        if self.manner.summarises:
            summary = summarise(self.topics, family=family, source=self.source)
        sealed = self.source.randbytes(SEAL_BYTES) if self.manner.seal else b""
        return Answer(
            thoughts=thoughts,
            hides_thoughts=thinking.hidden,
            summary=summary,
            seal=b64encode(sealed).decode(),
            manner=self.manner,
        )

    def _worded(self, answer: Answer, text: str) -> Answer:
        """An answer with this text, as far as its first stop sequence."""
        ends = [text.find(stop) for stop in self.question.stop]
        end = min((end for end in ends if end >= 0), default=None)
        text = text if end is None else text[:end]
        native = self._native("stop")
        if end is not None and native == "end_turn":
            native = "stop_sequence"
        return replace(
            answer,
            pieces=split(text, self.speaker.family),
            native_finish_reason=native,
            citations=self._citations(text),
            rivals=self.question.top_logprobs,
        )

    def _citations(self, text: str) -> tuple[Citation, ...]:
        if self.speaker.search is None:
            return ()
        native = self.speaker.search == "native"
        return cite(text, self.topics, native=native, source=self.source)

    def _shaped(self, shape: Any) -> str:
        """JSON that the shape accepts; for any JSON, an object with the keys that were named."""
        maker = Maker(shape, self.source, self.topics, numbers_of(self.question.asked))
        if not shape:
            keys = list(dict.fromkeys(KEYS.findall(self.question.asked))) or ["answer", "topics"]
            maker.document = {
                "type": "object",
                "properties": {key: {"type": "string", "minLength": 1} for key in keys},
                "required": keys,
            }
        return json.dumps(maker.value(), ensure_ascii=False)

    def _native(self, reason: str) -> str:
        if self.speaker.looped:
            return reason
        return native_reason(self.speaker.provider, reason, model_id=self.speaker.model_id)
