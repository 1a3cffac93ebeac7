from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.contract.sim.talking import ask, with_simulator

import ultrai_sim
from ultrai_sim import ScenarioError, load_scenario
from ultrai_sim.__main__ import main

FULL = """
seed = 7
catalogue = "report-2025"
comments = 2
usage_dialect = "b"
tokens_per_frame = 1
generation_lag_s = 0.5
[latency]
head_s = 0.001
[account]
credits_usd = 5
[says]
"acme/one" = "Yes."
[[keys]]
key = "sk-or-v1-mine"
limit_usd = 1.5
[[models]]
id = "acme/one"
pricing = { prompt = "0.000001", completion = "0.000002" }
[[faults]]
kind = "status"
model = "acme/one"
attempts = 1
status = 429
retry_after = 1
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return path


def test_a_scenario_sets_the_whole_world(tmp_path):
    async def story(sim):
        assert sim.api_key == "sk-or-v1-mine"
        first, second = await ask(sim, "acme/one"), await ask(sim, "acme/one", stream=True)
        assert (first.status, first.headers["Retry-After"]) == (429, "1")
        assert second.text == "Yes."
        assert second.comments == 2
        assert second.frames[-1]["choices"] == []
        assert (await ask(sim, "x-ai/grok-4")).status == 200

    with_simulator(load_scenario(written(tmp_path, FULL)), story)


def test_the_scenario_of_the_docs_can_be_read(tmp_path):
    text = ultrai_sim.scenario.__doc__.split("```toml")[1].split("```")[0]
    assert load_scenario(written(tmp_path, text)).seed == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sead = 1", "unknown key 'sead'; nearest valid key: 'seed'"),
        (
            "[latency]\nfirst_tok_s = 1",
            "unknown key 'first_tok_s'; nearest valid key: 'first_token_s'",
        ),
        ("[latency]\nhead_s = 'x'", "latency.head_s"),
        ("[account]\ncredits_usd = 'much'", "account.credits_usd"),
        ("[[models]]\nid = 'a/b'\npricin = 1", "nearest valid key: 'pricing'"),
        ("[[models]]\nid = 'a/b'\npricing = 1", "'pricing' must be a table"),
        ("[[models]]\nid = 'a/b'\npricing.prompt = 'x'", "pricing.prompt: expected an amount"),
        ("[[faults]]\nkind = 'cut'\n[[faults]]\nkind = 'cutt'", r"faults\[2\].*'cut'"),
        ("catalogue = 'old'", "not one of today, report-2025"),
        ("[[latency]]\n", "latency"),
        ("seed = ", "scenario.toml"),
        ("seed = -1", "seed"),
        ("[[keys]]\nlimit_usd = 1", "'key' is missing"),
    ],
)
def test_a_bad_scenario_names_file_key_and_nearest_valid_key(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(ScenarioError, match=said) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_scenario_on_the_command_line_is_one_line_and_exit_2(tmp_path, capsys):
    path = written(tmp_path, "sead = 1")
    assert main(["--scenario", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["--scenario", str(tmp_path / "none.toml")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["--catalogue", str(tmp_path / "none.toml")]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_tells_where_it_listens_and_ends_quietly(number):
    command = [sys.executable, "-m", "ultrai_sim", "--port", "0", "--seed", "3", "--json"]
    source = str(Path(ultrai_sim.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        first, second = process.stdout.readline(), process.stdout.readline()
        base = first.decode().strip().removeprefix("export OPENROUTER_BASE_URL=")
        assert base.startswith("http://127.0.0.1:")
        assert base.endswith("/api/v1")
        assert second.startswith(b"export OPENROUTER_API_KEY=sk-or-v1-")
        with urllib.request.urlopen(f"{base}/models/count") as response:
            assert json.load(response)["data"]["count"] > 60
        line = json.loads(process.stdout.readline())
        assert (line["path"], line["status"]) == ("/api/v1/models/count", 200)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, b"")
    assert err.startswith(b"1 request came, 0 faults fired")
    assert err.count(b"\n") == 1


def test_a_port_in_use_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    said = capsys.readouterr().err
    assert "try --port 0" in said
    assert said.count("\n") == 1
