"""What the upstream says afterwards of one generation."""

from __future__ import annotations

from ultrai.domain.outcome import Usage
from ultrai.domain.value import value


@value
class Generation:
    """OpenRouter's record of an Attempt; `cost_raw` is its figure in USD as text.

    `native` are the tokens that are billed, `normalised` those by one tokenizer for all models.
    """

    id: str
    cost_raw: str | None
    provider: str | None = None
    native: Usage = Usage()
    normalised: Usage = Usage()
    cancelled: bool | None = None
