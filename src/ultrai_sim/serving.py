"""Listening: a world on a TCP port of this machine, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from ultrai_sim.app import PREFIX, make_app
from ultrai_sim.world import World

DRAIN_S = 0.1
# Where a server that listens on every address can be found from its own machine.
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named, not bound


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator: where it listens, a key that works, and its world."""

    host: str
    port: int
    world: World

    @property
    def origin(self) -> str:
        """``http://HOST:PORT``, where ``/sim/…`` is; of all addresses, this machine's own."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What `OPENROUTER_BASE_URL` has to be."""
        return f"{self.origin}{PREFIX}"

    @property
    def api_key(self) -> str:
        """What `OPENROUTER_API_KEY` has to be."""
        return self.world.api_key


@asynccontextmanager
async def serve(
    world: World | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Simulator]:
    """Serve a world until the block ends; port 0 takes any free one. `OSError` if it is taken."""
    served = World() if world is None else world
    runner = web.AppRunner(
        make_app(served), access_log=None, handler_cancellation=True, shutdown_timeout=DRAIN_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        yield Simulator(host, bound[1], served)
    finally:
        await runner.cleanup()


run_simulator = serve
