"""The simulator's real application without a socket, for networks in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web, web_app

from ultrai_sim import World, make_app

ADDRESS = ("127.0.0.1", 8585)
BASE_URL = f"http://{ADDRESS[0]}:{ADDRESS[1]}/api/v1"


@asynccontextmanager
async def served(world: World) -> AsyncIterator[web.Server]:
    """A factory of server protocols that answer from this world until the block ends."""
    runner = web.AppRunner(
        make_app(world), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        assert runner.server is not None
        yield runner.server
    finally:
        await runner.cleanup()
        # It would hold this application, and with it the world, until a thousand others came.
        web_app._cached_build_middleware.cache_clear()
