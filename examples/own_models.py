"""Ask models of your own choice, each with the backups that you want for it."""

from __future__ import annotations

import asyncio

import ultrai

BACKUPS = {
    "openai/gpt-4o": ["openai/gpt-4.1", "deepseek/deepseek-v3.2"],
    "mistralai/mistral-large": ["meta-llama/llama-3.3-70b-instruct"],
}


async def main() -> None:
    """A model without an entry in BACKUPS has none: when it fails, its slot stays empty."""
    async with ultrai.open() as u:
        report = await u.ask(
            "Name one advantage of a second opinion.",
            models=["openai/gpt-4o", "mistralai/mistral-large", "google/gemini-2.5-flash"],
            backups=BACKUPS,
            system="Answer in one sentence.",
            deadline_s=60,
        )
    for slot in report.slots:
        tried = ", ".join(attempt.model for attempt in slot.attempts)
        print(f"{slot.primary} -> {slot.answered_by or 'nobody'} (asked: {tried})")


if __name__ == "__main__":
    asyncio.run(main())
