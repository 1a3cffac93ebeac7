"""OpenAI's own Python client against the server, its types checked, as its users use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.contract.serve.house import ASKED, ONE, THREE, TWO, House, at_home

from ultrai_sim import Fault, Latency


def using(job: Callable[[openai.OpenAI], Any], *faults: Fault, **more: Any) -> Any:
    def work(house: House) -> Any:
        base = f"{house.url}/v1"
        with openai.OpenAI(api_key="any", base_url=base, max_retries=0) as client:
            return job(client)

    async def story(house: House) -> Any:
        return await asyncio.to_thread(work, house)

    return at_home(story, *faults, **more)


def test_models_chats_and_streams_fit_its_types() -> None:
    def job(client: openai.OpenAI) -> None:
        rows = list(client.models.list())
        for row in rows[:10]:
            Model.model_validate(row.model_dump())
        assert client.models.retrieve(ONE).id == ONE
        for model in (ONE, "ultrai/trio", "ultrai/trio:all", "ultrai/trio:first"):
            whole = client.chat.completions.create(model=model, messages=ASKED, max_tokens=1000)
            ChatCompletion.model_validate(whole.model_dump())
            assert whole.choices[0].message.content
            with client.chat.completions.stream(
                model=model,
                messages=ASKED,
                max_tokens=1000,
                stream_options={"include_usage": True},
            ) as events:
                for event in events:
                    if event.type == "chunk":
                        ChatCompletionChunk.model_validate(event.chunk.model_dump())
                last = events.get_final_completion()
            assert last.usage is not None
            assert last.usage.total_tokens > 0
            assert last.choices[0].message.content

    using(job, latency=Latency(per_token_s=0.001))


def test_errors_are_its_exceptions() -> None:
    def job(client: openai.OpenAI) -> None:
        with pytest.raises(openai.NotFoundError) as lost:
            client.chat.completions.create(model="ultrai/nobody", messages=ASKED)
        assert (lost.value.code, lost.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(model="ultrai/trio:fuse", messages=ASKED)
        assert bad.value.code == "not_available_yet"
        with pytest.raises(openai.InternalServerError) as failed:
            client.chat.completions.create(model=TWO, messages=ASKED)
        assert failed.value.status_code == 502
        assert failed.value.code == "forbidden"
        with pytest.raises(openai.APIError, match="ended"):
            list(client.chat.completions.create(model=THREE, messages=ASKED, stream=True))

    using(
        job,
        Fault(kind="status", status=403, model=TWO),
        Fault(kind="cut", model=THREE, after=3),
        latency=Latency(per_token_s=0.01),
    )


def test_the_extra_object_goes_in_and_out() -> None:
    def job(client: openai.OpenAI) -> None:
        whole = client.chat.completions.create(
            model="ultrai/trio", messages=ASKED, extra_body={"ultrai": {"quorum": 1}}
        )
        assert whole.model_extra is not None
        assert len(whole.model_extra["ultrai"]["answered_by"]) == 1

    slow = [Fault(kind="slow", model=m, head_s=5) for m in (ONE, THREE)]
    using(job, *slow)
