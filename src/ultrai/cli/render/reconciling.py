"""What reconciling found, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping

from ultrai.cli.render.phrases import count, money
from ultrai.cli.render.safety import one_line
from ultrai.domain.money import format_usd
from ultrai.engine.reconciling import Finding, Reconciled


def finding_line(each: Reconciled) -> str:
    """One Attempt and what is known of its cost now."""
    attempt = each.attempt
    where = f"{attempt.place.run_id} slot {attempt.place.slot + 1} attempt {attempt.place.attempt}"
    who = one_line(attempt.model)
    if each.finding is Finding.RECONCILED:
        held = money(attempt.posted_nanos)
        return f"✓ {where}: {who} cost {money(each.cost_nanos)}, counted as {held} so far"
    reason = one_line(each.reason)
    if each.finding is Finding.NOT_YET:
        return f"◌ {where}: {who}, not known yet: {reason}"
    return f"✗ {where}: {who} stays unknown, at most {money(attempt.posted_nanos)}: {reason}"


def finding_to_dict(each: Reconciled) -> dict[str, object]:
    """JSON types; money is a decimal string in USD, null where it is not known."""
    attempt = each.attempt
    return {
        "run_id": attempt.place.run_id,
        "slot": attempt.place.slot,
        "attempt": attempt.place.attempt,
        "model": attempt.model,
        "generation_id": attempt.generation_id,
        "finding": each.finding.value,
        "cost_usd": None if each.cost_nanos is None else format_usd(each.cost_nanos),
        "cost_usd_at_most": format_usd(attempt.posted_nanos),
        "reason": each.reason or None,
    }


def verdict_lines(
    counts: Mapping[Finding, int], lasting: tuple[int, int], *, watch: bool
) -> list[str]:
    """How it stands, what can be done, and what stays unknown for good: how many, and how much."""
    parts = [
        f"{counts[finding]} {words}"
        for finding, words in (
            (Finding.RECONCILED, "reconciled"),
            (Finding.NOT_YET, "not known yet"),
            (Finding.UNKNOWN_BILLED, "unknown for good"),
        )
        if counts.get(finding)
    ]
    again = "; 'ultrai reconcile --watch' goes on asking"
    found = ", ".join(parts) + (again if counts.get(Finding.NOT_YET) and not watch else "")
    lines = [found or "nothing is left to ask for"]
    number, most_nanos = lasting
    if number:
        stay = "stays" if number == 1 else "stay"
        lines.append(
            f"in all, {count(number, 'attempt')} {stay} unknown for good, at most "
            f"{money(most_nanos)}: counted at that, in budgets too, and asking again is no use"
        )
    return lines
