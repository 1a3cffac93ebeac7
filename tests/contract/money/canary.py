"""Looks for a key in everything that the product shows or keeps, after it was read from a store."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import traceback
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.contract.sim.talking import with_simulator

import ultrai
from ultrai.domain.errors import UltraiError
from ultrai.settings.model import Settings
from ultrai_sim import KeyTerms, World

if TYPE_CHECKING:
    from ultrai_sim import Simulator

MODEL = "openai/gpt-4o-mini"


def traces_of(key: str, shown: Iterable[object]) -> list[str]:
    """What holds the key, or most of it, plain or in base64."""
    forms = (key, key[:-4], key[4:], base64.b64encode(key.encode()).decode()[:-4])
    return [text for text in map(str, shown) if any(form in text for form in forms)]


def said_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """All that was logged, with what a formatter for machines would add."""
    return [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]


def check_that_nothing_shows(
    settings: Settings, key: str, *, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ask with the key and be refused it, with every logger at its most talkative."""
    caplog.set_level(logging.DEBUG)
    world = World(keys=(KeyTerms(key),))

    async def story(sim: Simulator) -> list[object]:
        here = replace(settings, base_url=sim.base_url)
        async with ultrai.open(here, wire_log=shown.append) as product:
            events = [event async for event in product.stream("hello", models=[MODEL])]
            account = await product.account()
            world.money.keys[key].disabled = True
            refused = await product.ask("again", models=[MODEL])
            with pytest.raises(UltraiError) as caught:
                await product.account()
            return [
                *events,
                *(json.dumps(event.to_dict()) for event in events),
                json.dumps(refused.to_dict()),
                refused,
                account,
                *traceback.format_exception(caught.value),
                here,
                vars(product),
                *asyncio.all_tasks(),
            ]

    shown: list[object] = []
    shown += with_simulator(world, story)
    assert world.money.keys[key].last_used_at is not None, "it was used"
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    kept = [path.read_bytes().decode("latin-1") for path in files if path.suffix != ".secret"]
    assert traces_of(key, shown) == []
    assert traces_of(key, kept) == []
    assert caplog.records
    assert traces_of(key, said_in(caplog)) == []
