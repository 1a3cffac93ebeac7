"""What models are expected to count of texts: the rows of `ultrai tokens`."""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.domain.overview import TokenRow
from ultrai.engine.world import World, find_model
from ultrai.policy.tokens import family_of, scale_of, text_tokens, window_tokens


def token_rows(
    texts: Sequence[str], model_ids: Sequence[str], *, world: World
) -> tuple[TokenRow, ...]:
    """One row for each model; texts are reckoned once for each tokenizer family."""
    reckoned: dict[str | None, tuple[int, ...]] = {}
    rows = []
    for model_id in model_ids:
        model = find_model(world.catalog, model_id)
        tokenizer = family_of(model_id, None if model is None else model.tokenizer)
        if tokenizer not in reckoned:
            reckoned[tokenizer] = tuple(text_tokens(text, tokenizer) for text in texts)
        estimates = reckoned[tokenizer]
        counts = world.health[model_id].tokens
        tokens = counts.correct(sum(estimates))
        scale = scale_of(tokenizer)
        rows.append(
            TokenRow(
                model=model_id,
                tokenizer=tokenizer,
                estimates=estimates,
                tokens=tokens,
                planned=window_tokens(tokens, tokenizer),
                margin=scale.margin,
                is_measured=scale.is_measured,
                context_length=None if model is None else model.context_length,
                counted=counts.native,
                estimated=counts.estimated,
            )
        )
    return tuple(rows)
