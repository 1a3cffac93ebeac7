"""What is left of an answer when its text is made shorter: `python bench/compression.py`.

Questions with known answers (`compression_questions.json`) are put to texts of the repository: a
story in seven languages, a licence, a program. Each text is made 2, 5, 10 and 20 times shorter in
three ways, and it is looked whether what is left still holds the answer's words; with `--joined`
all texts are put together, and each question to them all. With `--model ID` the embedded model is
asked too, and its answer searched for the same words. `--only NAME` takes one text's questions,
`--way NAME` one way. `--json` prints one line for each question, way and factor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import ultrai
from ultrai.domain.document import Document
from ultrai.policy.chunking import LEAST_CHUNK_TOKENS, ChunkKind, chunk_text
from ultrai.policy.compressing import compress
from ultrai.policy.retrieving import make_pool, pick
from ultrai.policy.tokens import scale_of, text_tokens

FACTORS = (2, 5, 10, 20)
WHOLE = "whole"
_FOLDER = Path(__file__).parent
_TOKENIZER = "Qwen"
_PROMPT = "{text}\n\nAnswer from the text above, in a few words: {question}"


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a text, and the words of which an answer has at least one."""

    text: str
    question: str
    answers: tuple[str, ...]

    def is_answered_by(self, text: str) -> bool:
        """Whether a text holds one of the answers."""
        folded = " ".join(text.casefold().split())
        return any(answer.casefold() in folded for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Trial:
    """One question, one way, one factor. `is_answered`: None where no model was asked."""

    question: Question
    way: str
    factor: int
    tokens: int
    is_kept: bool
    is_answered: bool | None


def main() -> int:
    """Try all, and print."""
    parser = argparse.ArgumentParser(description="what compression leaves of an answer")
    parser.add_argument("--model", metavar="ID", help="an embedded model to ask")
    parser.add_argument("--only", metavar="NAME", help="the questions to this text")
    parser.add_argument("--way", choices=_WAYS, help="this way only")
    parser.add_argument("--joined", action="store_true", help="put all texts together")
    parser.add_argument("--json", action="store_true", help="one line for each trial")
    options = parser.parse_args()
    rows = json.loads((_FOLDER / "compression_questions.json").read_text(encoding="utf-8"))
    questions = [Question(r["text"], r["question"], tuple(r["answers"])) for r in rows]
    if options.only:
        questions = [each for each in questions if each.text == options.only]
    names = sorted({row["text"] for row in rows})
    texts = {name: _read(name) for name in names}
    if options.joined:
        texts = dict.fromkeys(names, "\n\n".join(texts.values()))
    trials = asyncio.run(_try_all(questions, texts, model=options.model, only=options.way))
    if options.json:
        for trial in trials:
            print(json.dumps(_row_of(trial), ensure_ascii=False))
    else:
        _print_table(trials)
    return 0


async def _try_all(
    questions: list[Question], texts: Mapping[str, str], *, model: str | None, only: str | None
) -> list[Trial]:
    trials = []
    async with ultrai.open() as session:
        for question in questions:
            for way, factor, text in _shortened(question, texts[question.text]):
                if only not in (None, way) and way != WHOLE:
                    continue
                is_answered = None
                if model is not None:
                    prompt = _PROMPT.format(text=text, question=question.question)
                    report = await session.ask(
                        prompt, models=[model], max_tokens=40, temperature=0.0, deadline_s=600
                    )
                    answer = report.slots[0].answer
                    is_answered = answer is not None and question.is_answered_by(answer.text)
                    print(".", end="", file=sys.stderr, flush=True)
                tokens = text_tokens(text, _TOKENIZER)
                kept = question.is_answered_by(text)
                trials.append(Trial(question, way, factor, tokens, kept, is_answered))
    return trials


def _read(name: str) -> str:
    folder = _FOLDER.parent if name == "LICENSE" else _FOLDER / "corpus"
    suffix = "" if name == "LICENSE" else ".txt"
    return (folder / f"{name}{suffix}").read_text(encoding="utf-8")


def _shortened(question: Question, text: str) -> Iterator[tuple[str, int, str]]:
    """The way, the factor and what is left, the whole text first."""
    yield WHOLE, 1, text
    for factor in FACTORS:
        tokens = text_tokens(text, _TOKENIZER) // factor
        for way, shorten in _WAYS.items():
            yield way, factor, shorten(text, question, tokens)


def _compressed(text: str, question: Question, tokens: int) -> str:
    return compress(
        text,
        question=question.question,
        most_tokens=_planned(tokens),
        kind=_kind(question),
        tokenizer=_TOKENIZER,
    ).text


def _retrieved(text: str, question: Question, tokens: int) -> str:
    pool = make_pool((Document(_name(question), text),), question.question)
    picked = pick(pool, (), most_tokens=tokens, tokenizer=_TOKENIZER)
    return "\n\n".join(shown.text for _, shown in picked.passages)


def _cut(text: str, question: Question, tokens: int) -> str:
    chunks = chunk_text(
        text, kind=_kind(question), most_tokens=_planned(tokens), tokenizer=_TOKENIZER
    )
    return chunks[0].text


_WAYS: Mapping[str, Callable[[str, Question, int], str]] = {
    "compressed": _compressed,
    "retrieved": _retrieved,
    "cut off": _cut,
}


def _planned(tokens: int) -> int:
    return max(LEAST_CHUNK_TOKENS, round(tokens * scale_of(_TOKENIZER).margin))


def _kind(question: Question) -> ChunkKind:
    return ChunkKind.CODE if question.text == "code" else ChunkKind.PROSE


def _name(question: Question) -> str:
    return "program.py" if question.text == "code" else "text.txt"


def _row_of(trial: Trial) -> dict[str, object]:
    return {
        "text": trial.question.text,
        "question": trial.question.question,
        "way": trial.way,
        "factor": trial.factor,
        "tokens": trial.tokens,
        "kept": trial.is_kept,
        "answered": trial.is_answered,
    }


def _print_table(trials: list[Trial]) -> None:
    """The share of questions whose answer is kept, and given, for each way and factor."""
    groups: dict[tuple[str, int], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.way, trial.factor].append(trial)
    print("| way | times shorter | questions | answer kept | answered |")
    print("|---|---|---|---|---|")
    for (way, factor), group in groups.items():
        asked = [trial for trial in group if trial.is_answered is not None]
        answered = _percent(sum(t.is_answered is True for t in asked), len(asked))
        kept = _percent(sum(trial.is_kept for trial in group), len(group))
        print(f"| {way} | {factor} | {len(group)} | {kept} | {answered} |")


def _percent(part: int, whole: int) -> str:
    return f"{round(100 * part / whole)} %" if whole else "–"


if __name__ == "__main__":
    sys.exit(main())
