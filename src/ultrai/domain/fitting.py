"""How a Query's documents are made to fit a model, and what the model gets of them."""

from __future__ import annotations

from enum import StrEnum

from ultrai.domain.value import value


class FitWish(StrEnum):
    """What a user wants to be done with documents; each word is stable."""

    AUTO = "auto"
    WHOLE = "whole"
    RETRIEVE = "retrieve"
    SUMMARISE = "summarise"
    COMPRESS = "compress"
    REFUSE = "refuse"


class FitMode(StrEnum):
    """What was done with them for one model; each word is stable."""

    WHOLE = "whole"
    CLEANED = "cleaned"
    RETRIEVE = "retrieve"
    SUMMARISE = "summarise"
    COMPRESS = "compress"


@value
class Lines:
    """A range of lines of a document, from 1, both included."""

    first: int
    last: int

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {"first_line": self.first, "last_line": self.last}


@value
class SourceFit:
    """What a model gets of one document. Tokens are estimates; `passages` are what was sent."""

    name: str
    tokens: int
    sent_tokens: int
    passages: tuple[Lines, ...] = ()

    @property
    def coverage_percent(self) -> float:
        """The share of its tokens that is sent; 100 only where all are."""
        return _share(self.sent_tokens, self.tokens)

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "name": self.name,
            "tokens": self.tokens,
            "sent_tokens": self.sent_tokens,
            "coverage_percent": self.coverage_percent,
            "passages": [passage.to_dict() for passage in self.passages],
        }


@value
class Fit:
    """What a model gets of all documents. `prompt_tokens` counts the whole prompt, as estimated.

    `remark` is what a person should know beside the figures.
    """

    mode: FitMode
    sources: tuple[SourceFit, ...]
    prompt_tokens: int = 0
    remark: str = ""

    @property
    def tokens(self) -> int:
        """Of all documents."""
        return sum(source.tokens for source in self.sources)

    @property
    def sent_tokens(self) -> int:
        """What is sent of them."""
        return sum(source.sent_tokens for source in self.sources)

    @property
    def coverage_percent(self) -> float:
        """The share of all their tokens that is sent; 100 only where all are."""
        return _share(self.sent_tokens, self.tokens)

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of `slots[].fit` in a Report and of a Plan's candidates."""
        return {
            "mode": self.mode.value,
            "prompt_tokens": self.prompt_tokens,
            "sources": [source.to_dict() for source in self.sources],
        }


def _share(sent: int, tokens: int) -> float:
    if sent >= tokens:
        return 100.0
    return min(99.9, round(100 * sent / tokens, 1))
