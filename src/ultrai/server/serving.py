"""Listening: from Settings to an open port, and gracefully back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ultrai.assembly.facade import UltrAI
from ultrai.domain.errors import SettingsError, UltraiError
from ultrai.server.app import make_app
from ultrai.server.front import LOG, DoorRules, is_loopback_name
from ultrai.server.live import LiveRuns

DRAIN_S = 30
KEEP_CONNECTION_S = 75
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen; port 0 takes any free one."""

    host: str = "127.0.0.1"
    port: int = 8484


def listen(place: Place) -> socket.socket:
    """The bound socket. Raises SettingsError in one line."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.setblocking(False)  # noqa: FBT003 - the socket's own signature
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {place.host}, port {place.port}: {error.strerror or error}",
            hint="another program may have the port: --port 0 takes any",
        ) from None
    return bound


def url_of(bound: socket.socket) -> str:
    """`http://HOST:PORT` of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_place(place: Place) -> None:
    """Raises SettingsError for a place that more than this machine can reach."""
    if not is_loopback_name(place.host.lower()):
        raise SettingsError(
            f"{place.host} can be reached from other machines, and nothing guards it yet",
            hint="listen on 127.0.0.1, and put a proxy with TLS and access keys before it",
        )


class Serving:
    """One server. `run` it once; `stop` lets requests under way end, a second one does not."""

    def __init__(self, session: UltrAI, bound: socket.socket) -> None:
        self._session = session
        self._bound = bound
        self._runs = LiveRuns(session)
        app = make_app(session, self._runs, rules=DoorRules())
        config = uvicorn.Config(
            app,
            http=HttpToolsProtocol,
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=KEEP_CONNECTION_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
        self._server = _Server(config)

    def stop(self) -> None:
        """Take no more requests, and end when those under way have."""
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True

    def forget_ended(self) -> None:
        """Leave the Runs that are over to the history."""
        self._runs.forget_ended()

    async def run(self, *, ready: Callable[[str], None]) -> None:
        """Serve until stopped. `ready` is called with the address once it listens."""
        self._server.ready = lambda: ready(url_of(self._bound))
        warming = asyncio.get_running_loop().create_task(_warm(self._session))
        try:
            await self._server.serve(sockets=[self._bound])
        finally:
            warming.cancel()
            with suppress(asyncio.CancelledError):
                await warming
            await self._runs.aclose()


async def _warm(session: UltrAI) -> None:
    """Fetch the catalogue before somebody waits for it."""
    try:
        await session.catalog(keyless=False)
    except UltraiError as error:
        LOG.warning("%s", error)


class _Server(uvicorn.Server):
    """uvicorn's, that says when it listens and leaves the signals to whoever runs it."""

    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
