"""The upstream's keys: made, limited, rotated and taken away, against the simulator over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.contract.money.command import ROOT, ultrai
from tests.contract.sim.talking import with_simulator

from ultrai_sim import World


def test_a_key_from_its_making_to_its_end(tmp_path: Path) -> None:
    async def story(sim):
        code, value, _ = await ultrai(
            sim, tmp_path, "keys", "create", "worker", "--limit", "5", "--reset", "monthly"
        )
        assert code == 0
        assert value.startswith("sk-or-v1-")
        limited = await ultrai(sim, tmp_path, "keys", "limit", "worker", "7.5", "--json")
        off = await ultrai(sim, tmp_path, "keys", "disable", "worker", "--json")
        on = await ultrai(sim, tmp_path, "keys", "enable", "worker", "--json")
        listed = await ultrai(sim, tmp_path, "keys", "list", "--json")
        gone = await ultrai(sim, tmp_path, "keys", "delete", "worker", "--yes", "--json")
        return limited, off, on, listed, gone

    limited, off, on, listed, gone = with_simulator(World(), story)
    (row,) = json.loads(limited[1])["keys"]
    assert (row["limit_usd"], row["reset"], row["disabled"]) == ("7.5", "monthly", False)
    assert json.loads(off[1])["keys"][0]["disabled"]
    assert not json.loads(on[1])["keys"][0]["disabled"]
    assert [each["name"] for each in json.loads(listed[1])["keys"]][-1] == "worker"
    assert json.loads(gone[1])["name"] == "worker"


def test_a_rotation_hands_the_new_key_over_and_disables_the_old(tmp_path: Path) -> None:
    place = tmp_path / "key"
    world = World()

    async def story(sim):
        await ultrai(sim, tmp_path, "keys", "create", "worker", "--limit", "5")
        done = await ultrai(
            sim, tmp_path, "keys", "rotate", "worker", "--to-file", str(place), "--grace", "0"
        )
        asked = await ultrai(
            sim,
            tmp_path,
            "ask",
            "-m",
            "openai/gpt-4o-mini",
            "hello",
            OPENROUTER_API_KEY=f"file:{place}",
        )
        return done, asked

    done, asked = with_simulator(world, story)
    assert done[0] == 0
    assert "is disabled" in done[2]
    assert "sk-or-" not in done[1] + done[2], "it is in the file, and nowhere else"
    assert place.stat().st_mode & 0o777 == 0o600
    assert asked[0] == 0
    named = [key for key in world.money.keys.values() if key.name == "worker"]
    assert [key.disabled for key in named] == [True, False]
    assert named[1].limit == named[0].limit


def test_the_management_key_may_be_kept_elsewhere_and_stops_only_what_needs_it(
    tmp_path: Path,
) -> None:
    place = tmp_path / "manager"

    async def story(sim):
        reference = {"OPENROUTER_MANAGEMENT_KEY": "keyring:openrouter/manager"}
        ring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", **reference}
        asked = await ultrai(sim, tmp_path, "ask", "-m", "openai/gpt-4o-mini", "hello", **ring)
        away = await ultrai(sim, tmp_path, "keys", "list", **ring)
        place.write_text(sim.world.management_key)
        place.chmod(0o600)
        kept = {"OPENROUTER_MANAGEMENT_KEY": f"file:{place}"}
        return asked, away, await ultrai(sim, tmp_path, "keys", "list", "--json", **kept)

    asked, away, listed = with_simulator(World(), story)
    assert asked[0] == 0, "nobody opens the keyring for a question"
    assert away[0] == 6
    assert "OPENROUTER_MANAGEMENT_KEY: the keyring cannot be read: NoKeyringError" in away[2]
    assert away[2].count("\n") == 1
    assert json.loads(listed[1])["keys"]


def test_what_the_key_in_use_may_do(tmp_path: Path) -> None:
    async def story(sim):
        return await ultrai(sim, tmp_path, "keys", "check", "--json")

    code, out, _ = with_simulator(World(), story)
    assert code == 0
    assert json.loads(out)["usage_usd"] == "0"


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "told"),
    [
        (("keys", "list"), {"OPENROUTER_MANAGEMENT_KEY": ""}, 6, "no management key is set"),
        (("keys", "list"), {"OPENROUTER_MANAGEMENT_KEY": "sk-or-v1-nobody"}, 6, "error:"),
        (("keys", "disable", "nobody"), {}, 2, "there is no key 'nobody'"),
        (("keys", "delete", "nobody"), {}, 2, "give --yes"),
        (("keys", "create", "x", "--limit", "much"), {}, 2, "not an amount"),
        (("keys", "create", "x", "--reset", "hourly"), {}, 2, "--reset"),
        (("keys", "create", " "), {}, 2, "a key needs a name"),
        (("keys", "create", "x", "--expires", "tomorrow"), {}, 2, "such as 2027-12-31T23:59:59Z"),
        (("keys", "create", "x", "--expires", "2027-12-31"), {}, 2, "the time and its zone"),
        (("keys", "create", "x", "--expires", "2026-01-01T00:00:00Z"), {}, 2, "is past"),
        (("keys", "create", "x", "--to-file", "no/such/key"), {}, 2, "no directory no/such"),
        (("keys", "rotate", "x", "--to-file", "no/such/key"), {}, 2, "no directory no/such"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, arguments: Sequence[str], environment: dict[str, str], code: int, told: str
) -> None:
    async def story(sim):
        return await ultrai(sim, tmp_path, *arguments, **environment)

    found, out, error = with_simulator(World(), story)
    assert (found, out) == (code, "")
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_rotation_shows_the_new_key_while_the_old_one_still_works(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    async def story(sim):
        await ultrai(sim, tmp_path, "keys", "create", "worker")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("OPENROUTER")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ultrai.cli",
            *("keys", "rotate", "worker", "--grace", "30", *flags),
            env={
                **inherited,
                "PYTHONPATH": str(ROOT / "src"),
                "ULTRAI_HOME": str(tmp_path / "state"),
                "OPENROUTER_BASE_URL": sim.base_url,
                "OPENROUTER_API_KEY": sim.api_key,
                "OPENROUTER_MANAGEMENT_KEY": sim.world.management_key,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        shown = (await process.stdout.readline()).decode().strip()
        old = [key.disabled for key in sim.world.money.keys.values() if key.name == "worker"]
        process.kill()
        await process.wait()
        return shown, old

    shown, old = with_simulator(World(), story)
    assert (json.loads(shown)["key"] if flags else shown).startswith("sk-or-v1-")
    assert old == [False, False]


def test_a_new_key_that_cannot_be_put_anywhere_is_taken_back(tmp_path: Path) -> None:
    place = tmp_path / "key"
    (tmp_path / ".key.new").mkdir()  # where it is written first
    world = World()

    async def story(sim):
        await ultrai(sim, tmp_path, "keys", "create", "worker")
        return await ultrai(sim, tmp_path, "keys", "rotate", "worker", "--to-file", str(place))

    code, out, error = with_simulator(world, story)
    assert code == 4
    assert out == ""
    assert "the new key was taken back, and the old one still works" in error
    named = [key for key in world.money.keys.values() if key.name == "worker"]
    assert [key.disabled for key in named] == [False]


def test_the_successor_of_a_key_that_expires_lasts_as_long(tmp_path: Path) -> None:
    world = World()
    expires = (datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def story(sim):
        await ultrai(sim, tmp_path, "keys", "create", "worker", "--expires", expires)
        world.advance(80 * 86_400)
        await ultrai(sim, tmp_path, "keys", "rotate", "worker", "--grace", "0")
        listed = await ultrai(sim, tmp_path, "keys", "list", "--json")
        return [key for key in json.loads(listed[1])["keys"] if key["name"] == "worker"]

    old, new = with_simulator(world, story)
    assert old["disabled"]
    assert new["expires_at"] >= old["expires_at"]


def test_what_cannot_be_is_not_sent_and_no_directory_is_made(tmp_path: Path) -> None:
    world = World()

    async def story(sim):
        made = len(world.money.keys)
        place = str(tmp_path / "no" / "such" / "key")
        await ultrai(sim, tmp_path, "keys", "create", "x", "--to-file", place)
        await ultrai(sim, tmp_path, "keys", "create", "x", "--expires", "2020-01-01T00:00:00Z")
        return len(world.money.keys) - made

    assert with_simulator(world, story) == 0
    assert not (tmp_path / "no").exists()


def test_a_second_key_of_a_name_is_made_with_a_warning_and_ends_in_utc(tmp_path: Path) -> None:
    async def story(sim):
        first = await ultrai(sim, tmp_path, "keys", "create", "worker")
        ends = ("--expires", "2099-12-31T23:59:59+01:00")
        return first, await ultrai(sim, tmp_path, "keys", "create", "worker", "--json", *ends)

    first, second = with_simulator(World(), story)
    assert (first[0], second[0]) == (0, 0)
    assert "another key" not in first[2]
    assert "note: another key is called 'worker' already (" in second[2]
    assert json.loads(second[1])["expires_at"].startswith("2099-12-31T22:59:59")


def test_a_key_that_asks_models_is_told_from_a_management_key(tmp_path: Path) -> None:
    async def story(sim):
        wrong = {"OPENROUTER_MANAGEMENT_KEY": sim.api_key}
        listed = await ultrai(sim, tmp_path, "keys", "list", **wrong)
        return listed, await ultrai(sim, tmp_path, "keys", "create", "x", **wrong)

    for code, out, error in with_simulator(World(), story):
        assert (code, out) == (6, "")
        assert "OPENROUTER_MANAGEMENT_KEY (or management_key in the settings) must hold" in error
        assert "renew" not in error
        assert error.count("\n") == 1


def test_what_the_upstream_finds_wrong_is_not_to_be_tried_later(tmp_path: Path) -> None:
    """Something that only the upstream knows to be wrong."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({"data": []})
        message = "limit: the workspace allows no more"
        return web.json_response({"error": {"code": 400, "message": message}}, status=400)

    async def story(sim):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        async with TestServer(app) as server:
            address = {"OPENROUTER_BASE_URL": str(server.make_url("/api/v1"))}
            return await ultrai(sim, tmp_path, "keys", "create", "worker", **address)

    code, out, error = with_simulator(World(), story)
    assert (code, out) == (2, "")
    assert "the workspace allows no more — change what the message names" in error
    assert error.count("\n") == 1
