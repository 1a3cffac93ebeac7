"""Which texts have most to do with a question: BM25 over words, in memory.

Words are those of Unicode, without case and accents; a plural finds its singular in English and the
Romance languages. Scripts that write words together (Chinese, Japanese, Thai) and Korean, whose
words carry their particles, are compared by pairs of characters. What this does not know: meaning.
A text that says the same in other words scores nothing.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from ultrai.domain.value import value

_SATURATION = 1.2
_LENGTH_SHARE = 0.75
_RARITY = 1.5  # above 1, rare words outweigh “what” and “the” in any language; by bench/compression
_DIGITS = 6  # of a score; machines may differ beyond
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3041-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003134f"
)
_RUN = re.compile(rf"[{_UNSPACED}]+")
_WORD = re.compile(r"[^\W_]+")  # the words of snake_case are words
_SPACED_WORD = re.compile(rf"[^\W_{_UNSPACED}]+")
_ORNAMENT = re.compile("[\u0300-\u036f]+")  # an Indic vowel is none
_SHORTEST_FOLDED = 4


@value
class Scored:
    """The place of a text among those that were ranked, and its score; 0: nothing in common."""

    index: int
    score: float


@value
class Terms:
    """What a question asks for.

    `words` are the forms of each of its words; `pairs`, characters that stand beside each other.
    """

    words: tuple[tuple[str, ...], ...]
    pairs: tuple[str, ...]


@value
class Rarity:
    """In how many texts each term stands, by its first form, and how many texts there are."""

    total: int
    found_in: Mapping[str, int]


def rank(chunks: Sequence[str], question: str) -> tuple[Scored, ...]:
    """All chunks, those first that have most to do with the question; of equals, the earlier."""
    scored = [Scored(index, score) for index, score in enumerate(score_all(chunks, question))]
    return tuple(sorted(scored, key=lambda each: (-each.score, each.index)))


def score_all(chunks: Sequence[str], question: str) -> list[float]:
    """The BM25 score of each chunk, in their order: 0 or more."""
    terms = terms_of(question)
    counted = [_count(fold(chunk), terms) for chunk in chunks]
    found_in = Counter(term for counts, _ in counted for term in counts)
    return _scores(counted, Rarity(len(counted), found_in))


def score_known(chunks: Sequence[str], question: str, *, rarity: Rarity) -> list[float]:
    """The same for some chunks of many, of which it is known how rare each term is."""
    terms = terms_of(question)
    return _scores([_count(fold(chunk), terms) for chunk in chunks], rarity)


def _scores(counted: Sequence[tuple[dict[str, int], int]], rarity: Rarity) -> list[float]:
    average = sum(size for _, size in counted) / max(1, len(counted)) or 1.0
    weights = {
        term: math.log(1 + (rarity.total - many + 0.5) / (many + 0.5)) ** _RARITY
        for term, many in rarity.found_in.items()
    }
    scores = []
    for counts, size in counted:
        dampening = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * size / average)
        score = sum(
            weights.get(term, 0.0) * count * (_SATURATION + 1) / (count + dampening)
            for term, count in counts.items()
        )
        scores.append(round(score, _DIGITS))
    return scores


def terms_of(question: str) -> Terms:
    """The question's terms, each once, in their order."""
    folded = fold(question)
    words = dict.fromkeys(_forms(word) for word in _words(folded))
    return Terms(tuple(words), pairs_of(question))


def pairs_of(text: str) -> tuple[str, ...]:
    """The pairs of characters, each once, of what is written without blanks between words."""
    if text.isascii():
        return ()
    pairs: dict[str, None] = {}
    for run in _RUN.findall(fold(text)):
        pairs.update(dict.fromkeys(run[i : i + 2] for i in range(max(1, len(run) - 1))))
    return tuple(pairs)


def fold(text: str) -> str:
    """Without case, accents and differences of width: what words are compared by."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    plain = _ORNAMENT.sub("", unicodedata.normalize("NFKD", folded))
    return unicodedata.normalize("NFC", plain)


def _count(folded: str, terms: Terms) -> tuple[dict[str, int], int]:
    """How often each term is in a folded text, by its first form; and the text's size in terms."""
    words = _words(folded)
    size = len(words)
    counts: dict[str, int] = {}
    if terms.words:
        counted = Counter(words)
        for forms in terms.words:
            many = sum(counted[form] for form in forms)
            if many:
                counts[forms[0]] = many
    if not folded.isascii():
        size += sum(map(len, _RUN.findall(folded)))
        for pair in terms.pairs:
            many = folded.count(pair)
            if many:
                counts[pair] = many
    return counts, size


def _words(folded: str) -> list[str]:
    if folded.isascii() or not _RUN.search(folded):
        return _WORD.findall(folded)
    return _SPACED_WORD.findall(folded)


def _forms(word: str) -> tuple[str, ...]:
    """The word's own form first, then those that count as the same: plural and singular."""
    if len(word) < _SHORTEST_FOLDED or not word.isalpha():
        return (word,)
    stem = word
    if word.endswith("ies"):
        stem = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        stem = word[:-1]
    forms = [stem, stem + "s", stem + "es"]
    if stem.endswith("y"):
        forms.append(stem[:-1] + "ies")
    if stem.endswith("e"):
        forms.append(stem[:-1])
    return tuple(dict.fromkeys(forms))
