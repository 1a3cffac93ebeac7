"""`ultrai alerts`, and alerts at the end of runs: whole processes against the simulator."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.contract.money.command import surroundings, ultrai
from tests.contract.money.mailbox import Mailbox
from tests.contract.money.test_alert_sinks import Hook
from tests.contract.sim.talking import with_simulator

from ultrai import Settings
from ultrai import open as open_ultrai
from ultrai.assembly.books import Reconciliation
from ultrai_sim import Fault, World

MODEL = "openai/gpt-4o-mini"


def configured(tmp_path: Path, *sinks: str, limit: str = "0.0005") -> tuple[str, str]:
    """A settings file whose budget one short answer passes by more than 1 %; as arguments."""
    text = f"""
[alerts]
thresholds = [1]
[budgets.small]
limit_usd = {limit}
per = "month"
"""
    path = tmp_path / "alerts.toml"
    path.write_text(text + "".join(f"[[alerts.to]]\n{sink}\n" for sink in sinks))
    return "--config", str(path)


def ask(*config: str) -> tuple[str, ...]:
    return ("ask", *config, "-m", MODEL, "--max-tokens", "500", "hello", "--json")


def test_a_run_that_passes_a_threshold_tells_everybody_once(tmp_path: Path) -> None:
    hook, box, got = Hook(503, 503, 200), Mailbox(), tmp_path / "got.jsonl"

    async def story(sim):
        async with hook.open() as address, box.open():
            config = configured(
                tmp_path,
                f"webhook = '{address}'\nsecret = 'env:HOOK_SECRET'",
                f"email = 'ops@example.org'\nsmtp = 'smtp://127.0.0.1:{box.port}'",
                f"command = ['sh', '-c', 'cat >> {got}']",
            )
            environment = {"HOOK_SECRET": "sesame"}
            asked = [await ultrai(sim, tmp_path, *ask(*config), **environment) for _ in range(3)]
            # Whoever was faster, the webhook has it in the end.
            listed = await ultrai(sim, tmp_path, "alerts", *config, "--json", **environment)
            return asked, listed

    asked, listed = with_simulator(World(), story)
    assert [code for code, _, _ in asked] == [0, 0, 0], asked
    assert "alert: budget small has spent" in asked[0][2]
    assert not any("alert:" in error for _, _, error in asked[1:])
    told = json.loads(got.read_text())
    assert (told["kind"], told["subject"], told["facts"]["limit_usd"]) == (
        "budget",
        "small",
        "0.0005",
    )
    assert [mail["Message-ID"] for mail in box.mails] == [f"<{told['id']}@ultrai>"]
    assert {headers["webhook-id"] for headers, _ in hook.requests} == {told["id"]}
    assert len(hook.requests) == 3
    shown = json.loads(listed[1])
    assert shown["waiting"] == []
    assert [each["subject"] for each in shown["watched"] if each["active"]] == ["small"]


def test_a_webhook_that_never_answers_neither_fails_nor_holds_up_a_run(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def story(sim):
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        config = configured(tmp_path, f"webhook = 'http://127.0.0.1:{port}/x?token=canary'")
        began = time.monotonic()
        asked = await ultrai(sim, tmp_path, *ask(*config))
        took_s = time.monotonic() - began
        again = await ultrai(sim, tmp_path, *ask(*config))
        listed = await ultrai(sim, tmp_path, "alerts", "list", *config, "--json")
        server.close()
        return asked, took_s, again, listed

    asked, took_s, again, listed = with_simulator(World(), story)
    report = json.loads(asked[1])
    assert (asked[0], report["status"], again[0]) == (0, "complete", 0)
    assert report["elapsed_ms"] < 2_000
    assert took_s < 30, "it waits three seconds, not for ever"
    (waiting,) = json.loads(listed[1])["waiting"]
    assert waiting["tries"] == 1, "the second run left it alone: its time has not come"
    assert "canary" not in "".join([*asked[1:], *again[1:], *listed[1:]])


def test_the_test_says_whom_it_reached(tmp_path: Path) -> None:
    hook = Hook(200)

    async def story(sim):
        async with hook.open() as address:
            config = configured(tmp_path, f"webhook = '{address}'", "command = ['/nowhere/to/go']")
            table = await ultrai(sim, tmp_path, "alerts", "test", *config)
            rows = await ultrai(sim, tmp_path, "alerts", "test", *config, "--json")
            return table, rows

    table, rows = with_simulator(World(), story)
    assert (table[0], rows[0]) == (4, 4)
    assert "webhook-1  webhook  arrived" in table[1]
    assert "cannot be started" in table[1]
    assert "alert: this is a test" in table[2]
    found = {each["sink"]: each["arrived"] for each in json.loads(rows[1])["deliveries"]}
    assert found == {"log": True, "webhook-1": True, "command-2": False}
    assert [json.loads(body)["kind"] for _, body in hook.requests] == ["test", "test"]


@pytest.mark.parametrize("command", ["list", "test"])
def test_without_the_table_there_is_one_clear_line(tmp_path: Path, command: str) -> None:
    async def story(sim):
        return await ultrai(sim, tmp_path, "alerts", command)

    code, out, error = with_simulator(World(), story)
    assert (code, out) == (2, "")
    assert error.startswith("error: alerts are off: nothing is watched and nobody is told — write")
    assert "[alerts] in ultrai.toml; below it, [[alerts.to]] with a webhook, email or" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("table", "code", "told"),
    [("", 0, "only the log is told: standard error"), ("log = false", 4, "nobody is told")],
)
def test_a_table_without_receivers_says_what_is_on_and_what_names_one(
    tmp_path: Path, table: str, code: int, told: str
) -> None:
    path = tmp_path / "ultrai.toml"
    path.write_text(f"[alerts]\n{table}\n")
    config = ("--config", str(path))

    async def story(sim):
        listed = await ultrai(sim, tmp_path, "alerts", *config)
        tested = await ultrai(sim, tmp_path, "alerts", "test", *config)
        rules = await ultrai(sim, tmp_path, "alerts", "list", "--json", *config)
        return listed, tested, rules

    listed, tested, rules = with_simulator(World(), story)
    assert (listed[0], tested[0]) == (0, code)
    for out in (listed[1], tested[1]):
        assert told in out
        assert "[[alerts.to]] with a webhook, email or command" in out
    assert "on   budget_refused, budget_closed; budget and key_limit at 50, 80, 100 %" in listed[1]
    assert json.loads(rules[1])["rules"]["unknown_usd"] == "1"


def test_a_run_that_a_budget_refuses_is_told_once_a_day(tmp_path: Path) -> None:
    got = tmp_path / "got.jsonl"

    async def story(sim):
        config = configured(tmp_path, f"command = ['sh', '-c', 'cat >> {got}']", limit="0.00001")
        refused = [await ultrai(sim, tmp_path, *ask(*config)) for _ in range(2)]
        capped = await ultrai(sim, tmp_path, *ask(*config), "--max-cost", "0.000001")
        return refused, capped

    refused, capped = with_simulator(World(), story)
    assert [code for code, _, _ in refused] == [5, 5]
    assert capped[0] == 5
    assert "alert: a run was refused: this run may cost" in refused[0][2]
    assert "alert" not in refused[1][2] + capped[2]
    told = json.loads(got.read_text())
    assert (told["kind"], told["subject"]) == ("budget_refused", "small")


def test_reconciling_looks_too(tmp_path: Path) -> None:
    """The budget is passed while nobody watches; the next reconcile tells."""

    async def story(sim):
        quiet = tmp_path / "quiet.toml"
        quiet.write_text('[budgets.small]\nlimit_usd = 0.0005\nper = "month"\n')
        asked = await ultrai(sim, tmp_path, *ask("--config", str(quiet)))
        told = await ultrai(sim, tmp_path, "reconcile", *configured(tmp_path))
        return asked, told

    asked, told = with_simulator(World(), story)
    assert (asked[0], told[0]) == (0, 0)
    assert "alert" not in asked[2]
    assert "alert: budget small has spent" in told[2]


def test_watching_tells_while_it_watches(tmp_path: Path) -> None:
    """A cost stays open for an hour; the alert does not wait for it."""
    world = World(faults=[Fault(kind="cut", after=3, attempts=1)], generation_lag_s=3600)

    async def story(sim):
        quiet = tmp_path / "quiet.toml"
        quiet.write_text('[budgets.small]\nlimit_usd = 0.0005\nper = "month"\n')
        await ultrai(sim, tmp_path, *ask("--config", str(quiet)))
        command = ("reconcile", "--watch", *configured(tmp_path))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ultrai.cli", *command),
            env=surroundings(sim, tmp_path),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        line = (await process.stderr.readline()).decode()
        is_watching = process.returncode is None
        process.kill()
        await process.wait()
        return line, is_watching

    line, is_watching = with_simulator(world, story)
    assert line.startswith("alert: budget small has spent")
    assert is_watching


def test_reconciling_looks_before_it_asks(tmp_path: Path) -> None:
    """What the upstream says may be minutes away."""
    seen: list[str] = []

    class Asking:
        async def until_done(self):
            seen.append("asked")
            for finding in ():
                yield finding

    class Watching:
        def wake(self) -> None:
            seen.append("looked")

    async def reconcile() -> None:
        async with open_ultrai(Settings(home=tmp_path)) as u:
            run = Reconciliation(await u.books(), Asking(), Watching()).run(watch=True)
            assert [each async for each in run] == []

    asyncio.run(reconcile())
    assert seen == ["looked", "asked", "looked"]
