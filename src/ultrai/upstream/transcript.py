"""What has arrived of one completion so far.

Theory of operation. Every payload (an event of a stream, or a whole body) is absorbed in order.
Text and reasoning gather in two lists of pieces; `take_news` joins what is new, makes it fit to
keep, masks the key and hands it out once per network read. What `text` holds at the end is exactly
what was handed out.

Dialects, all of them real: the finish reason comes once or twice, or is an empty string in every
chunk; usage comes with the finish, after it with `choices: []`, with an empty delta, or in every
chunk (the last one counts); reasoning comes as `reasoning`, `reasoning_content` or only inside
`reasoning_details`; an error comes at the top or in a choice, before or after the finish. Of
several choices only the one with index 0 counts, or else the first seen.

It does not know sockets or timers, nor what the whole amounts to; that is `judgement`.
"""

from __future__ import annotations

from typing import Final

from ultrai.domain.outcome import NO_USAGE, ToolCall
from ultrai.domain.secret import Secret
from ultrai.upstream.complaint import Complaint, read_error
from ultrai.upstream.lenient import parse_json
from ultrai.upstream.masking import Masker, mask
from ultrai.upstream.wire import (
    Choice,
    Frame,
    Part,
    ToolPiece,
    UsageFrame,
    decode_frame,
    is_something,
    read_byok_cost,
    read_cost,
    read_reasoning_details,
    read_usage,
)
from ultrai.upstream.words import keepable

MAX_ANSWER_CHARACTERS: Final = 16_000_000
"""The longest answer, reasoning and arguments of tool calls included, that is accepted."""

ERROR_FINISH: Final = "error"


class AnswerTooLong(Exception):
    """The answer passed `MAX_ANSWER_CHARACTERS`."""


class _ToolDraft:
    """A tool call whose pieces are still coming."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class Transcript:
    """All that one upstream has said in one Attempt. `is_done`: `[DONE]`, or a whole body, came."""

    def __init__(self, secret: Secret | None) -> None:
        self._secret = secret
        self._text_mask = Masker(secret)
        self._reasoning_mask = Masker(secret)
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._new_text: list[str] = []
        self._new_reasoning: list[str] = []
        self._refusal: list[str] = []
        self._drafts: dict[int, _ToolDraft] = {}
        self._index: int | None = None
        self._identity: dict[str, str] = {}
        self.progress = 0  # grows with every text, reasoning or tool call that arrives
        self.finish_reason: str | None = None
        self.native_finish_reason: str | None = None
        self.usage = NO_USAGE
        self.cost_raw: str | None = None
        self.byok_raw: str | None = None
        self.error: Complaint | None = None
        self.late_error: Complaint | None = None
        self.is_done = False
        self.is_unreadable = False
        self.is_closed = False  # nothing that follows can matter

    @property
    def has_begun(self) -> bool:
        """Whether any text, reasoning or tool call has arrived."""
        return self.progress > 0

    @property
    def is_finished(self) -> bool:
        """Whether the model has ended its answer; usage may still come."""
        return self.finish_reason is not None or self.is_done

    @property
    def text(self) -> str:
        """The text handed out so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning handed out so far."""
        return "".join(self._reasoning)

    @property
    def refusal(self) -> str:
        """The model's own words of refusal, if it gave any."""
        return self._scrub("".join(self._refusal))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls in the order of their indexes."""
        return tuple(
            ToolCall(
                self._scrub(draft.id),
                self._scrub(draft.name),
                self._scrub("".join(draft.arguments)),
            )
            for draft in self._drafts.values()
        )

    def said_of(self, name: str) -> str | None:
        """The first `id`, `model` or `provider` that a frame gave."""
        value = self._identity.get(name)
        return None if value is None else self._scrub(value)

    def absorb(self, payload: bytes) -> None:
        """Take in one event of a stream. Raises AnswerTooLong."""
        if self.is_closed:
            return
        if payload.startswith(b"[DONE]"):
            self.is_done = self.is_closed = True
            return
        frame = decode_frame(payload)
        if frame is not None:
            self._absorb_frame(frame)
        elif payload.strip() and not self.is_finished:
            self.is_unreadable = self.is_closed = True

    def absorb_body(self, body: bytes) -> None:
        """Take in the body of an answer that came in one piece. Raises AnswerTooLong."""
        frame = decode_frame(body)
        if frame is None or not (frame.choices or is_something(frame.error)):
            self.is_unreadable = self.is_closed = True
            return
        self._absorb_frame(frame)
        self.is_done = self.is_closed = True

    def take_news(self) -> tuple[str, str]:
        """Text and reasoning that have come since the last call, masked."""
        text = reasoning = ""
        if self._new_text:
            text = self._text_mask.push(keepable("".join(self._new_text)))
            self._new_text.clear()
            self._text.append(text)
        if self._new_reasoning:
            reasoning = self._reasoning_mask.push(keepable("".join(self._new_reasoning)))
            self._new_reasoning.clear()
            self._reasoning.append(reasoning)
        return text, reasoning

    def take_rest(self) -> tuple[str, str]:
        """The news, and what the masks still held back: nothing more will come."""
        text, reasoning = self.take_news()
        held_text, held_reasoning = self._text_mask.flush(), self._reasoning_mask.flush()
        self._text.append(held_text)
        self._reasoning.append(held_reasoning)
        return text + held_text, reasoning + held_reasoning

    def _absorb_frame(self, frame: Frame) -> None:
        if "provider" not in self._identity:
            self._identify(frame)
        had_finished = self.finish_reason
        choice = self._chosen(frame.choices) if frame.choices else None
        if choice is not None:
            self._absorb_choice(choice)
        if frame.usage is not None:
            self._absorb_usage(frame.usage)
        if frame.error or (choice is not None and choice.error):
            is_late = had_finished not in (None, ERROR_FINISH)
            self._absorb_error(frame, choice, is_late=is_late)

    def _chosen(self, choices: list[Choice]) -> Choice | None:
        choice = choices[0]
        if len(choices) > 1 and choice.index:
            choice = next((c for c in choices if not c.index), choice)
        index = choice.index
        if index is not None and index != self._index:
            if self._index is not None:
                return None
            self._index = index
        return choice

    def _absorb_choice(self, choice: Choice) -> None:
        part = choice.delta or choice.message
        if part is not None:
            if part.content:
                self._new_text.append(part.content)
                self._grow(len(part.content))
            reasoning = part.reasoning or part.reasoning_content
            if reasoning:
                self._new_reasoning.append(reasoning)
                self._grow(len(reasoning))
            elif part.reasoning_details:
                self._absorb_details(part)
            if part.refusal or part.tool_calls:
                self._absorb_refusal_and_tools(part)
        if choice.finish_reason and self.finish_reason is None:
            self.finish_reason = self._scrub(choice.finish_reason)
        if choice.native_finish_reason:
            self.native_finish_reason = self._scrub(choice.native_finish_reason)

    def _absorb_details(self, part: Part) -> None:
        details = read_reasoning_details(part.reasoning_details)
        if details:
            self._new_reasoning.append(details)
            self._grow(len(details))

    def _absorb_refusal_and_tools(self, part: Part) -> None:
        if part.refusal:
            self._refusal.append(part.refusal)
            self._grow(len(part.refusal))
        for position, piece in enumerate(part.tool_calls or ()):
            self._absorb_tool(piece, position)

    def _absorb_tool(self, piece: ToolPiece, position: int) -> None:
        key = position if piece.index is None else piece.index
        draft = self._drafts.get(key)
        # Some servers give every call of a stream index 0, or none, and tell them apart by id.
        if draft is not None and piece.id and draft.id and piece.id != draft.id:
            same = (k for k, d in self._drafts.items() if d.id == piece.id)
            key = next(same, max(self._drafts) + 1)
            draft = self._drafts.get(key)
        if draft is None:
            draft = self._drafts[key] = _ToolDraft()
            self._grow(1)
        draft.id = draft.id or piece.id or ""
        if piece.function is not None:
            draft.name = draft.name or piece.function.name or ""
            if piece.function.arguments:
                draft.arguments.append(piece.function.arguments)
                self._grow(len(piece.function.arguments))

    def _absorb_usage(self, frame: UsageFrame) -> None:
        usage = read_usage(frame)
        if usage != NO_USAGE:
            self.usage = usage
        self.cost_raw = read_cost(frame) or self.cost_raw
        self.byok_raw = read_byok_cost(frame) or self.byok_raw

    def _absorb_error(self, frame: Frame, choice: Choice | None, *, is_late: bool) -> None:
        raw = frame.error
        if not is_something(raw) and choice is not None:
            raw = choice.error
        if not is_something(raw):
            return
        complaint = read_error(parse_json(bytes(raw)))
        if is_late:
            self.late_error = complaint
        else:
            self.error = complaint
            self.is_closed = True

    def _identify(self, frame: Frame) -> None:
        for name in ("id", "model", "provider"):
            value = getattr(frame, name)
            if value and name not in self._identity:
                self._identity[name] = value

    def _grow(self, by: int) -> None:
        self.progress += by
        if self.progress > MAX_ANSWER_CHARACTERS:
            raise AnswerTooLong

    def _scrub(self, value: str) -> str:
        return mask(self._secret, keepable(value))
