"""Many questions, a few at a time, in one process: connections and rate limits are shared."""

from __future__ import annotations

import asyncio

import ultrai

QUESTIONS = [f"What is {number} squared?" for number in range(2, 8)]
AT_ONCE = 3


async def main() -> None:
    """`concurrency` in the settings bounds requests; this semaphore bounds questions."""
    room = asyncio.Semaphore(AT_ONCE)
    async with ultrai.open() as u, asyncio.TaskGroup() as group:

        async def answer(question: str) -> ultrai.Report:
            async with room:
                return await u.ask(question, models=["openai/gpt-4o-mini"], max_tokens=50)

        tasks = [group.create_task(answer(question)) for question in QUESTIONS]
    for question, task in zip(QUESTIONS, tasks, strict=True):
        report = task.result()
        print(f"{question} {report.answers[0].text[:40] if report.answers else report.status}")


if __name__ == "__main__":
    asyncio.run(main())
