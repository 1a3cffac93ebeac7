"""What is wrong with the ids of the cocktails, judged against the live catalogue: pure.

The yardstick for prices and windows is a dated reference: what each id cost and held when the
cocktails were last looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from ultrai.domain.catalog import Model
from ultrai.domain.overview import Finding, Problem
from ultrai.policy.readiness import NOT_PULLED

PRICE_FACTOR = Decimal(2)
EXPIRY_HORIZON_DAYS = 60
_PLACEHOLDER_YEAR = 2098  # the upstream's way of saying that no end is planned
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Reference:
    """What an id cost (USD per million tokens) and held (tokens) on the reference's date."""

    prompt_usd_per_million: Decimal
    completion_usd_per_million: Decimal
    context_length: int | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """One id and the cocktails that name it; `successor` would take its place if it is gone.

    `is_local`: an embedded model, whose absence only means that nobody has pulled it.
    """

    model: str
    cocktails: tuple[str, ...]
    successor: str | None = None
    is_local: bool = False


def examine(
    patients: Iterable[Patient],
    *,
    today: date,
    references: Mapping[str, Reference],
    find_model: Callable[[str], Model | None],
) -> tuple[Finding, ...]:
    """All findings, at least one per id; `ok` where nothing is wrong."""
    findings: list[Finding] = []
    for patient in patients:
        model = find_model(patient.model)
        if model is None:
            findings.append(_gone(patient))
            continue
        wrong = [
            finding
            for finding in (
                _expiry(patient, model, today=today),
                _price(patient, model, reference=references.get(patient.model)),
                _window(patient, model, reference=references.get(patient.model)),
            )
            if finding is not None
        ]
        ok = Finding("ok", patient.model, patient.cocktails, None, "listed")
        findings += wrong or [ok]
    return tuple(findings)


def _gone(patient: Patient) -> Finding:
    if patient.is_local:
        return Finding("warning", patient.model, patient.cocktails, Problem.GONE, NOT_PULLED)
    if patient.successor is None:
        message = "not in the catalogue, and nothing is known to serve instead"
        return Finding("error", patient.model, patient.cocktails, Problem.GONE, message)
    message = f"no longer listed; {patient.successor} serves instead"
    return Finding(
        "warning", patient.model, patient.cocktails, Problem.GONE, message, patient.successor
    )


def _expiry(patient: Patient, model: Model, *, today: date) -> Finding | None:
    expires = model.expires
    if expires is None or expires.year >= _PLACEHOLDER_YEAR:
        return None
    if expires > today + timedelta(days=EXPIRY_HORIZON_DAYS):
        return None
    days = (expires - today).days
    when = f"in {days} days" if days > 0 else "today" if days == 0 else "already"
    return Finding(
        "warning" if days >= 0 else "error",
        patient.model,
        patient.cocktails,
        Problem.EXPIRING,
        f"expires on {expires.isoformat()} ({when})",
        patient.successor,
    )


def _price(patient: Patient, model: Model, *, reference: Reference | None) -> Finding | None:
    if model.prices is None:
        message = "its price is not known beforehand"
        return Finding("warning", patient.model, patient.cocktails, Problem.UNKNOWN, message)
    if reference is None:
        return None
    base = model.prices.base
    changes = [
        f"{name} ${before.normalize():f} -> ${now.normalize():f}"
        for name, before, now in (
            ("prompt", reference.prompt_usd_per_million, base.prompt * _MILLION),
            ("completion", reference.completion_usd_per_million, base.completion * _MILLION),
        )
        if _differs(before, now)
    ]
    if not changes:
        return None
    message = f"price per million tokens changed: {', '.join(changes)}"
    return Finding("warning", patient.model, patient.cocktails, Problem.PRICE_CHANGED, message)


def _differs(before: Decimal, now: Decimal) -> bool:
    low, high = sorted((before, now))
    return high > low * PRICE_FACTOR


def _window(patient: Patient, model: Model, *, reference: Reference | None) -> Finding | None:
    if reference is None or not reference.context_length or not model.context_length:
        return None
    if model.context_length >= reference.context_length:
        return None
    message = (
        f"its window is {model.context_length:,} tokens, smaller than the "
        f"{reference.context_length:,} it was chosen for"
    )
    return Finding("warning", patient.model, patient.cocktails, Problem.WINDOW_SMALL, message)
