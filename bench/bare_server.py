"""The floor under the simulator: an aiohttp server that reads a body and answers constant bytes.

The bytes are as many as the simulator's answer to the bench's question has.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

ANSWER = b'{"choices":[{"message":{"content":"' + b"x" * 1500 + b'"}}]}'


async def answer(request: web.Request) -> web.Response:
    """Whatever was asked."""
    await request.read()
    response = web.Response(body=ANSWER, content_type="application/json")
    response.enable_chunked_encoding()
    return response


async def serve() -> None:
    """Listen on a free port of loopback, print it, and answer until killed."""
    app = web.Application()
    app.router.add_post("/api/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
