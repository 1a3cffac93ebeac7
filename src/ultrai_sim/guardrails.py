"""The account's guardrail: which models and providers its keys may use at all.

It stands before a request's own wishes. Where it leaves no endpoint, the 404 tells why each of them
may not serve. Of the four reasons two were seen, for a model that is ignored and a provider that is
not allowed; the others are named after them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ultrai_sim import refusals
from ultrai_sim.aim import is_model, is_provider
from ultrai_sim.catalogue import Model
from ultrai_sim.endpoints import Endpoint, endpoints_of
from ultrai_sim.terms import AccountTerms


def unguarded(model: Model, *, terms: AccountTerms) -> Sequence[Endpoint]:
    """The endpoints of a model that the guardrail allows; 404 where it allows none."""
    endpoints = endpoints_of(model)
    if not terms.has_guardrail:
        return endpoints
    reasons = [_objection(model, endpoint, terms=terms) for endpoint in endpoints]
    left = [each for each, reason in zip(endpoints, reasons, strict=True) if reason is None]
    if not left:
        raise refusals.guarded(Counter(filter(None, reasons)))
    return left


def _objection(model: Model, endpoint: Endpoint, *, terms: AccountTerms) -> str | None:
    """Why an endpoint may not serve, in OpenRouter's words; None where it may."""

    def model_in(patterns: Sequence[str]) -> bool:
        return any(is_model(pattern, model.id) for pattern in patterns)

    def provider_in(patterns: Sequence[str]) -> bool:
        return any(is_provider(pattern, endpoint.provider) for pattern in patterns)

    if model_in(terms.ignored_models):
        return "model-ignored-by-guardrail"
    if terms.allowed_models and not model_in(terms.allowed_models):
        return "model-not-allowed-by-guardrail"
    if provider_in(terms.ignored_providers):
        return "provider-ignored-by-guardrail"
    if terms.allowed_providers and not provider_in(terms.allowed_providers):
        return "provider-not-allowed-by-guardrail"
    return None
