"""A zero-latency upstream with OpenRouter's shapes, so cheap that it is not the bottleneck.

Theory of operation. A bare `asyncio.Protocol` on uvloop. Every answer is rendered once and kept;
a request costs one search for its length, one for the script in its prompt and one write. The
script stands in square brackets at the beginning of the prompt, so that one client can ask for
different answers:

    [frames=500 per_write=1 pace_ms=1 hold=0]

`frames` pieces of text, then a finish frame, a usage frame and `[DONE]`, `per_write` of them in one
HTTP chunk and one write. `pace_ms=0`: the next write comes in the next turn of the loop, unless
everything fits in one. `hold=1`: after the first write nothing more comes until `GET /release`.
`GET /held` tells how many wait so, `GET /last` repeats the last completion request as it arrived.

It does not check anything: whatever is asked gets its answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
from contextlib import suppress
from functools import cache
from typing import cast

import uvloop

MODELS_LISTED = 340  # as many as OpenRouter lists in 2026
_SCRIPT = re.compile(rb"\[frames=(\d+) per_write=(\d+) pace_ms=(\d+) hold=(\d)\]")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DEFAULT = (10, 13, 0, 0)
_TEXT = " and so on"
_USAGE = {
    "prompt_tokens": 16,
    "completion_tokens": 40,
    "total_tokens": 56,
    "cost": 4.8e-06,
    "is_byok": False,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
    "cost_details": {"upstream_inference_cost": 4.8e-06},
    "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0, "audio_tokens": 0},
}


def model_id(index: int) -> str:
    """The id of a listed model."""
    return f"bench/model-{index:03d}"


@cache
def stream_writes(frames: int, per_write: int) -> list[bytes]:
    """The body of a streamed answer: one HTTP chunk for each write, the end in the last."""
    events = [_frame({"content": _TEXT, "role": "assistant"}) for _ in range(frames)]
    events.append(_frame({"content": "", "role": "assistant"}, finish="stop"))
    events.append(_frame({"content": "", "role": "assistant"}, finish="stop", usage=True))
    events.append(b"data: [DONE]\n\n")
    writes = []
    for first in range(0, len(events), per_write):
        data = b"".join(events[first : first + per_write])
        writes.append(b"%x\r\n%b\r\n" % (len(data), data))
    writes[-1] += b"0\r\n\r\n"
    writes[0] = _head("text/event-stream", "Transfer-Encoding: chunked") + writes[0]
    return writes


@cache
def whole_answer(frames: int) -> bytes:
    """The same answer in one piece."""
    message = {"role": "assistant", "content": _TEXT * frames, "refusal": None, "reasoning": None}
    choice = {
        "index": 0,
        "logprobs": None,
        "finish_reason": "stop",
        "native_finish_reason": "completed",
        "message": message,
    }
    return as_json({**_envelope("chat.completion"), "choices": [choice], "usage": _USAGE})


def as_json(value: object) -> bytes:
    """A whole response."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return _head("application/json", f"Content-Length: {len(body)}") + body


@cache
def listing() -> bytes:
    """The response to `GET /models`."""
    return as_json({"data": [_row(index) for index in range(MODELS_LISTED)]})


def _row(index: int) -> dict[str, object]:
    return {
        "id": model_id(index),
        "canonical_slug": f"{model_id(index)}-20260101",
        "name": f"Bench: Model {index}",
        "created": 1_790_000_000,
        "context_length": 128_000,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "GPT",
        },
        "pricing": {"prompt": "0.00000015", "completion": "0.0000006", "request": "0"},
        "top_provider": {"context_length": 128_000, "max_completion_tokens": 16_384},
        "supported_parameters": ["max_tokens", "temperature", "seed"],
    }


def _envelope(kind: str) -> dict[str, object]:
    return {
        "id": "gen-1790000000-AbCdEfGhIjKlMnOpQrSt",
        "object": kind,
        "created": 1_790_000_000,
        "model": "bench/model",
        "provider": "Bench",
    }


def _frame(delta: object, *, finish: str | None = None, usage: bool = False) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish}
    shape = {**_envelope("chat.completion.chunk"), "choices": [choice]}
    if usage:
        shape["usage"] = _USAGE
    return b"data: " + json.dumps(shape, separators=(",", ":")).encode() + b"\n\n"


def _head(content_type: str, framing: str) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nCache-Control: no-cache\r\n"
        f"X-Generation-Id: gen-1790000000-AbCdEfGhIjKlMnOpQrSt\r\n{framing}\r\n\r\n"
    ).encode()


class House:
    """What the connections share."""

    def __init__(self) -> None:
        self.last = b""
        self.held: list[tuple[Connection, list[bytes]]] = []

    def release(self) -> None:
        """Let all that is held go on."""
        waiting, self.held = self.held, []
        for connection, writes in waiting:
            connection.write_from(writes, 1, 0.0)


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests are not pipelined."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._pending = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; uvloop's are of a class of their own."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._pending += data
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._pending, 0, end + 2)
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self._pending) < size:
            return
        request, self._pending = self._pending[:size], self._pending[size:]
        if request.startswith(b"POST"):
            self._complete(request)
        else:
            self._look_up(request.split(b" ", 2)[1])

    def write_from(self, writes: list[bytes], position: int, pace_s: float) -> None:
        """Write one piece, and arrange for the next."""
        if self._transport.is_closing():
            return
        self._transport.write(writes[position])
        position += 1
        if position == len(writes):
            return
        if pace_s:
            self._loop.call_later(pace_s, self.write_from, writes, position, pace_s)
        else:
            self._loop.call_soon(self.write_from, writes, position, pace_s)

    def _complete(self, request: bytes) -> None:
        self._house.last = request
        script = _SCRIPT.search(request)
        frames, per_write, pace_ms, hold = map(int, script.groups()) if script else _DEFAULT
        if b'"stream":true' not in request:
            self._transport.write(whole_answer(frames))
            return
        writes = stream_writes(frames, per_write)
        if hold:
            self._transport.write(writes[0])
            self._house.held.append((self, writes))
        else:
            self.write_from(writes, 0, pace_ms / 1000)

    def _look_up(self, path: bytes) -> None:
        if path.endswith(b"/models"):
            self._transport.write(listing())
        elif path.endswith(b"/key"):
            self._transport.write(as_json({"data": {"label": "bench", "is_free_tier": False}}))
        elif path == b"/last":
            self._transport.write(as_json(self._house.last.decode("latin-1")))
        elif path == b"/held":
            self._transport.write(as_json(len(self._house.held)))
        else:
            self._house.release()
            self._transport.write(as_json("released"))


async def serve() -> None:
    """Listen on a free port of loopback, print it, and answer until killed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    house = House()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(house), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(serve())
