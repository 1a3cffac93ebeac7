"""The upstream's keys, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import money
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import UNCUT, Cell, Column, Line, lay_out, paragraph
from ultrai.domain.attempt import Account
from ultrai.domain.money import format_usd
from ultrai.domain.upstream_key import UpstreamKey

_NEARLY = 5  # a fifth of the limit, or less, is left


def keys_table(keys: Sequence[UpstreamKey], *, width: int | None) -> list[Line]:
    """One line for each key."""
    columns = (
        Column("key", flexible=True, least=UNCUT),
        Column("hash", rank=3),
        Column("state", rank=2),
        Column("spent", "right"),
        Column("limit", "right", rank=1),
        Column("left", "right", rank=4),
        Column("expires", rank=5),
    )
    rows = [
        [
            Cell(one_line(key.name or "–")),
            Cell(key.hash[:12], Style.DIM),
            Cell("disabled" if key.disabled else "on", Style.ODD if key.disabled else Style.GOOD),
            Cell(money(key.usage_nanos)),
            Cell(_limit(key.limit_nanos, key.reset)),
            Cell("" if key.remaining_nanos is None else money(key.remaining_nanos)),
            Cell((key.expires_at or "")[:10]),
        ]
        for key in keys
    ]
    return lay_out(columns, rows, width=width, header=True)


def account_lines(account: Account, *, width: int | None) -> list[Line]:
    """The key in use."""
    lines: list[Line] = [(Cell(one_line(account.label or "the key"), Style.BOLD),)]
    lines.append((Cell(f"spent  {money(account.usage_nanos)}"),))
    if account.limit_nanos is None:
        lines.append((Cell("limit  none of its own"),))
    else:
        left = account.limit_remaining_nanos
        words = f"limit  {money(account.limit_nanos)}, {money(left)} left"
        is_low = left is not None and left * _NEARLY <= account.limit_nanos
        lines.append((Cell(words, Style.ODD if is_low else Style.GOOD),))
    if account.free_limit is not None:
        used = account.free_used or 0
        style = Style.ODD if used >= account.free_limit else Style.PLAIN
        lines.append((Cell(f"free   {used} of {account.free_limit} requests today", style),))
    if account.is_free_tier:
        lines += paragraph("no credit was ever bought: paid models refuse", Style.ODD, width=width)
    return lines


def account_to_dict(account: Account) -> dict[str, object]:
    """JSON types; money is a decimal string in USD, null where there is no limit."""
    return {
        "label": account.label,
        "usage_usd": _usd(account.usage_nanos),
        "limit_usd": _usd(account.limit_nanos),
        "limit_remaining_usd": _usd(account.limit_remaining_nanos),
        "free_used": account.free_used,
        "free_limit": account.free_limit,
        "is_free_tier": account.is_free_tier,
    }


def _limit(nanos: int | None, reset: str | None) -> str:
    if nanos is None:
        return "none"
    return f"{money(nanos)} {reset}" if reset else money(nanos)


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else format_usd(nanos)
