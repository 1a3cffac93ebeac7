"""The official JavaScript client understands the simulator: it checks every answer's type itself.

`tests/clients/js/talk.mjs` asks everything once; each test here looks at a part of what it told.
`scripts/clients.sh` installs the client.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from pathlib import Path

import pytest
from tests.contract.sim.talking import MODEL, PROMPT, ask, with_simulator

from ultrai_sim import Fault, World

FOLDER = Path(__file__).parents[2] / "clients" / "js"
DAY_S = 86_400.0
BROKEN = "mistralai/mistral-large"
# What a model meets, and as what error the client throws it.
ERRORS = {
    "400": ("openai/gpt-4o-mini", "BadRequestResponseError"),
    "401": ("openai/gpt-6.1-sol", "UnauthorizedResponseError"),
    "402": ("anthropic/claude-sonnet-5.5", "PaymentRequiredResponseError"),
    "403": ("x-ai/grok-4.7", "ForbiddenResponseError"),
    "404": ("google/gemini-2.5-pro", "NotFoundResponseError"),
    "408": ("deepseek/deepseek-v3.2", "RequestTimeoutResponseError"),
    "429": ("qwen/qwen3.8-27b", "TooManyRequestsResponseError"),
    "500": ("openai/gpt-4.1", "InternalServerResponseError"),
    "502": ("openai/gpt-4.1-mini", "BadGatewayResponseError"),
    "503": ("anthropic/claude-opus-5.5", "ServiceUnavailableResponseError"),
    "529": ("google/gemini-2.5-flash", "ProviderOverloadedResponseError"),
}


def _need_client():
    """Skip where the client is not installed; never where continuous integration runs."""
    if shutil.which("node") is not None and (FOLDER / "node_modules" / ".lock").exists():
        return
    lack = "the JavaScript client is NOT tested: install Node and npm, then run scripts/clients.sh"
    if os.environ.get("CI") == "true":
        pytest.fail(lack)
    pytest.skip(lack)


@pytest.fixture(scope="module")
def told():
    """By the name of the question: what the client made of the answer, or its error."""
    _need_client()
    faults = [
        Fault(kind="status", status=int(code), model=model, message="as told")
        for code, (model, _) in ERRORS.items()
    ]
    faults.append(Fault(kind="error_mid_stream", model=BROKEN))

    async def story(sim):
        # A day of which `/activity` can tell.
        await ask(sim)
        sim.world.advance(DAY_S)
        process = await asyncio.create_subprocess_exec(
            "node",
            str(FOLDER / "talk.mjs"),
            env={
                "PATH": os.environ["PATH"],
                "SIM_URL": sim.base_url,
                "SIM_KEY": sim.api_key,
                "SIM_MANAGEMENT_KEY": sim.world.management_key,
                "MODEL": MODEL,
                "PROMPT": PROMPT,
                "BROKEN": BROKEN,
                "ERRORS": json.dumps({code: model for code, (model, _) in ERRORS.items()}),
            },
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return json.loads(out), sim.world

    return with_simulator(World(faults=faults), story)


@pytest.fixture
def answers(told):
    """The answers; asking for one that was an error shows the error."""

    class Answers(dict):
        def __missing__(self, name):
            pytest.fail(f"{name}: {told[0][name]['error']}")

    return Answers({name: row["answer"] for name, row in told[0].items() if "answer" in row})


def _text(chunks):
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def test_it_took_every_answer_for_what_it_is(told):
    """No answer is refused by the client's types; what is an error here was meant to be one."""
    meant = {*ERRORS, "stranger", "unknown"}
    errors = {name: row["error"] for name, row in told[0].items() if "error" in row}
    assert {name: errors[name] for name in errors if name not in meant} == {}
    assert set(errors) == meant


def test_it_reads_a_chat_streamed_and_not_alike(answers):
    (choice,) = answers["chat"]["choices"]
    assert choice["finishReason"] == "stop"
    assert choice["message"]["content"] == _text(answers["stream"])
    assert answers["stream"][-1]["usage"] == answers["chat"]["usage"]
    assert answers["chat"]["usage"]["cost"] > 0


def test_it_reads_reasoning(answers):
    message = answers["reasoning"]["choices"][0]["message"]
    assert message["reasoning"]
    assert message["reasoningDetails"][0]["text"] == message["reasoning"]


def test_it_calls_tools_and_tells_what_they_said(answers):
    calls = answers["calls"]
    (choice,) = calls["asked"]["choices"]
    assert choice["finishReason"] == "tool_calls"
    (call,) = choice["message"]["toolCalls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert "clear" in calls["told"]["choices"][0]["message"]["content"]
    deltas = [chunk["choices"][0]["delta"] for chunk in calls["streamed"] if chunk["choices"]]
    parts = [part for delta in deltas for part in delta.get("toolCalls", ())]
    assert parts[0]["id"] == call["id"]
    assert "".join(part["function"]["arguments"] for part in parts) == call["function"]["arguments"]


def test_it_reads_an_object_in_the_shape_it_asked_for(answers):
    person = answers["structured"]["person"]
    assert isinstance(person["name"], str)
    assert isinstance(person["age"], int)


def test_it_reads_the_probability_of_every_token(answers):
    tokens = answers["logprobs"]["choices"][0]["logprobs"]["content"]
    text = b"".join(bytes(token["bytes"]) for token in tokens).decode()
    assert text == answers["logprobs"]["choices"][0]["message"]["content"]
    assert {len(token["topLogprobs"]) for token in tokens} == {2}


def test_it_finds_a_generation_and_what_was_said(answers):
    generation = answers["generation"]
    told = generation["told"]["data"]
    assert told["totalCost"] == generation["usage"]["cost"]
    assert told["nativeTokensCompletion"] == generation["usage"]["completionTokens"]
    content = generation["content"]["data"]
    assert content["input"]["messages"] == [{"role": "user", "content": PROMPT}]
    assert content["output"]["completion"] == answers["chat"]["choices"][0]["message"]["content"]


def test_it_reads_its_key_the_credits_and_the_days_before(answers, told):
    assert answers["key"]["data"]["freeModelDailyRequests"]["limit"] == 1000
    assert answers["credits"]["data"]["totalCredits"] == 1000
    assert 0 < answers["credits"]["data"]["totalUsage"] <= float(told[1].money.used)
    (row,) = answers["activity"]["data"]
    assert (row["model"], row["requests"]) == (MODEL, 1)
    assert row["usage"] == float(told[1].bill[0].cost)


def test_it_makes_reads_changes_and_deletes_a_key(answers):
    keys = answers["keys"]
    assert keys["made"]["key"].startswith("sk-or-v1-")
    assert keys["read"]["data"] == keys["made"]["data"]
    changed = keys["changed"]["data"]
    assert (changed["name"], changed["disabled"], changed["limit"]) == ("another name", True, 5)
    assert changed in keys["listed"]["data"]
    assert keys["deleted"] == {"deleted": True}


def test_it_lists_models_and_where_they_are_served(answers):
    assert len(answers["models"]) == answers["count"]["data"]["count"]
    assert answers["model"]["data"] in answers["models"]
    assert answers["model"]["data"] in answers["own"]
    endpoints = answers["endpoints"]["data"]
    assert endpoints["id"] == MODEL
    serving = {endpoint["providerName"] for endpoint in endpoints["endpoints"]}
    assert serving <= {provider["name"] for provider in answers["providers"]["data"]}


def test_it_embeds_in_both_encodings(answers):
    assert "openai/text-embedding-3-small" in [model["id"] for model in answers["embedders"]]
    floats, packed = answers["floats"], answers["base64"]
    assert [row["index"] for row in floats["data"]] == [0, 1]
    for row, coded in zip(floats["data"], packed["data"], strict=True):
        assert len(base64.b64decode(coded["embedding"])) == 4 * len(row["embedding"])
    assert packed["usage"] == floats["usage"]


@pytest.mark.parametrize("code", list(ERRORS))
def test_it_throws_every_error_as_what_it_is(told, code):
    error = told[0][code]["error"]
    assert (error["statusCode"], error["name"]) == (int(code), ERRORS[code][1])
    assert error["message"] == "as told"


def test_it_throws_what_the_simulator_refuses_by_itself(told):
    stranger, unknown = told[0]["stranger"]["error"], told[0]["unknown"]["error"]
    assert (stranger["name"], stranger["statusCode"]) == ("UnauthorizedResponseError", 401)
    assert (unknown["name"], unknown["statusCode"]) == ("BadRequestResponseError", 400)


def test_it_sees_an_error_inside_a_stream(answers):
    last = answers["broken"][-1]
    assert last["error"]["code"] == 502
    assert last["choices"][0]["finishReason"] == "error"
