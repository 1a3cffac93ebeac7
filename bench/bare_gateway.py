"""The floor under the server: a raw ASGI application on uvicorn that hands one request on.

It reads the body, posts it upstream through aiohttp with one key, and hands back what comes, as it
comes. It looks at nothing.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn
import uvloop

HEADERS = {"Authorization": "Bearer bench", "Content-Type": "application/json"}


class Gateway:
    """The application."""

    def __init__(self, upstream: str) -> None:
        self._url = f"{upstream}/api/v1/chat/completions"
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """One request."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with self._session.post(self._url, data=body, headers=HEADERS) as answer:
            kind = answer.headers["Content-Type"].encode()
            head = {"type": "http.response.start", "status": answer.status}
            await send({**head, "headers": [(b"content-type", kind)]})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def serve() -> None:
    """Listen on a free port of loopback, print it, and answer until killed."""
    bound = socket.create_server(("127.0.0.1", 0))
    print(bound.getsockname()[1], flush=True)
    config = uvicorn.Config(
        Gateway(sys.argv[1]), lifespan="off", log_config=None, access_log=False, ws="none"
    )
    await uvicorn.Server(config).serve(sockets=[bound])


if __name__ == "__main__":
    uvloop.run(serve())
