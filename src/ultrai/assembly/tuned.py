"""From Settings to what the engine and the upstreams take."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ultrai.domain.attempt import Timers
from ultrai.domain.cocktail import AUTO, CocktailBook
from ultrai.engine.house import House
from ultrai.engine.tuning import Tuning
from ultrai.policy.backoff import Backoff
from ultrai.settings.cocktails import CocktailFile
from ultrai.settings.model import DEFAULT_BASE_URL, OPENROUTER, Settings

LOCAL = "local"
LOCAL_COCKTAIL = "LOCAL"
KEY_HINT = "set OPENROUTER_API_KEY, or ask the embedded models with `-c LOCAL`"


def tuning_of(settings: Settings) -> Tuning:
    """How the rooms behave under these settings."""
    ceiling = settings.max_price_per_million_usd
    free = {name for name, upstream in settings.upstreams.items() if upstream.free}
    return Tuning(
        max_attempts=settings.max_attempts,
        backoff=Backoff(settings.backoff_base_s, settings.backoff_cap_s),
        max_wait_s=settings.max_wait_s,
        timers=Timers(
            connect_s=settings.connect_timeout_s,
            headers_s=settings.headers_timeout_s,
            text_stall_s=settings.text_stall_timeout_s,
            liveness_s=settings.liveness_timeout_s,
        ),
        first_text_s=settings.first_text_timeout_s,
        concurrency=settings.concurrency,
        queue_limit=settings.queue_limit,
        paces=settings.pace_per_minute,
        price_headroom=Decimal(settings.price_headroom),
        max_usd_per_million=None if ceiling is None else Decimal(ceiling),
        reasoning_headroom_tokens=settings.reasoning_headroom_tokens,
        max_tokens_floor=settings.max_tokens_floor,
        shrink_floor_tokens=settings.shrink_floor_tokens,
        free_may_become_paid=settings.free_may_become_paid,
        streaming=settings.streaming,
        free_upstreams=frozenset({LOCAL, *free}),
        fit=settings.fit,
        fit_retrieve_tokens=settings.fit_retrieve_tokens,
        fit_summariser=settings.fit_summariser,
    )


def house_of(settings: Settings, shipped: CocktailFile) -> House:
    """Cocktails, spellings and upstreams as the user and the package have them."""
    keyless = keyless_upstreams(settings)
    prefixes = {upstream.prefix: name for name, upstream in settings.upstreams.items()}
    prefixes[LOCAL] = LOCAL

    def upstream_of(model_id: str) -> str:
        return prefixes.get(model_id.partition("/")[0], OPENROUTER)

    return House(
        book=book_of(settings, shipped),
        corrections=shipped.corrections.merged(settings.corrections),
        successions=shipped.successions.merged(settings.successions),
        upstream_of=upstream_of,
        # A key that was named but cannot be had must fail, not turn into small local models.
        default_cocktail=LOCAL_COCKTAIL if keyless.get(OPENROUTER) == KEY_HINT else AUTO,
        local_upstreams=frozenset({LOCAL}),
        keyless=keyless,
        deadline_s=settings.deadline_s,
        quorum=settings.quorum,
        environment=settings.environment,
        key_fingerprint=settings.key_identity,
        declared_budgets=frozenset(budget.name for budget in settings.budgets),
    )


def book_of(settings: Settings, shipped: CocktailFile) -> CocktailBook:
    """The shipped cocktails with the user's own, which win."""
    return shipped.book.merged(settings.cocktails)


def keyless_upstreams(settings: Settings) -> Mapping[str, str]:
    """Upstreams that cannot be asked for lack of a key, and what to do about each.

    OpenRouter's own address always wants one; a server somewhere else may do without.
    """
    keyless = {
        name: upstream.key_problem
        for name, upstream in settings.upstreams.items()
        if upstream.key_problem is not None
    }
    if settings.key_problem is not None:
        keyless[OPENROUTER] = settings.key_problem
    elif not settings.names_a_key and settings.base_url == DEFAULT_BASE_URL:
        keyless[OPENROUTER] = KEY_HINT
    return keyless
