"""The nearest valid words to a mistyped one: what every "did you mean" says.

A word is compared by its letters without case, and for model ids also part by part, because people
mostly get the maker right and the slug wrong (or leave the maker out). What this does not know:
meaning. `sonnet` is near `claude-sonnet-5` because the letters are, not because of what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_LEAST_LIKENESS = 0.6
_FARTHEST_FROM_BEST = 0.2
_SAME_MAKER_BONUS = 0.15
_CONTAINED_LIKENESS = 0.8
_LEAST_CONTAINED = 3
_LONGEST_WORD = 200  # a longer one is not a typing error, and comparing it costs its square


def nearest(word: str, candidates: Iterable[str], *, n: int = 3) -> tuple[str, ...]:
    """Up to `n` of `candidates` that `word` may have meant, the likeliest first; may be empty.

    A candidate that differs in case or outer blanks only is the sole answer.
    """
    wanted = word.strip().casefold()
    known = list(dict.fromkeys(candidates))
    for candidate in known:
        if candidate.casefold() == wanted:
            return (candidate,)
    if not wanted or len(wanted) > _LONGEST_WORD:
        return ()
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    slug_matcher = SequenceMatcher(autojunk=False)
    slug_matcher.set_seq2(wanted.rpartition("/")[2])
    scored = [(_likeness(wanted, c.casefold(), whole=matcher, slug=slug_matcher), c) for c in known]
    floor = max(_LEAST_LIKENESS, max((s for s, _ in scored), default=0.0) - _FARTHEST_FROM_BEST)
    likely = [pair for pair in scored if pair[0] >= floor]
    likely.sort(key=lambda pair: (-pair[0], len(pair[1]), pair[1]))
    return tuple(candidate for _, candidate in likely[:n])


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The question `did you mean A, B or C?`, or nothing when no candidate is near."""
    near = nearest(word, candidates)
    if not near:
        return ""
    *others, last = near
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def _likeness(
    wanted: str, candidate: str, *, whole: SequenceMatcher[str], slug: SequenceMatcher[str]
) -> float:
    """0 to 1 and a little above: the whole word, or the slug where an id has a maker."""
    maker, slash, name = candidate.rpartition("/")
    best = _ratio(whole, candidate)
    if slash:
        same_maker = wanted.rpartition("/")[0] == maker
        best = max(best, _ratio(slug, name)) + (_SAME_MAKER_BONUS if same_maker else 0.0)
    bare = wanted.rpartition("/")[2]
    if len(bare) >= _LEAST_CONTAINED and bare in name:
        best = max(best, _CONTAINED_LIKENESS + len(bare) / len(name) * (1 - _CONTAINED_LIKENESS))
    return best


def _ratio(matcher: SequenceMatcher[str], text: str) -> float:
    """The matcher's ratio, with its two cheap upper bounds asked first."""
    matcher.set_seq1(text)
    floor = _LEAST_LIKENESS - _SAME_MAKER_BONUS
    if matcher.real_quick_ratio() < floor or matcher.quick_ratio() < floor:
        return 0.0
    return matcher.ratio()
