"""The real runtime with real weights: what `ultrai.local` promises to those who ask it.

Weights come from ULTRAI_TEST_MODELS (a home that holds `models/`), else they are pulled once into
`.cache/` of this checkout, half a gigabyte. Where neither works, these tests are skipped and say
why.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ultrai.domain.errors import LocalModelError
from ultrai.domain.secret import Secret
from ultrai.local.fetch import pull
from ultrai.local.models import find_model
from ultrai.local.runtime import Endpoint, LocalRuntime
from ultrai.local.weights import verify, weights_path

SMOLLM = "local/smollm2-135m-instruct"
QWEN = "local/qwen2.5-coder-0.5b-instruct"
QUESTION = [{"role": "user", "content": "Explain quantum computing in simple terms."}]
PATIENCE_S = 30.0

pytestmark = [
    pytest.mark.weights,
    pytest.mark.timeout(900),  # the first test may have to pull half a gigabyte
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None,
        reason="xllamacpp is not installed: pip install 'ultrai[local]'",
    ),
]


@pytest.fixture(scope="session")
def home() -> Path:
    given = os.environ.get("ULTRAI_TEST_MODELS")
    folder = Path(given) if given else Path(__file__).parents[2] / ".cache" / "local"
    if not given:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
    for model_id in (SMOLLM, QWEN):
        try:
            pull(find_model(model_id), home=folder, progress=lambda _progress: None)
        except LocalModelError as error:
            pytest.skip(f"no weights to test with: {error}")
    return folder


@pytest.fixture(scope="module")
def smollm(home: Path) -> Iterator[Endpoint]:
    """One running model for the tests that only ask it something."""
    with asyncio.Runner() as runner:
        runtime = LocalRuntime(home)
        yield runner.run(runtime.start([SMOLLM]))[SMOLLM]
        runner.run(runtime.close())


def connect(endpoint: Endpoint) -> http.client.HTTPConnection:
    address = urlsplit(endpoint.base_url)
    assert address.hostname == "127.0.0.1"
    return http.client.HTTPConnection(address.hostname, address.port or 0, timeout=120)


def send(endpoint: Endpoint, **fields: Any) -> http.client.HTTPResponse:
    connection = connect(endpoint)
    headers = {
        "Authorization": f"Bearer {endpoint.api_key.reveal()}",
        "Content-Type": "application/json",
        "Connection": "close",
    }
    body = {"messages": QUESTION, "temperature": 0, **fields}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection.getresponse()


def ask(endpoint: Endpoint, **fields: Any) -> dict[str, Any]:
    with send(endpoint, **fields) as response:
        reply = json.load(response)
    assert isinstance(reply, dict)
    return reply


def text_of(reply: dict[str, Any]) -> str:
    return str(reply["choices"][0]["message"]["content"])


def chunks_of(endpoint: Endpoint, **fields: Any) -> list[Any]:
    """All `data:` lines of a stream, decoded; the end marker as it stands."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    with send(endpoint, **fields, **options) as response:
        lines = response.read().decode().splitlines()
    payloads = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within a generous time."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_gone(endpoint: Endpoint) -> bool:
    """Whether nothing listens there any more."""
    connection = connect(endpoint)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except OSError:
        return True
    finally:
        connection.close()
    return False


def is_computing(endpoint: Endpoint) -> bool:
    connection = connect(endpoint)
    headers = {"Authorization": f"Bearer {endpoint.api_key.reveal()}", "Connection": "close"}
    connection.request("GET", "/slots", headers=headers)
    with connection.getresponse() as response:
        return any(slot["is_processing"] for slot in json.load(response))


def test_both_default_models_load_together_and_answer_at_once(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> dict[str, list[Any]]:
        async with LocalRuntime(home) as runtime:
            endpoints = await runtime.start([QWEN, SMOLLM])
            assert list(endpoints) == [QWEN, SMOLLM]
            async with asyncio.TaskGroup() as tasks:
                asked = {
                    model_id: tasks.create_task(
                        asyncio.to_thread(chunks_of, endpoint, model=model_id, max_tokens=20)
                    )
                    for model_id, endpoint in endpoints.items()
                }
            return {model_id: task.result() for model_id, task in asked.items()}

    for model_id, chunks in asyncio.run(run()).items():
        assert chunks[-1] == "[DONE]"
        assert {chunk["model"] for chunk in chunks[:-1]} == {model_id}
        pieces = [chunk["choices"][0]["delta"] for chunk in chunks[:-1] if chunk["choices"]]
        assert "quantum" in "".join(piece.get("content") or "" for piece in pieces).lower()
        assert chunks[-2]["usage"]["completion_tokens"] == 20
        assert chunks[-3]["choices"][0]["finish_reason"] == "length"
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_event_loop_goes_on_while_a_model_loads(home: Path) -> None:
    async def run() -> int:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.005)
                beats += 1

        beating = asyncio.create_task(beat())
        async with LocalRuntime(home) as runtime:
            await runtime.start([SMOLLM])
        beating.cancel()
        return beats

    # Loading takes some hundred milliseconds; in this process it would let no beat through.
    assert asyncio.run(run()) >= 20


def test_asking_without_the_key_is_refused(smollm: Endpoint) -> None:
    for key in ("", "wrong"):
        stranger = Endpoint(base_url=smollm.base_url, api_key=Secret(key))
        with send(stranger, max_tokens=1) as response:
            assert response.status == 401


def test_a_question_longer_than_the_window_is_told_apart(smollm: Endpoint) -> None:
    long_question = [{"role": "user", "content": "word " * 5000}]
    for stream in (False, True):
        with send(smollm, messages=long_question, max_tokens=5, stream=stream) as response:
            assert response.status == 400
            error = json.load(response)["error"]
        assert error["type"] == "exceed_context_size_error"
        assert error["n_ctx"] == find_model(SMOLLM).context_length
        assert error["n_prompt_tokens"] > 5000


def test_a_wrong_parameter_is_a_bad_request(smollm: Endpoint) -> None:
    with send(smollm, max_tokens="many") as response:
        assert response.status == 400
        assert json.load(response)["error"]["type"] == "invalid_request_error"


def test_a_client_that_leaves_stops_the_computing(smollm: Endpoint) -> None:
    response = send(smollm, max_tokens=4000, stream=True, ignore_eos=True)
    response.readline()
    assert is_computing(smollm)
    response.close()
    assert eventually(lambda: not is_computing(smollm))


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"temperature": 1.5, "seed": 7}, False),
        ({"temperature": 1.5, "seed": 7, "top_k": 1}, True),
        ({"temperature": 1.5, "seed": 7, "min_p": 1.0}, True),
        ({"temperature": 1.5, "seed": 7, "top_p": 0.0001}, True),
        ({"presence_penalty": 2.0, "frequency_penalty": 2.0}, False),
    ],
    ids=["seed", "top_k", "min_p", "top_p", "penalties"],
)
def test_listed_parameters_have_their_effect(
    smollm: Endpoint, fields: dict[str, Any], *, same: bool
) -> None:
    # Without the cached prompt: other batch sizes round differently, and may tip a close choice.
    common = {"max_tokens": 30, "cache_prompt": False}
    plain = text_of(ask(smollm, **common))
    changed = text_of(ask(smollm, **common, **fields))
    assert text_of(ask(smollm, **common, **fields)) == changed
    assert (changed == plain) is same


def test_a_stop_word_ends_the_answer_before_it(smollm: Endpoint) -> None:
    reply = ask(smollm, max_tokens=60, stop=["quantum", "Quantum"])
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert "quantum" not in text_of(reply).lower()


def test_a_json_schema_shapes_the_answer(smollm: Endpoint) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    shape = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    assert isinstance(
        json.loads(text_of(ask(smollm, max_tokens=60, response_format=shape)))["a"], bool
    )


def test_a_model_whose_process_died_is_loaded_again(home: Path) -> None:
    async def run() -> None:
        async with LocalRuntime(home) as runtime:
            first = (await runtime.start([SMOLLM]))[SMOLLM]
            assert (await runtime.start([SMOLLM]))[SMOLLM] == first
            os.kill(runtime.process_ids()[SMOLLM], signal.SIGKILL)
            assert await asyncio.to_thread(eventually, lambda: not runtime.process_ids())
            second = (await runtime.start([SMOLLM]))[SMOLLM]
            assert second != first
            reply = await asyncio.to_thread(ask, second, max_tokens=3)
            assert reply["usage"]["completion_tokens"] == 3

    asyncio.run(run())


def test_closing_ends_the_processes_also_while_they_compute(home: Path) -> None:
    async def run() -> Endpoint:
        async with LocalRuntime(home) as runtime:
            endpoint = (await runtime.start([SMOLLM]))[SMOLLM]
            response = await asyncio.to_thread(
                send, endpoint, max_tokens=4000, stream=True, ignore_eos=True
            )
            await asyncio.to_thread(response.readline)
        response.close()
        return endpoint

    assert is_gone(asyncio.run(run()))


def test_cancelling_a_load_leaves_no_process(home: Path) -> None:
    async def run() -> None:
        async with LocalRuntime(home) as runtime:
            loading = asyncio.create_task(runtime.start([SMOLLM]))
            assert await asyncio.to_thread(eventually, lambda: bool(runtime.process_ids()))
            loading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await loading
            assert runtime.process_ids() == {}

    asyncio.run(run())


def test_one_model_without_weights_does_not_keep_another_from_loading(
    home: Path, tmp_path: Path
) -> None:
    smollm = find_model(SMOLLM)
    place = weights_path(smollm, tmp_path)
    place.parent.mkdir()
    place.symlink_to(verify(smollm, home))

    async def run() -> None:
        async with LocalRuntime(tmp_path) as runtime:
            with pytest.raises(LocalModelError, match="qwen"):
                await runtime.start([QWEN, SMOLLM])
            assert list(runtime.process_ids()) == [SMOLLM]

    asyncio.run(run())


CHILD = f"""
import asyncio, http.client, json, signal, sys
from pathlib import Path
from urllib.parse import urlsplit
from ultrai.local.runtime import LocalRuntime

# A shell that runs the tests in the background lets its children ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    runtime = LocalRuntime(Path(sys.argv[1]))
    endpoint = (await runtime.start(["{SMOLLM}"]))["{SMOLLM}"]
    connection = http.client.HTTPConnection(urlsplit(endpoint.base_url).netloc)
    body = {{"messages": [{{"role": "user", "content": "x"}}], "max_tokens": 4000, "stream": True,
             "ignore_eos": True}}
    connection.request("POST", "/v1/chat/completions", json.dumps(body),
                       {{"Authorization": "Bearer " + endpoint.api_key.reveal()}})
    connection.getresponse().readline()
    print(endpoint.base_url, flush=True)
    if sys.argv[2] == "fails":
        raise SystemExit(3)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups are POSIX's")
@pytest.mark.parametrize(
    ("ending", "code"),
    [("fails", 3), (signal.SIGINT, -signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["unclosed", "ctrl-c", "killed"],
)
def test_a_process_that_ends_in_mid_stream_takes_its_models_with_it_cleanly(
    home: Path, ending: str | signal.Signals, code: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), str(ending)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        if isinstance(ending, signal.Signals):
            os.killpg(process.pid, ending)
        _, complaints = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert "Segmentation" not in complaints
    assert eventually(lambda: is_gone(Endpoint(base_url=base_url, api_key=Secret("none"))))
