"""What a Transcript amounts to: an Answer or a Failure. Pure.

The order of the questions is the rule: an error before the end fails the Attempt, one after a
finish reason leaves the Answer standing, marked truncated; a stream that never ended fails as the
caller says it broke; then there must be text or a tool call, and no filter may have cut it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ultrai.domain.outcome import Answer, Failure, FailureKind, Phase, Received
from ultrai.upstream.classify import classify_inside
from ultrai.upstream.complaint import Complaint
from ultrai.upstream.hints import Circumstances
from ultrai.upstream.transcript import ERROR_FINISH, Transcript
from ultrai.upstream.words import one_line

_LENGTH: Final = "length"
_FILTERED: Final = "content_filter"
_OK: Final = 200


def judge(transcript: Transcript, around: Circumstances, *, otherwise: Failure) -> Received:
    """The outcome, apart from how it travelled.

    `otherwise` is the Failure that applies where the answer was not finished when reading ended.
    """
    around = replace(around, phase=phase_of(transcript))
    failure = _failure(transcript, around, otherwise=otherwise)
    return Received(
        answer=_answer(transcript) if failure is None else None,
        failure=failure,
        usage=transcript.usage,
        cost_raw=transcript.cost_raw,
        byok_raw=transcript.byok_raw,
        generation_id=transcript.said_of("id"),
    )


def phase_of(transcript: Transcript) -> Phase:
    """Mid-stream once any text, reasoning or tool call has arrived."""
    return Phase.MID_STREAM if transcript.has_begun else Phase.BEFORE_STREAM


def _failure(
    transcript: Transcript, around: Circumstances, *, otherwise: Failure
) -> Failure | None:
    if transcript.error is not None:
        return classify_inside(transcript.error, around)
    if transcript.finish_reason == ERROR_FINISH:
        said = Complaint(message="the provider ended its answer with an error and no explanation")
        return classify_inside(said, around)
    if not transcript.is_finished:
        return otherwise
    if transcript.finish_reason == _FILTERED:
        words = transcript.refusal or "a content filter stopped the answer"
        return Failure(FailureKind.MODERATED, one_line(words), around.phase, _OK)
    if transcript.tool_calls or transcript.text.strip():
        return None
    if transcript.refusal:
        message = one_line(f"the model refused: {transcript.refusal}")
        return Failure(FailureKind.MODERATED, message, around.phase, _OK)
    return _empty(transcript)


def _empty(transcript: Transcript) -> Failure:
    """Nothing to show, whatever the model thought: no text was seen, so before the stream."""
    spent = transcript.usage.completion_tokens
    tokens = "" if spent is None else f" after {spent} tokens"
    if transcript.finish_reason == _LENGTH:
        message = f"the token limit was reached{tokens} and before any text"
    else:
        reason = transcript.finish_reason or "none"
        message = f"the answer ended{tokens} without any text (finish reason: {reason})"
    if transcript.late_error is not None and transcript.late_error.message:
        message = f"{message}: {transcript.late_error.message}"
    return Failure(FailureKind.EMPTY_ANSWER, one_line(message), Phase.BEFORE_STREAM, _OK)


def _answer(transcript: Transcript) -> Answer:
    return Answer(
        text=transcript.text,
        reasoning=transcript.reasoning or None,
        finish_reason=transcript.finish_reason,
        native_finish_reason=transcript.native_finish_reason,
        truncated=transcript.finish_reason == _LENGTH or transcript.late_error is not None,
        generation_id=transcript.said_of("id"),
        model=transcript.said_of("model"),
        provider=transcript.said_of("provider"),
        tool_calls=transcript.tool_calls,
    )
