"""The command line as a process: exit codes, kill -9, Ctrl-C, and taking a run up again."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.contract.product.asking import A, B, C, codes_of, settings_for
from tests.contract.product.command import Ended, command, end, interrupt, start, until
from tests.contract.product.shape import check_events
from tests.contract.product.upstream import (
    KEY,
    Act,
    Upstream,
    ending,
    frame,
    refusal,
    running,
    says,
    streamed,
)

import ultrai

ASK = ("ask", "ping", "--no-cache", "--json")
THREE = ("-m", A, "-m", B, "-m", C)


def upstream_of(**plays):
    upstream = Upstream({{"a": A, "b": B, "c": C}[name]: [play] for name, play in plays.items()})
    upstream.listed(A, B, C)
    return upstream


def commanded(upstream, *arguments, **rest):
    async def run():
        async with running(upstream):
            return await command(upstream, *arguments, **rest)

    return asyncio.run(run())


def waiting():
    """A model that begins to speak and then says nothing for a minute."""
    return streamed(frame("beginning"), 60.0, frame(" late"), *ending())


ENDS = {
    "one unanswered": ({"b": refusal(404, "No endpoints found")}, (), 3, "degraded"),
    "none answered": (dict.fromkeys("abc", refusal(502)), (), 4, "failed"),
    "nobody takes the request": (dict.fromkeys("abc", refusal(422, "what")), (), 2, "failed"),
    "key refused": (dict.fromkeys("abc", refusal(401, "User not found.")), (), 6, "failed"),
    "no credit": ({"a": refusal(402, "Insufficient credits")}, (), 6, None),
    "quorum reached": ({"b": waiting()}, ("--quorum", "2"), 0, "complete"),
    "quorum missed": ({"b": refusal(404, "gone")}, ("--quorum", "3"), 3, "degraded"),
    "deadline": ({"b": waiting()}, ("--deadline", "1"), 3, "degraded"),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_exit_code_and_the_report_say_how_it_ended(name):
    plays, flags, code, status = ENDS[name]
    ended = commanded(upstream_of(**plays), *ASK, *THREE, *flags)
    assert ended.code == code
    report = ended.json
    if status is not None:
        assert report["status"] == status
    assert "\x1b" not in ended.out + ended.err
    if flags[:1] == ("--quorum",):
        assert ("quorum_reached" in codes_of(report)) == (code == 0)
        assert ("quorum_missed" in codes_of(report)) == (code != 0)
    if name == "quorum reached":
        assert [slot["state"] for slot in report["slots"]] == ["answered", "cancelled", "answered"]
    if name == "deadline":
        assert report["slots"][1]["failure"]["kind"] == "deadline"


def test_every_failure_is_named_on_standard_error_with_advice_and_no_traceback():
    upstream = upstream_of(a=refusal(400, "top_p is odd"), b=refusal(404, "No endpoints found"))
    ended = commanded(upstream, "ask", "ping", *THREE)
    assert ended.code == 3
    assert "top_p is odd" in ended.err
    assert "No endpoints found" in ended.err
    assert "pong" in ended.out
    assert "top_p" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "says_so"),
    [
        (("-m", "acme/modle-a"), A),
        (("-m", A, "-c", "SPEEDY"), "exclude"),
        (("-c", "SPEDY"), "SPEEDY"),
        (("-m", A, "--synthesis", "fuse"), "not available yet"),
        (("-m", A, "--flavour", "x"), "flavour"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_usage_is_one_line_and_exit_2_and_nothing_is_sent(arguments, says_so):
    upstream = upstream_of()
    ended = commanded(upstream, "ask", "ping", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.strip().splitlines()) == 1
    assert says_so in ended.err
    assert upstream.calls == []


def test_a_cap_that_is_too_low_is_exit_5_and_names_the_sum():
    upstream = upstream_of()
    refused = commanded(upstream, *ASK, *THREE, "--max-cost", "0.0001")
    assert (refused.code, upstream.calls) == (5, [])
    needed = refused.err.partition("--max-cost ")[2].split(",")[0].split()[0]
    allowed = commanded(upstream, *ASK, *THREE, "--max-cost", needed)
    assert allowed.code == 0


def test_without_a_key_nothing_is_sent_to_openrouter():
    upstream = upstream_of()
    env = {"OPENROUTER_API_KEY": "file:/nowhere/at/all"}
    ended = commanded(upstream, *ASK, "-m", A, env=env)
    assert ended.code in {2, 6}
    assert (upstream.calls, len(ended.err.strip().splitlines())) == ([], 1)


def test_events_as_lines_are_gapless_and_end_with_the_report():
    upstream = upstream_of(b=streamed(frame("Hel"), 0.05, Act.RESET))
    ended = commanded(upstream, "ask", "ping", "--jsonl", *THREE)
    events = [json.loads(line) for line in ended.out.splitlines()]
    check_events(events)
    types = [event["type"] for event in events]
    assert types[0] == "run_started"
    assert {"planned", "slot_started", "attempt_withdrawn", "first_token"} <= set(types)
    texts = [e["text"] for e in events if e["type"] == "text_delta" and e["slot"] == 0]
    assert "".join(texts) == "pong"
    assert events[-1]["status"] == "degraded"
    assert [slot["state"] for slot in events[-1]["slots"]] == ["answered", "failed", "answered"]


def test_kill_9_in_mid_run_loses_no_answer_and_the_run_can_be_taken_up():
    upstream = upstream_of(c=waiting())
    upstream.plays[A] = [says("first")]
    upstream.plays[B] = [says("second")]

    async def run():
        async with running(upstream):
            process = await start(upstream, "ask", "ping", "--jsonl", *THREE)
            await _answers_of(process, 2)
            process.kill()
            await process.wait()
            history = (await command(upstream, "history", "--json")).json["runs"]
            run_id = history[0]["id"]
            killed = (await command(upstream, "show", run_id, "--json")).json
            upstream.calls.clear()
            upstream.plays[C] = [says("third")]
            resumed = await command(upstream, "ask", "--resume", run_id, "--json")
        return history, killed, resumed

    history, killed, resumed = asyncio.run(run())
    assert history[0].keys() >= {"id", "created_at", "status", "cocktail", "cost_usd", "prompt"}
    assert (history[0]["status"], history[0]["prompt"]) == ("interrupted", "ping")
    assert killed["status"] == "interrupted"
    assert [slot["state"] for slot in killed["slots"]] == ["answered", "answered", "cancelled"]
    assert [slot["answer"]["text"] for slot in killed["slots"][:2]] == ["first", "second"]
    assert killed["slots"][2]["answer"] is None
    assert killed["cost_known"] is False
    assert upstream.asked == {C: 1}
    assert resumed.code == 0
    assert [slot["primary"] for slot in resumed.json["slots"]] == [C]
    assert resumed.json["slots"][0]["answer"]["text"] == "third"
    assert "run_resumed" in codes_of(resumed.json) or resumed.json["resumed_from"]


async def _answers_of(process, count):
    """Read Events until so many slots were answered: only then it may be said to have arrived."""
    async with asyncio.timeout(30):
        while count:
            line = await process.stdout.readline()
            assert line, "the process has ended"
            count -= json.loads(line)["type"] == "slot_answered"


def test_an_answer_that_was_shown_is_on_the_disk_whenever_the_process_dies():
    """Killed at the very moment at which the answer is read from its output."""

    async def once(upstream, home):
        env = {"ULTRAI_HOME": str(home)}
        process = await start(upstream, "ask", "ping", "--jsonl", "-m", A, "-m", B, env=env)
        await _answers_of(process, 1)
        process.kill()
        await process.wait()
        async with ultrai.open(settings_for(upstream, home)) as product:
            (run,) = await product.runs()
            return (await product.report(run.id)).to_dict()

    async def run():
        upstream = upstream_of(b=waiting())
        async with running(upstream):
            homes = [Path(f"{os.environ['ULTRAI_HOME']}-{number}") for number in range(3)]
            return [await once(upstream, home) for home in homes]

    for report in asyncio.run(run()):
        assert report["status"] == "interrupted"
        assert report["slots"][0]["answer"]["text"] == "pong"
        assert report["slots"][1]["state"] == "cancelled"


def interrupted(times: int, *flags: str) -> tuple[Ended, dict[str, Any]]:
    """Ctrl-C so many times while B speaks; what it printed, and what was stored."""
    upstream = upstream_of(b=waiting())

    async def run():
        async with running(upstream):
            process = await start(upstream, "ask", "ping", *flags, *THREE)
            await until(lambda: len(upstream.calls) == 3)
            await asyncio.sleep(0.8)
            for _ in range(times):
                interrupt(process)
                await asyncio.sleep(0.2)
            ended = await end(process)
            home = Path(os.environ["ULTRAI_HOME"])
            async with ultrai.open(settings_for(upstream, home)) as product:
                (summary,) = await product.runs()
                return ended, (await product.report(summary.id)).to_dict()

    return asyncio.run(run())


def test_ctrl_c_once_goes_on_with_what_is_there():
    ended, stored = interrupted(1, "--json")
    assert ended.code == 3
    report = ended.json
    assert report["status"] == "degraded"
    assert [slot["state"] for slot in report["slots"]] == ["answered", "cancelled", "answered"]
    assert "stopped_waiting" in codes_of(report)
    assert report["slots"][1]["attempts"][0]["partial"]["text"] == "beginning"
    assert report["slots"][1]["attempts"][0]["cost_state"] == "estimated"
    assert stored == report


def test_ctrl_c_twice_prints_and_stores_what_arrived_and_exits_130():
    ended, stored = interrupted(2, "--json")
    assert ended.code == 130
    report = ended.json
    assert report["status"] == "interrupted"
    assert [slot["state"] for slot in report["slots"]] == ["answered", "cancelled", "answered"]
    assert stored == report


def test_ctrl_c_twice_prints_the_answers_as_text_too():
    ended, stored = interrupted(2)
    assert ended.code == 130
    assert ended.out.count("pong") == 2
    assert stored["status"] == "interrupted"


def test_ctrl_c_before_anything_was_sent_ends_it():
    async def run():
        upstream = upstream_of()
        upstream.listing = streamed(60.0)
        async with running(upstream):
            process = await start(upstream, *ASK, "-m", A)
            await until(lambda: upstream.lookups)
            interrupt(process)
            return await end(process), upstream

    ended, upstream = asyncio.run(run())
    assert (ended.code, upstream.calls) == (130, [])


def test_a_reader_that_leaves_is_no_bug():
    async def run():
        upstream = upstream_of(b=streamed(*[frame("word "), 0.01] * 100, *ending()))
        async with running(upstream):
            process = await start(upstream, "ask", "ping", "--jsonl", *THREE)
            await process.stdout.readline()
            process.stdout._transport.close()
            async with asyncio.timeout(30):
                err = await process.stderr.read()
                return await process.wait(), err.decode()

    code, err = asyncio.run(run())
    assert code != 70
    assert "Traceback" not in err
    assert KEY not in err
