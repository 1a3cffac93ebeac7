"""The scalar settings: one row for each, with what it may be. Errors name place, key and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final, Protocol

from ultrai.domain.cocktail import NO_SYNTHESIS, is_model_id
from ultrai.domain.fitting import FitWish
from ultrai.settings.cocktails import AWAITED_SYNTHESIS
from ultrai.settings.entry import Entry, shown
from ultrai.settings.model import CACHE_EXACT, CACHE_OFF

UNSET: Final = "none"
"""The word by which a later place takes back what an earlier one set."""

_MOST_DIGITS = 30
_MOST_DECIMALS = 12
_WORDS: Final = MappingProxyType(
    {"true": True, "yes": True, "on": True, "1": True}
    | {"false": False, "no": False, "off": False, "0": False}
)


class Rule(Protocol):
    """What a setting may be."""

    def read(self, entry: Entry) -> object:
        """The value as `Settings` holds it; SettingsError where it is not allowed."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `low` to `high`; `above_low` leaves `low` itself out.

    `make` gives it the type that `Settings` holds. `can_be_unset` allows the word `none`.
    """

    what: str
    low: str
    high: str
    make: Callable[[Decimal], object]
    is_whole: bool = False
    above_low: bool = False
    can_be_unset: bool = False

    def read(self, entry: Entry) -> object:
        """The number; SettingsError names its bounds."""
        if self.can_be_unset and _is_unset(entry):
            return None
        number = _decimal(entry)
        if number is None or not self._allows(number):
            raise entry.problem(f"must be {self.bounds}, not {shown(entry.value)}")
        return self.make(number)

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        start = f"above {self.low}, up" if self.above_low else f"from {self.low}"
        end = f" or {UNSET!r}" if self.can_be_unset else ""
        return f"{self.what} {start} to {self.high}{end}"

    def _allows(self, number: Decimal) -> bool:
        if not number.is_finite():
            return False
        _, digits, exponent = number.as_tuple()
        if len(digits) > _MOST_DIGITS or int(exponent) < -_MOST_DECIMALS:
            return False
        low = Decimal(self.low)
        is_high_enough = number > low if self.above_low else number >= low
        is_fit = not self.is_whole or number == number.to_integral_value()
        return is_high_enough and number <= Decimal(self.high) and is_fit


@dataclass(frozen=True, slots=True)
class Toggle:
    """True or false; the environment may also say yes, no, on, off, 1, 0."""

    def read(self, entry: Entry) -> bool:
        """The choice."""
        if isinstance(entry.value, bool):
            return entry.value
        if isinstance(entry.value, str) and not entry.origin.is_file:
            choice = _WORDS.get(entry.value.strip().casefold())
            if choice is not None:
                return choice
        raise entry.problem(f"must be true or false, not {shown(entry.value)}")


@dataclass(frozen=True, slots=True)
class SynthesisMode:
    """A mode of synthesis that exists, or the word that it does not exist yet."""

    def read(self, entry: Entry) -> str:
        """The mode."""
        mode = entry.value.strip().casefold() if isinstance(entry.value, str) else ""
        if mode in AWAITED_SYNTHESIS:
            raise entry.problem(f"{shown(entry.value)} is not available yet")
        if mode != NO_SYNTHESIS:
            raise entry.problem(f"must be {NO_SYNTHESIS!r}, not {shown(entry.value)}")
        return mode


@dataclass(frozen=True, slots=True)
class FitRule:
    """What is to be done with documents."""

    def read(self, entry: Entry) -> FitWish:
        """The wish."""
        word = entry.value.strip().casefold() if isinstance(entry.value, str) else ""
        if word not in set(FitWish):
            raise entry.problem(f"must be one of {', '.join(FitWish)}, not {shown(entry.value)}")
        return FitWish(word)


@dataclass(frozen=True, slots=True)
class ModelRule:
    """A model's id, or the word `none`."""

    def read(self, entry: Entry) -> str | None:
        """The id."""
        if _is_unset(entry):
            return None
        if not isinstance(entry.value, str) or not is_model_id(entry.value):
            raise entry.problem(f"must be a model's id, not {shown(entry.value)}")
        return entry.value


@dataclass(frozen=True, slots=True)
class CacheMode:
    """Which answers may come from the cache."""

    def read(self, entry: Entry) -> str:
        """The mode."""
        mode = entry.value.strip().casefold() if isinstance(entry.value, str) else ""
        if mode not in (CACHE_OFF, CACHE_EXACT):
            words = f"{CACHE_EXACT!r} or {CACHE_OFF!r}"
            raise entry.problem(f"must be {words}, not {shown(entry.value)}")
        return mode


def _as_plain_text(number: Decimal) -> str:
    """Without an exponent: prices stay exact, as text."""
    return format(number, "f")


def _seconds(low: str = "0", *, above_low: bool = True, can_be_unset: bool = False) -> Number:
    """A duration up to a day."""
    return Number(
        "a number of seconds",
        low,
        "86400",
        make=float,
        above_low=above_low,
        can_be_unset=can_be_unset,
    )


def _count(low: int, high: int, *, can_be_unset: bool = False) -> Number:
    """A whole number."""
    return Number(
        "a whole number", str(low), str(high), make=int, is_whole=True, can_be_unset=can_be_unset
    )


PACE: Final = _count(1, 1_000_000, can_be_unset=True)
TOGGLE: Final = Toggle()

SCALARS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "deadline_s": _seconds(can_be_unset=True),
        "max_attempts": _count(1, 10),
        "backoff_base_s": _seconds(above_low=False),
        "backoff_cap_s": _seconds(above_low=False),
        "max_wait_s": _seconds(above_low=False),
        "connect_timeout_s": _seconds(),
        "headers_timeout_s": _seconds(),
        "first_text_timeout_s": _seconds(can_be_unset=True),
        "text_stall_timeout_s": _seconds(),
        "liveness_timeout_s": _seconds(),
        "concurrency": _count(1, 10_000),
        "queue_limit": _count(1, 1_000_000),
        "quorum": _count(1, 1000, can_be_unset=True),
        "synthesis": SynthesisMode(),
        "price_headroom": Number("a factor", "1", "100", make=_as_plain_text),
        "max_price_per_million_usd": Number(
            "a price in USD", "0", "1000000", make=_as_plain_text, above_low=True, can_be_unset=True
        ),
        "reasoning_headroom_tokens": _count(0, 1_000_000),
        "max_tokens_floor": _count(1, 1_000_000),
        "shrink_floor_tokens": _count(1, 1_000_000, can_be_unset=True),
        "max_file_mb": _count(1, 4000),
        "free_may_become_paid": TOGGLE,
        "streaming": TOGGLE,
        "fit": FitRule(),
        "fit_retrieve_tokens": _count(200, 10_000_000),
        "fit_summariser": ModelRule(),
        "history": TOGGLE,
        "cache": CacheMode(),
        "cache_ttl_s": Number("a number of seconds", "0", "31536000", make=float, above_low=True),
        "cache_max_mb": _count(1, 1_000_000),
        "metrics": TOGGLE,
        "trace_content": TOGGLE,
    }
)
"""The settings that hold one value, by the name of their field in `Settings`."""


def _is_unset(entry: Entry) -> bool:
    value = entry.value
    return isinstance(value, str) and value.strip().casefold() == UNSET


def _decimal(entry: Entry) -> Decimal | None:
    """The number as written; text is a number only outside files, and a boolean never is."""
    value = entry.value
    if isinstance(value, bool) or (isinstance(value, str) and entry.origin.is_file):
        return None
    if isinstance(value, float):
        value = repr(value)
    if not isinstance(value, int | str | Decimal):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None
