"""Keys that are rotated while they are used: no request fails, and nothing is restarted."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.contract.money.rotation import rotate_under_load
from tests.contract.sim.talking import with_simulator

import ultrai
from ultrai.domain.outcome import FailureKind
from ultrai.settings.load import load
from ultrai_sim import World

MODEL = "openai/gpt-4o-mini"
MORE = "anthropic/claude-3.7-sonnet"


def test_a_rotation_under_load_fails_no_request(tmp_path: Path) -> None:
    """The old key is refused at once, without the grace in which the new one would be noticed."""
    outcome = asyncio.run(rotate_under_load(tmp_path, rotations=1, grace_s=0.0))
    assert outcome.problems == []
    assert outcome.failures.total() == 0
    assert (outcome.retired, outcome.keys_used) == (1, 2)
    assert outcome.asked > 20


def opened(sim, home: Path, reference: str) -> ultrai.UltrAI:
    environ = {
        "HOME": str(home),
        "ULTRAI_HOME": str(home / "state"),
        "OPENROUTER_BASE_URL": sim.base_url,
        "OPENROUTER_API_KEY": reference,
    }
    return ultrai.open(load(environ=environ, cwd=home))


def kept(home: Path, key: str) -> Path:
    place = home / "key"
    place.write_text(key)
    place.chmod(0o600)
    return place


def test_many_refused_requests_read_the_file_anew_and_are_made_once_more(tmp_path: Path) -> None:
    world = World()

    async def story(sim):
        place = kept(tmp_path, "sk-or-v1-of-yesterday-0123456789")
        async with opened(sim, tmp_path, f"file:{place}") as product:
            await product.catalog()
            kept(tmp_path, sim.api_key)
            return await product.ask("hello", models=[MODEL, MORE])

    report = with_simulator(world, story)
    assert [len(slot.attempts) for slot in report.slots] == [1, 1]
    assert all(slot.answer is not None for slot in report.slots)
    # Whoever asks after the first refusal was dealt with has the new key from the start.
    statuses = sorted(seen.status for seen in world.chats())
    assert statuses in ([200, 200, 401], [200, 200, 401, 401])


def test_a_key_that_was_not_replaced_is_refused_once(tmp_path: Path) -> None:
    world = World()

    async def story(sim):
        place = kept(tmp_path, "sk-or-v1-of-yesterday-0123456789")
        async with opened(sim, tmp_path, f"file:{place}") as product:
            return await product.ask("hello", models=[MODEL])

    report = with_simulator(world, story)
    (attempt,) = report.slots[0].attempts
    assert attempt.failure is not None
    assert attempt.failure.kind is FailureKind.AUTH
    assert [seen.status for seen in world.chats()] == [401]


def test_the_account_is_looked_up_with_the_new_key_too(tmp_path: Path) -> None:
    async def story(sim):
        place = kept(tmp_path, "sk-or-v1-of-yesterday-0123456789")
        async with opened(sim, tmp_path, f"file:{place}") as product:
            await product.catalog()
            kept(tmp_path, sim.api_key)
            return await product.account()

    assert with_simulator(World(), story).usage_nanos == 0
