"""Follow a run while it happens: text as it comes, failures, and what has to be withdrawn."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict

import ultrai


async def main() -> int:
    """Print each event in a line; keep the text of each attempt until it is final or withdrawn."""
    drafts: defaultdict[tuple[int, int], str] = defaultdict(str)
    report: ultrai.Report | None = None
    async with ultrai.open() as u:
        events = u.stream("Explain tides in simple terms.", cocktail="SPEEDY", max_tokens=200)
        async for event in events:
            attempt = (event.slot or 0, event.attempt or 0)
            match event.type:
                case "text_delta":
                    drafts[attempt] += event.text or ""
                case "attempt_failed":
                    assert event.failure is not None
                    print(f"[{attempt[0]}] {event.facts['model']}: {event.failure.message}")
                case "attempt_withdrawn":
                    print(f"[{attempt[0]}] withdrawn: {drafts.pop(attempt)!r}")
                case "slot_answered":
                    print(f"[{attempt[0]}] {event.facts['answered_by']}: {drafts.pop(attempt)!r}")
                case "notice":
                    assert event.notice is not None
                    print(f"note: {event.notice.message}")
                case "report":
                    report = event.report
    assert report is not None, "the last event carries the Report"
    print(report.status)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
