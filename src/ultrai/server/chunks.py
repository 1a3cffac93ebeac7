"""A Run's Events as the chunks of an OpenAI stream. Pure: Events in, bytes out.

Theory of operation. What was sent cannot be taken back, so only committed text goes out while it
comes (`engine/commitment.py` sees to it that nothing replaces it): that of the one model, that of
each choice, or in a text of several Answers that of the Slot that spoke first. The Answers of the
others go out whole, under their headings, when nobody is speaking. Reasoning is held until its text
begins, because an Attempt may still be replaced then.

The last chunk bears `usage` and `ultrai`. A Run without any Answer ends with an error in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ultrai.domain.event import Event, EventType
from ultrai.domain.outcome import Answer, Failure
from ultrai.domain.report import Report, SlotReport
from ultrai.server.parsing import Order, Shape
from ultrai.server.problems import problem_of_report
from ultrai.server.rendering import (
    about,
    completion_id,
    error_of,
    finish_of,
    heading,
    plain_finish,
    section,
    usage_of,
    why_none,
)
from ultrai.server.wire import encode

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": ultrai is at work\n\n"
_BREAK = "\n\n"
_encode_text = msgspec.json.Encoder().encode


class _Slot:
    """What is known of one Slot while it goes on."""

    __slots__ = ("attempt", "fallback", "model", "primary", "reasoning", "spoke")

    def __init__(self, primary: str) -> None:
        self.primary = primary
        self.model = primary
        self.fallback = False
        self.attempt: int | None = None
        self.reasoning: list[str] = []
        self.spoke = False


class Chunks:
    """One stream. `take` Events in order; the last one ends it."""

    def __init__(self, order: Order, run_id: str, *, created: int) -> None:
        self._order = order
        self._shape = order.shape
        self._id = completion_id(run_id)
        self._created = created
        self._slots: list[_Slot] = []
        self._heads: dict[str, bytes] = {}
        self._begun: set[int] = set()
        self._voice: int | None = None  # the committed Slot of a text of several: the only one
        self._live: int | None = None
        self._waiting: list[str] = []
        self._written = False
        self._held: list[bytes] = []
        self._has_text = False
        self._broke = False
        self._finishes: dict[int, tuple[str, dict[str, object] | None]] = {}
        self.is_over = False

    def take(self, events: Iterable[Event]) -> bytes:
        """What these Events add to the stream."""
        return b"".join(part for event in events for part in self._take(event))

    def _take(self, event: Event) -> Sequence[bytes]:
        kind = event.type
        if kind is EventType.TEXT_DELTA:
            return self._text(event.slot or 0, event.text or "")
        if kind is EventType.REASONING_DELTA:
            return self._reasoning(event.slot or 0, event.text or "")
        if kind is EventType.PLANNED:
            rows = event.facts["slots"]
            assert isinstance(rows, list | tuple)
            self._slots = [_Slot(str(row["primary"])) for row in rows]
        elif kind is EventType.ATTEMPT_STARTED:
            slot = self._slots[event.slot or 0]
            slot.model, slot.fallback = str(event.facts["model"]), bool(event.facts["fallback"])
            slot.reasoning = []
        elif kind is EventType.SLOT_ANSWERED:
            assert event.answer is not None
            return self._answered(event, event.answer)
        elif kind is EventType.SLOT_FAILED:
            return self._failed(event.slot or 0, event.failure)
        elif kind is EventType.REPORT:
            assert event.report is not None
            return self._end(event.report)
        return ()

    def replay(self, report: Report) -> bytes:
        """The whole stream of a Run that is over."""
        self._slots = [_Slot(slot.primary) for slot in report.slots]
        parts: list[bytes] = []
        for slot in sorted(report.slots, key=lambda each: each.elapsed_ms or 0):
            known = self._slots[slot.index]
            known.model, known.fallback = slot.answered_by or slot.primary, slot.fallback
            if slot.answer is not None:
                parts += self._whole(slot.index, slot.answer)
            else:
                parts += self._failed(slot.index, slot.failure)
        return b"".join([*parts, *self._end(report)])

    def _text(self, index: int, text: str) -> Sequence[bytes]:
        slot = self._slots[index]
        if self._shape is Shape.FIRST or not text:
            return ()
        if self._shape is Shape.PLAIN:
            if self._voice is None:
                self._voice = self._live = index
            if self._live != index:
                return ()
        elif self._choice_of(index) in self._finishes:
            return ()  # asked again after it was given up, which the client has read already
        opening = () if slot.spoke else self._open(index, slot)
        slot.spoke = True
        return (*opening, self._content(self._choice_of(index), text))

    def _open(self, index: int, slot: _Slot) -> list[bytes]:
        """What comes before the first text of a Slot: role, heading, reasoning."""
        choice = self._choice_of(index)
        parts = [*self._held, *self._role(choice)]
        self._held, self._has_text = [], True
        if self._shape is Shape.PLAIN:
            parts.append(self._content(choice, self._section_break() + _heading(slot) + _BREAK))
        elif slot.reasoning:
            parts.append(self._chunk(choice, {"reasoning": "".join(slot.reasoning)}))
        slot.reasoning = []
        return parts

    def _reasoning(self, index: int, text: str) -> Sequence[bytes]:
        slot = self._slots[index]
        if self._shape in (Shape.PLAIN, Shape.FIRST):
            return ()
        if slot.spoke:
            return (self._chunk(self._choice_of(index), {"reasoning": text}),)
        slot.reasoning.append(text)
        return ()

    def _answered(self, event: Event, answer: Answer) -> Sequence[bytes]:
        index = event.slot or 0
        slot = self._slots[index]
        slot.model = str(event.facts["answered_by"])
        slot.fallback = bool(event.facts.get("fallback"))
        return self._whole(index, answer)

    def _whole(self, index: int, answer: Answer) -> list[bytes]:
        """A Slot's Answer, unless it was shown live, and its end."""
        slot = self._slots[index]
        if self._shape is Shape.PLAIN:
            return self._whole_section(index, slot, answer=answer)
        choice = self._choice_of(index)
        if choice in self._finishes:  # another came first, or it was given up before
            return []
        parts: list[bytes] = []
        if not slot.spoke:
            slot.reasoning = [answer.reasoning] if answer.reasoning else []
            parts += self._open(index, slot)
            slot.spoke = True
            if answer.text:
                parts.append(self._content(choice, answer.text))
        if answer.tool_calls:
            calls = [{"index": i, **call.to_dict()} for i, call in enumerate(answer.tool_calls)]
            parts.append(self._chunk(choice, {"tool_calls": calls}))
        return [*parts, *self._finish(choice, finish_of(answer))]

    def _whole_section(self, index: int, slot: _Slot, *, answer: Answer) -> list[bytes]:
        if self._live == index:
            return self._no_longer_live()
        self._waiting.append(f"{_heading(slot)}{_BREAK}{answer.text.strip(chr(10))}")
        return self._flush() if self._live is None else []

    def _failed(self, index: int, failure: Failure | None) -> list[bytes]:
        if self._shape is Shape.FIRST:
            return []
        if self._shape is Shape.PLAIN:
            if self._live != index:
                return []
            self._broke = True
            note = f"{_BREAK}*broken off:* {why_none(failure)}"
            return [self._content(0, note), *self._no_longer_live()]
        choice = self._choice_of(index)
        parts = self._role(choice) if self._shape is Shape.ALL else []
        parts += self._finish(choice, "error", error=error_of(failure))
        if self._has_text:
            return parts
        self._held += parts  # if nobody answers, this is no stream but an error
        return []

    def _no_longer_live(self) -> list[bytes]:
        self._live = None
        return self._flush()

    def _flush(self) -> list[bytes]:
        parts = self._role(0)
        parts += [self._content(0, self._section_break() + text) for text in self._waiting]
        self._waiting = []
        return parts

    def _section_break(self) -> str:
        """What stands between two Answers: nothing before the first."""
        written, self._written = self._written, True
        return _BREAK if written else ""

    def _finish(
        self, choice: int, reason: str, *, error: dict[str, object] | None = None
    ) -> Sequence[bytes]:
        """The choice's last chunk, unless it is the stream's: that one also bears the usage."""
        self._finishes[choice] = (reason, error)
        if len(self._finishes) == self._expected():
            return ()
        return (self._final(choice),)

    def _final(self, choice: int) -> bytes:
        return encode_chunk(self._last_of(choice))

    def _last_of(self, choice: int) -> dict[str, object]:
        reason, error = self._finishes[choice]
        row: dict[str, object] = {"index": choice, "delta": {}, "finish_reason": reason}
        if error is not None:
            row["error"] = error
        return {**self._frame(self._name(choice)), "choices": [row]}

    def _expected(self) -> int:
        return len(self._slots) if self._shape is Shape.ALL else 1

    def _end(self, report: Report) -> list[bytes]:
        self.is_over = True
        parts = self._unanswered(report) if self._shape is Shape.PLAIN else []
        problem = problem_of_report(report)
        tail: dict[str, object] = {"usage": usage_of(report), "ultrai": about(report)}
        if problem is not None:
            parts += self._role(0)
            row = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
            error = {**problem.error, "status": problem.status}
            last = {**self._frame(self._name(0)), "choices": [row], "error": error}
            return [*parts, encode_chunk({**last, **tail}), DONE]
        parts = [*self._held, *parts]
        last = self._last_choice(report)
        if self._order.include_usage:
            parts.append(encode_chunk({**last, "usage": None}))
            last = {**self._frame(self._name(0)), "choices": []}
        return [*parts, encode_chunk({**last, **tail}), DONE]

    def _last_choice(self, report: Report) -> dict[str, object]:
        if self._shape is Shape.PLAIN:
            reason = "error" if self._broke else plain_finish(report.slots)
            self._finishes[0] = (reason, None)
            return self._last_of(0)
        for slot in report.slots:
            choice = self._choice_of(slot.index)
            if choice not in self._finishes:  # a Slot that was cancelled says nothing itself
                self._finishes[choice] = ("error", error_of(slot.failure))
        return self._last_of(list(self._finishes)[-1])

    def _unanswered(self, report: Report) -> list[bytes]:
        """The Slots without an Answer, each with why; not one whose text broke off above."""
        if not report.answers:
            return []
        rest = [s for s in report.slots if s.answer is None and not self._slots[s.index].spoke]
        self._waiting += [section(slot) for slot in rest]
        return self._flush()

    def _choice_of(self, index: int) -> int:
        return index if self._shape is Shape.ALL else 0

    def _name(self, choice: int) -> str:
        if self._shape is Shape.SINGLE and self._slots:
            return self._slots[0].model
        del choice
        return self._order.model

    def _role(self, choice: int) -> list[bytes]:
        if choice in self._begun:
            return []
        self._begun.add(choice)
        return [self._chunk(choice, {"role": "assistant", "content": ""})]

    def _chunk(self, choice: int, delta: dict[str, object]) -> bytes:
        row = {"index": choice, "delta": delta, "finish_reason": None}
        return encode_chunk({**self._frame(self._name(choice)), "choices": [row]})

    def _content(self, choice: int, text: str) -> bytes:
        """The chunk that there are most of, put together from parts that stay the same."""
        name = self._name(choice)
        head = self._heads.get(name)
        if head is None:
            head = b"data: " + encode(self._frame(name))[:-1] + b',"choices":[{"index":'
            self._heads[name] = head
        return b'%b%d,"delta":{"content":%b},"finish_reason":null}]}\n\n' % (
            head,
            choice,
            _encode_text(text),
        )

    def _frame(self, model: str) -> dict[str, object]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": model,
        }


def encode_chunk(shape: dict[str, object]) -> bytes:
    """One chunk as an event of the stream."""
    return b"data: " + encode(shape) + b"\n\n"


def _heading(slot: _Slot) -> str:
    return heading(SlotReport(0, slot.primary, answered_by=slot.model, fallback=slot.fallback))
