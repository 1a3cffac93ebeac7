"""Which way documents are made to fit a model: the verdict, from sizes, window and question.

Whole wherever that fits; else without what says nothing; else by what is asked: passages for a
question, the whole in short for a task over the whole, and one text that is only a little too long
shortened. Tokens are estimates, all in the same unit.

What it does not know: meaning. Whether something is a question or a task over the whole is a rule
over words in several languages; `--fit` overrules it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from ultrai.domain.fitting import FitMode, FitWish
from ultrai.domain.value import value
from ultrai.policy.tokens import TokenCounts, window_tokens

LITTLE_TOO_LONG = 3  # times the room: up to there one text is shortened
_WIDEST = 2  # an estimate is corrected to half of it at the least

_WHOLE = re.compile(
    r"\b(?:summar(?:y|i[sz])|tl;?dr\b|overview|outline|translat|proofread|paraphras"
    r"|(?:main|key) (?:points|ideas|themes)|overall"
    r"|(?:whole|entire|complete|full) (?:text|book|document|file|story|novel|report|article|paper"
    r"|thing|code|codebase|repository|project)"
    r"|zusammenfass|fass\w* .{0,60}\bzusammen|überblick|übersetz|insgesamt|gliederung|korrekturles"
    r"|(?:ganze[nrs]?|gesamte[nrs]?) (?:text|buch|dokument|datei|bericht|artikel|code|projekt)"
    r"|résum|synthèse|tradui|traduc|dans (?:son|l.)ensemble|en entier"
    r"|resum(?:e|en|ir|o|a)\b|resúme|síntesis|tradú|traduz|en conjunto|en su totalidad"
    r"|riassu|sintesi|tradurre|traduci|nel complesso|panoramica|visão geral|no geral"
    r"|samenvat|vat .{0,60}\bsamen|vertaal|vertal"
    r"|резюм|обобщ|кратко|переве[дс]|перевод|в целом|весь текст)"
    r"|总结|概括|摘要|翻译|全文|概述|要約|翻訳|全体|まとめ|概要|요약|번역|전체|لخص|ترجم",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"[?？؟]|^\W*(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|can"
    r"|find|locate|quote|cite|look up|wer|wen|wem|was|wann|wo|welche[rsn]?|warum|wieso|wie|finde"
    r"|zitiere|qui|que|quoi|quand|où|quel(?:le)?s?|pourquoi|comment|trouve|cite|quién|qué|cuándo"
    r"|dónde|cuál|por qué|cómo|busca|chi|che|quando|dove|quale|perché|come|trova|quem|onde|qual"
    r"|wie|wat|wanneer|waar|welke|waarom|hoe|кто|что|когда|где|какой|почему|как|найди)\b",
    re.IGNORECASE,
)


class Task(Enum):
    """What is asked of documents."""

    QUESTION = "question"
    WHOLE = "whole"
    OTHER = "other"


@value
class Size:
    """Estimated tokens of the prompt with its documents whole, cleaned, and without them."""

    whole: int
    cleaned: int
    bare: int
    documents: int = 1


def task_of(prompt: str) -> Task:
    """What the prompt asks for: by its words."""
    if _WHOLE.search(prompt):
        return Task.WHOLE
    return Task.QUESTION if _ASKS.search(prompt) else Task.OTHER


def verdict(wish: FitWish, size: Size, *, room: int | None, task: Task) -> FitMode:
    """The way for a model that holds `room` tokens beside its answer; None: nobody knows."""
    if wish is not FitWish.AUTO:
        return _NAMED[wish]
    if room is None or size.whole <= room:
        return FitMode.WHOLE
    if size.cleaned <= room:
        return FitMode.CLEANED
    if task is Task.WHOLE:
        return FitMode.SUMMARISE
    is_little = size.documents == 1 and size.cleaned <= LITTLE_TOO_LONG * room
    if task is Task.OTHER and is_little:
        return FitMode.COMPRESS
    return FitMode.RETRIEVE


def room_of(window: int, *, output: int, counts: TokenCounts, tokenizer: str | None = None) -> int:
    """The largest estimate that is planned to fit a window beside so much output."""
    left = window - output
    return _largest(
        lambda estimate: window_tokens(counts.correct(estimate), tokenizer) <= left, left
    )


def _largest(fits: Callable[[int], bool], left: int) -> int:
    low, high = 0, max(0, left * _WIDEST)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


_NAMED = {
    FitWish.WHOLE: FitMode.WHOLE,
    FitWish.REFUSE: FitMode.WHOLE,
    FitWish.RETRIEVE: FitMode.RETRIEVE,
    FitWish.SUMMARISE: FitMode.SUMMARISE,
    FitWish.COMPRESS: FitMode.COMPRESS,
}
