"""What the library refuses before anything is opened or sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import ultrai
from ultrai.domain.errors import UsageError


def asked(tmp_path: Path, prompt: Any = "hi", **options: Any) -> None:
    async def main() -> None:
        async with ultrai.open(ultrai.Settings(home=tmp_path)) as u:
            await u.ask(prompt, **options)

    asyncio.run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"max_tokens": 1.5},
        {"max_tokens": "5"},
        {"max_tokens": True},
        {"max_tokens": 0},
        {"deadline_s": "3"},
        {"deadline_s": 0},
        {"temperature": "x"},
        {"temperature": 3},
        {"seed": "x"},
        {"quorum": 1.5},
        {"cocktail": 5},
        {"models": [5]},
        {"max_cost_usd": 0.1},
        {"max_cost_usd": "ten"},
        {"models": ["a/b"], "backups": {"a/b": "c/d"}},
        {"cocktail": "PREMIUM", "backups": {"a/b": ["c/d"]}},
        {"cocktail": "PREMIUM", "models": ["a/b"]},
        {"cocktail": "PREMIUMM"},
        {"synthesis": "fuse"},
        {"prompt": ""},
        {"prompt": "  "},
        {"prompt": None},
        {"prompt": [{"role": "user", "content": "hi"}]},
        {"prompt": "caf\udce9"},
        {"system": "\udce9"},
    ],
)
def test_a_call_that_makes_no_sense_is_a_usage_error(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        asked(tmp_path, **options)


def test_an_ultrai_that_was_closed_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        u = ultrai.open(ultrai.Settings(home=tmp_path))
        async with u:
            await u.runs()
        with pytest.raises(UsageError, match="closed"):
            await u.ask("hi")
        with pytest.raises(UsageError, match="closed"):
            await u.runs()

    asyncio.run(main())
