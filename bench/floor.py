"""The floor: the same requests by a competent hand-written loop on bare aiohttp.

What it does for one prompt to N models, and no more:

- one `aiohttp.ClientSession` for all, without a limit on connections and without cookies;
- N tasks of one TaskGroup, each a `session.post` of a body that msgspec encodes, with exactly the
  headers that UltrAI sends (`rivals.py` compares both requests before anything is measured);
- not streamed: `resp.read()`, `msgspec.json.decode` into dicts, then text, finish reason, usage;
- streamed: `resp.content.iter_any()` to the end of the body; a buffer split at blank lines,
  `data: ` taken off, each payload decoded by msgspec into dicts, text appended, finish reason and
  usage kept;
- a status other than 200 raises.

It has no timers but aiohttp's own, no retries, no prices, no events and no notion of a bad answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from questions import KEY, Question

from ultrai import __version__

HEADERS = {
    "Accept-Encoding": "identity",
    "User-Agent": f"ultrai/{__version__}",
    "HTTP-Referer": "https://github.com/ultrai-project/ultrai",
    "X-OpenRouter-Title": "UltrAI",
    "Authorization": f"Bearer {KEY}",
    "Content-Type": "application/json",
}


@dataclass(slots=True)
class Reply:
    """What one model said."""

    text: str
    finish_reason: str | None
    usage: dict[str, Any] | None


def open_floor() -> aiohttp.ClientSession:
    """The session of the loop; closed by the caller."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )


async def ask_all(session: aiohttp.ClientSession, url: str, question: Question) -> list[Reply]:
    """Every model's reply, in order."""
    messages = [{"role": "user", "content": question.prompt}]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(ask_one(session, url, model, messages, question.stream))
            for model in question.models
        ]
    return [task.result() for task in tasks]


async def ask_one(
    session: aiohttp.ClientSession,
    url: str,
    model: str,
    messages: list[dict[str, str]],
    stream: bool,  # noqa: FBT001 - one more call of the hot loop would be paid for a keyword
) -> Reply:
    """One request, read to its end."""
    body = msgspec.json.encode(
        {"model": model, "messages": messages, "max_tokens": 1000, "stream": stream}
    )
    accept = "text/event-stream" if stream else "application/json"
    async with session.post(url, data=body, headers={"Accept": accept, **HEADERS}) as response:
        response.raise_for_status()
        if stream:
            return await read_stream(response)
        shape = msgspec.json.decode(await response.read())
        choice = shape["choices"][0]
        return Reply(choice["message"]["content"], choice["finish_reason"], shape["usage"])


async def read_stream(response: aiohttp.ClientResponse) -> Reply:
    """Gather a stream of server-sent events."""
    text: list[str] = []
    finish_reason = usage = None
    buffer = b""
    async for chunk in response.content.iter_any():
        buffer += chunk
        *events, buffer = buffer.split(b"\n\n")
        for event in events:
            payload = event.removeprefix(b"data: ")
            if payload == b"[DONE]":
                continue
            shape = msgspec.json.decode(payload)
            for choice in shape["choices"]:
                content = choice["delta"].get("content")
                if content:
                    text.append(content)
                finish_reason = choice["finish_reason"] or finish_reason
            usage = shape.get("usage") or usage
    return Reply("".join(text), finish_reason, usage)
