"""Money: integer nanodollars (1e-9 USD). Prices stay exact `Decimal`s in USD per unit.

Why nano and not micro: one token of a cheap model costs 2e-8 USD. Why int and not float: sums of
floats drift. An amount becomes nanodollars once: a reservation rounds up (`reserve_nanos`), a
figure of the upstream goes to the nearest (`reported_nanos`), because its JSON doubles carry noise
such as 5.500000000000001e-05.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

NANOS_PER_USD = 1_000_000_000
_PRECISE = Context(prec=60)
_NANOS = Decimal(NANOS_PER_USD)
_CEILING_USD = Decimal(10**9)  # more than this for one attempt is not a figure but a fault


def reserve_nanos(usd: Decimal) -> int:
    """The least whole number of nanodollars that covers `usd`."""
    return int(_PRECISE.multiply(usd, _NANOS).to_integral_value(rounding=ROUND_CEILING))


def reported_nanos(raw: str | int | Decimal) -> int | None:
    """An upstream's own figure in USD as nanodollars, to the nearest; None if it is no figure.

    Negative, not-a-number, infinite and absurdly large figures are none.
    """
    try:
        usd = Decimal(raw)
    except (InvalidOperation, ValueError, TypeError):
        return None
    if not usd.is_finite() or usd < 0 or usd > _CEILING_USD:
        return None
    return int(_PRECISE.multiply(usd, _NANOS).to_integral_value(rounding=ROUND_HALF_EVEN))


def parse_usd(text: str) -> int:
    """Nanodollars of a user's amount such as `0.10` or `$2`; rounds down, so a cap stays a cap.

    Raises ValueError when `text` is not a non-negative finite amount.
    """
    try:
        usd = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        message = f"{text!r} is not an amount in USD"
        raise ValueError(message) from None
    if usd.is_finite() and usd < 0:
        message = f"{text!r} is no amount in USD: it must be positive"
        raise ValueError(message)
    if not usd.is_finite() or usd > _CEILING_USD:
        message = f"{text!r} is not an amount in USD between 0 and {_CEILING_USD:,}"
        raise ValueError(message)
    nanos = int(usd * NANOS_PER_USD)
    if usd and not nanos:
        message = f"{text!r} is less than a nanodollar, the least amount there is"
        raise ValueError(message)
    return nanos


def format_usd(nanos: int) -> str:
    """The exact decimal string in USD: no exponent, no trailing zeros, `0` for nothing."""
    sign = "-" if nanos < 0 else ""
    whole, fraction = divmod(abs(nanos), NANOS_PER_USD)
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:09d}".rstrip("0")
