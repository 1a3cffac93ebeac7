"""How many tokens a text has: one made-up tokenizer for each family of models.

Real vocabularies are megabytes; these are regular expressions. Each family differs in how long a
word may be before it is broken, how much of a foreign script one token holds, and whether digits
and marks are bundled. The differences follow measured ones: beside a GPT, English prose has about
as many tokens with Llama, Qwen or DeepSeek, some 5 % more with Mistral and older Claudes and half
as many again with Claude from 4.7 on; JSON has a quarter more where every digit is a token of its
own. `split` gives the very tokens, so a text streamed piece by piece is billed for its pieces.

What it does not know: merges of frequent words, and characters that take several tokens. No token
here is shorter than one code point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

NORMALISED = "GPT"
"""The family whose count stands for all: `tokens_prompt` and `tokens_completion`."""

LATIN = "A-Za-z\u00c0-\u024f\u0300-\u036f"
ALPHABETS = "\u0370-\u1fff\ufb1d-\ufdff\ufe70-\ufefc"
HANGUL = "\uac00-\ud7af"
IDEOGRAPHS = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
PICTURES = "\u200d\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"

CLAUDE_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[.-](\d{1,2})(?!\d))?")
FIRST_DENSE_CLAUDE = (4, 7)


@dataclass(frozen=True, slots=True)
class Family:
    """One tokenizer: the most characters that a token holds, by kind, and what a chat adds.

    ``word``: a word of plain Latin letters up to this long is one token; a longer or accented one
    is broken into pieces of ``piece``. ``per_message`` and ``per_request`` are the tokens of the
    chat's own marks, ``image`` and ``page`` those of an image and of a file's page.
    """

    word: int
    piece: int
    alphabet: int
    ideographs: int
    digits: int
    marks: int
    spaces: int
    per_message: int = 4
    per_request: int = 3
    image: int = 1024
    page: int = 1200


FAMILIES: Mapping[str, Family] = {
    "GPT": Family(12, 3, 4, 1, 3, 3, 32, image=765),
    "Claude": Family(7, 3, 2, 1, 3, 2, 2, per_request=5, image=1568, page=2000),
    "Claude-4.7": Family(4, 3, 2, 1, 3, 2, 1, per_request=5, image=2500, page=3000),
    "Gemini": Family(10, 5, 4, 2, 1, 3, 2, per_message=0, per_request=0, image=258, page=258),
    "Llama": Family(12, 3, 3, 1, 3, 3, 32, per_message=5, per_request=1),
    "Mistral": Family(8, 4, 3, 1, 1, 3, 8, per_message=2, per_request=1),
    "DeepSeek": Family(11, 4, 3, 2, 3, 2, 8, per_message=1, per_request=3),
    "Qwen": Family(12, 4, 3, 2, 1, 3, 32, per_message=5, per_request=3),
    "Grok": Family(8, 3, 3, 1, 3, 2, 4, per_message=3, per_request=6, image=1792),
    "Cohere": Family(8, 4, 3, 2, 1, 2, 16, per_message=4, per_request=2),
    "Other": Family(10, 4, 3, 1, 2, 2, 16, per_message=4, per_request=6),
}
CALLED: Mapping[str, str] = {"Gemma": "Gemini", "Llama2": "Llama", "Llama3": "Llama"} | {
    "Llama4": "Llama",
    "Qwen3": "Qwen",
}
"""Names that the catalogue uses -> the family that stands for them."""


@cache
def family_of(tokenizer: str, model_id: str = "") -> str:
    """The family of a catalogue row; ``Other`` for a tokenizer without one of its own."""
    if tokenizer == "Claude":
        found = CLAUDE_VERSION.search(model_id)
        version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
        return "Claude-4.7" if version >= FIRST_DENSE_CLAUDE else "Claude"
    name = CALLED.get(tokenizer, tokenizer)
    return name if name in FAMILIES else "Other"


def split(text: str, family: str) -> tuple[str, ...]:
    """The tokens of a text; joined they are the text again."""
    return tuple(_pattern(family).findall(text))


def count(text: str, family: str) -> int:
    """How many tokens a text has."""
    return len(_pattern(family).findall(text))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    family = FAMILIES[name]
    word = (
        rf" ?(?:[A-Za-z]{{1,{family.word}}}+(?![{LATIN}])|[{LATIN}]{{1,{family.piece}}}"
        rf"|[{ALPHABETS}]{{1,{family.alphabet}}}|[{HANGUL}]{{1,2}})"
    )
    marks = rf" ?(?:[^\w\s{PICTURES}{IDEOGRAPHS}{HANGUL}]|_){{1,{family.marks}}}"
    spaces = rf"\s{{1,{family.spaces}}}(?!\S)|\s{{1,{family.spaces}}}"
    return re.compile(
        rf"{word}|[{IDEOGRAPHS}]{{1,{family.ideographs}}}|[{PICTURES}]|\d{{1,{family.digits}}}"
        rf"|{marks}|{spaces}|[\s\S]"
    )
