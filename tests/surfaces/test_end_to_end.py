"""`ultrai` as a process against the simulator over TCP: output, exit codes, signals, pipes."""

from __future__ import annotations

import json
import signal
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.surfaces.conftest import PATIENCE_S, Shell

Upstream = Callable[[str, Path], Shell]
TWO = ("-m", "openai/gpt-4o", "-m", "mistralai/mistral-large")

CALM = """
seed = 1
[says]
"openai/gpt-4o" = "Forty-two."
"mistralai/mistral-large" = "Perhaps \\u001b[31mred\\u001b[0m."
"""
ONE_DEAD = CALM + '[[faults]]\nkind = "status"\nmodel = "openai/gpt-4o"\nstatus = 403\n'
ALL_DEAD = '[[faults]]\nkind = "status"\nmodel = "*"\nstatus = 404\n'
HANGING = CALM + '[[faults]]\nkind = "stall_mid_text"\nmodel = "openai/gpt-4o"\nafter = 1\n'
ALL_HANGING = '[[faults]]\nkind = "stall_mid_text"\nmodel = "*"\nafter = 2\n'
KEY_REFUSED = '[[faults]]\nkind = "echo_key"\nmodel = "*"\nstatus = 401\n'


def test_answers_go_to_standard_output_and_nothing_else_does(
    upstream: Upstream, tmp_path: Path
) -> None:
    ended = upstream(CALM, tmp_path).run("ask", "What?", *TWO)
    assert ended.code == 0
    assert (
        ended.out
        == "## openai/gpt-4o\n\nForty-two.\n\n## mistralai/mistral-large\n\nPerhaps red.\n"
    )
    assert "complete: 2 of 2 answered" in ended.err
    assert "\x1b" not in ended.out + ended.err


def test_the_prompt_comes_from_standard_input_and_files_are_context(
    upstream: Upstream, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("Use ``` with care.\n", encoding="utf-8")
    ended = upstream(CALM, tmp_path).run(
        "ask", "-", "-m", "openai/gpt-4o", "-s", "Be brief.", "-f", str(notes), "--json",
        stdin=b"What does it say?\n",
    )  # fmt: skip
    report = json.loads(ended.out)
    assert report["query"]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What does it say?"},
    ]
    (document,) = report["query"]["documents"]
    assert (document["name"], document["characters"]) == ("notes.md", 19)
    assert report["slots"][0]["fit"]["mode"] == "whole"


def test_a_dead_model_leaves_the_run_degraded(upstream: Upstream, tmp_path: Path) -> None:
    ended = upstream(ONE_DEAD, tmp_path).run("ask", "What?", *TWO, "--json")
    assert ended.code == 3
    report = json.loads(ended.out)
    assert [slot["state"] for slot in report["slots"]] == ["failed", "answered"]
    line = ended.err.strip()
    assert line.startswith("[1] openai/gpt-4o failed")
    assert line.endswith(report["slots"][0]["attempts"][-1]["failure"]["advice"])


def test_no_answer_at_all_is_exit_4(upstream: Upstream, tmp_path: Path) -> None:
    ended = upstream(ALL_DEAD, tmp_path).run("ask", "What?", *TWO)
    assert ended.code == 4
    assert ended.out == ""


def test_a_refused_key_is_exit_6_and_appears_nowhere(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream(KEY_REFUSED, tmp_path)
    key = shell.environment["OPENROUTER_API_KEY"]
    ended = shell.run("ask", "What?", *TWO, "--jsonl", "--debug")
    assert ended.code == 6
    assert key not in ended.out + ended.err


def test_a_cap_that_cannot_hold_the_price_is_exit_5(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream(CALM, tmp_path)
    ended = shell.run("ask", "What?", *TWO, "--max-cost", "0.000001")
    assert ended.code == 5
    assert ended.out == ""
    planned = shell.run("plan", "What?", *TWO, "--max-cost", "0.000001")
    assert planned.code == 0
    assert "'ask' would refuse" in planned.out


def test_the_last_line_of_jsonl_is_the_report(upstream: Upstream, tmp_path: Path) -> None:
    ended = upstream(CALM, tmp_path).run("ask", "What?", *TWO, "--jsonl")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert lines[-1]["type"] == "report"
    assert lines[-1]["status"] == "complete"
    assert [line["seq"] for line in lines] == list(range(len(lines)))


def test_a_reader_that_leaves_ends_the_command_quietly(upstream: Upstream, tmp_path: Path) -> None:
    process = upstream(ALL_HANGING, tmp_path).start("ask", "What?", *TWO, "--jsonl")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(PATIENCE_S)
    complaints = process.stderr.read()
    process.stderr.close()
    assert complaints == b""
    assert process.returncode == 141


def _until(process: subprocess.Popen[bytes], wanted: bytes, times: int = 1) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        times -= wanted in line
        if not times:
            return


def test_ctrl_c_once_goes_on_with_what_is_there(upstream: Upstream, tmp_path: Path) -> None:
    process = upstream(HANGING, tmp_path).start("ask", "What?", *TWO, "--jsonl")
    _until(process, b'"slot_answered"')
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    report = json.loads(out.splitlines()[-1])
    assert process.returncode == 3
    assert [slot["state"] for slot in report["slots"]] == ["cancelled", "answered"]
    assert b"not waiting any longer" in err


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_ctrl_c_twice_or_sigterm_cancels_and_keeps_what_arrived(
    signals: tuple[signal.Signals, ...], upstream: Upstream, tmp_path: Path
) -> None:
    shell = upstream(ALL_HANGING, tmp_path)
    process = shell.start("ask", "What?", *TWO, "--jsonl")
    _until(process, b'"text_delta"', times=2)
    assert process.stderr is not None
    for number in signals:
        process.send_signal(number)
        process.stderr.readline()
    out, _ = process.communicate(timeout=PATIENCE_S)
    report = json.loads(out.splitlines()[-1])
    assert process.returncode == 130
    assert report["status"] == "interrupted"
    stored = json.loads(shell.run("show", "last", "--json").out)
    assert stored["status"] == "interrupted"
    assert any(slot["attempts"][0]["partial"] for slot in stored["slots"])


def test_a_run_is_listed_shown_exported_and_resumed(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream(ONE_DEAD, tmp_path)
    asked = json.loads(shell.run("ask", "Why?", *TWO, "--json").out)
    listed = json.loads(shell.run("history", "--json", "-q", "Why").out)["runs"]
    assert [run["id"] for run in listed] == [asked["id"]]
    assert json.loads(shell.run("show", asked["id"], "--json").out) == asked
    assert json.loads(shell.run("export", asked["id"][:-1], "--format", "json").out) == asked
    page = tmp_path / "page.html"
    assert shell.run("export", "last", "-o", str(page)).code == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    failed = shell.run("show", "last", "--failed-only").out
    assert "openai/gpt-4o: failed" in failed
    planned = json.loads(shell.run("plan", "--resume", "last", "--json").out)
    assert [slot["primary"] for slot in planned["slots"]] == ["openai/gpt-4o"]
    again = json.loads(shell.run("ask", "--resume", "last", "--json").out)
    assert again["resumed_from"] == asked["id"]
    assert [slot["primary"] for slot in again["slots"]] == ["openai/gpt-4o"]


def test_a_run_that_is_not_there_is_exit_2(upstream: Upstream, tmp_path: Path) -> None:
    ended = upstream(CALM, tmp_path).run("show", "run_none")
    assert ended.code == 2
    assert ended.err.count("\n") == 1


def test_probing_says_what_it_may_cost_and_needs_a_yes(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream("seed = 1\n", tmp_path)
    refused = shell.run("ready", "--probe")
    assert refused.code == 2
    assert "requests of one token: at most $" in refused.err
    probed = json.loads(shell.run("ready", "--probe", "--yes", "--json").out)
    assert probed["probes"]
    assert all(result["ok"] for result in probed["probes"])


def test_the_doctor_writes_what_serves_instead(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream("seed = 1\n", tmp_path)
    findings = json.loads(shell.run("doctor", "--json").out)["findings"]
    gone = {f["model"]: f["replacement"] for f in findings if f["replacement"]}
    assert gone
    written = json.loads(shell.run("doctor", "--write", "--json").out)["written"]
    table = tomllib.loads(Path(written[0]).read_text(encoding="utf-8"))
    ids = json.dumps(table["cocktails"])
    assert not any(f'"{model}"' in ids for model in gone)
    again = json.loads(shell.run("doctor", "--json").out)["findings"]
    assert not any(f["replacement"] for f in again if f["problem"] == "gone")


def test_the_catalogue_is_listed_by_tier(upstream: Upstream, tmp_path: Path) -> None:
    shell = upstream("seed = 1\n", tmp_path)
    free = json.loads(shell.run("models", "--tier", "free", "--json").out)["models"]
    assert free
    assert all(model["prices"]["completion_usd_per_million"] == "0" for model in free)
    endpoints = json.loads(shell.run("models", "--endpoints", "openai/gpt-4o", "--json").out)
    assert endpoints["endpoints"][0]["provider"]
    ended = shell.run("models", "--endpoints", "openai/gpt-4x")
    assert ended.code == 2
    assert "lists no model openai/gpt-4x — did you mean openai/gpt-4o" in ended.err
