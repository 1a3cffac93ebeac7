"""Look at the price first, then ask under a hard cap; a cap that is too low is refused unsent."""

from __future__ import annotations

import asyncio

import ultrai
from ultrai.domain.ask import Ask
from ultrai.domain.errors import BudgetRefusal
from ultrai.domain.money import format_usd
from ultrai.domain.query import Message

PROMPT = "What is a prime number?"


async def main() -> None:
    """Amounts are integers in nanodollars inside, and text at the border; never floats."""
    async with ultrai.open() as u:
        plan = await u.plan(Ask(messages=(Message("user", PROMPT),), cocktail="BUDGET"))
        highest = plan.cost_nanos.high
        assert highest is not None, "a price is unknown: no cap can be given"
        print(f"highest price, one attempt for each slot: ${format_usd(highest)}")

        try:
            await u.ask(PROMPT, cocktail="BUDGET", max_cost_usd="0.000001")
        except BudgetRefusal as refusal:
            print(f"refused: {refusal}")

        report = await u.ask(PROMPT, cocktail="BUDGET", max_cost_usd=format_usd(highest))
        print(f"{report.status} for ${report.to_dict()['cost_usd']}")


if __name__ == "__main__":
    asyncio.run(main())
