"""The runtime without a model: what it refuses, and how clearly."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from ultrai.domain.errors import LocalModelError, NotFound
from ultrai.domain.secret import Secret
from ultrai.local.runtime import Endpoint, LocalRuntime

SMOLLM = "local/smollm2-135m-instruct"


def start(home: Path, model_id: str) -> None:
    async def run() -> None:
        async with LocalRuntime(home) as runtime:
            await runtime.start([model_id])

    asyncio.run(run())


def test_an_unknown_id_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="local/gpt-9"):
        start(tmp_path, "local/gpt-9")


def test_a_missing_runtime_names_the_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(LocalModelError, match="xllamacpp") as raised:
        start(tmp_path, SMOLLM)
    assert raised.value.hint == "pip install 'ultrai[local]'"


def test_missing_weights_name_the_command_that_pulls_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    with pytest.raises(LocalModelError, match="not here") as raised:
        start(tmp_path, SMOLLM)
    assert raised.value.hint == f"run: ultrai local pull {SMOLLM}"


def test_closing_what_never_started_is_harmless(tmp_path: Path) -> None:
    asyncio.run(LocalRuntime(tmp_path).close())


def test_the_key_of_an_endpoint_is_in_no_repr() -> None:
    endpoint = Endpoint(base_url="http://127.0.0.1:1/v1", api_key=Secret("canary-key"))
    assert "canary-key" not in repr(endpoint)
