"""Listening: from Settings to an open port, and gracefully back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ultrai.assembly.facade import UltrAI
from ultrai.domain.errors import SettingsError
from ultrai.server.app import make_app
from ultrai.server.chores import do_chores
from ultrai.server.front import DoorRules, is_loopback_name
from ultrai.server.guard import GuardedProtocol
from ultrai.server.live import MOST_RUNS, LiveRuns

DRAIN_S = 30
KEEP_CONNECTION_S = 75
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen, and who is between; port 0 takes any free one.

    `certificate` and its `private_key` are PEM files. `behind_proxy`: something that speaks TLS
    stands before us. `hosts` and `origins` are allowed beside our own.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    certificate: Path | None = None
    private_key: Path | None = None
    behind_proxy: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    most_runs: int = MOST_RUNS

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback_name(self.host.lower())

    def url_of(self, bound: socket.socket) -> str:
        """The address of the bound socket."""
        scheme = "http" if self.certificate is None else "https"
        host, port = bound.getsockname()[:2]
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


_HERE = Place()


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


def check_place(place: Place, *, has_keys: bool) -> None:
    """Raises SettingsError for a place that other machines can reach, and that nothing guards."""
    if (place.certificate is None) != (place.private_key is None):
        raise SettingsError("--tls-cert and --tls-key go together", hint="give both or none")
    for path in (place.certificate, place.private_key):
        if path is not None and not path.is_file():
            raise SettingsError(f"{path} is no file", hint="name a PEM file")
    if "*" in place.origins or "*" in place.hosts:
        raise SettingsError("'*' would allow every page of the web", hint="name them one by one")
    if place.is_local:
        return
    reached = f"{place.host} can be reached from other machines"
    if not has_keys:
        hint = "make an access key first: ultrai access create NAME"
        raise SettingsError(f"{reached}, and nobody would need a key", hint=hint)
    if place.certificate is None and not place.behind_proxy:
        raise SettingsError(
            f"{reached}, and keys would travel unencrypted",
            hint="give --tls-cert and --tls-key, or --behind-proxy for a proxy with TLS",
        )


class Serving:
    """One server. `run` it once; `stop` lets requests under way end, a second one does not."""

    def __init__(self, session: UltrAI, bound: socket.socket, *, place: Place = _HERE) -> None:
        self._session = session
        self._bound = bound
        self._place = place
        self._runs = LiveRuns(session, most=place.most_runs)
        rules = DoorRules(
            hosts=frozenset(name.lower() for name in (place.host, *place.hosts)),
            origins=frozenset(origin.lower().rstrip("/") for origin in place.origins),
            any_host=not place.is_local and not place.hosts,
        )
        config = uvicorn.Config(
            make_app(self._runs, rules=rules),
            http=GuardedProtocol,
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
            ssl_certfile=place.certificate,
            ssl_keyfile=place.private_key,
        )
        self._server = _Server(config)

    def stop(self) -> None:
        """Take no more requests, and end when those under way have."""
        self._runs.is_draining = True
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True

    def forget_ended(self) -> None:
        """Leave the Runs that are over to the history."""
        self._runs.forget_ended()

    async def run(self, *, ready: Callable[[str], None]) -> None:
        """Serve until stopped. `ready` is called with the address once it listens."""
        self._server.ready = lambda: ready(self._place.url_of(self._bound))
        chores = asyncio.get_running_loop().create_task(do_chores(self._session))
        try:
            await self._server.serve(sockets=[self._bound])
        finally:
            chores.cancel()
            with suppress(asyncio.CancelledError):
                await chores
            await self._runs.aclose()


def allow_many_connections() -> None:
    """Let the process have as many files open as the system allows it."""
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Server(uvicorn.Server):
    """uvicorn's, that says when it listens and leaves the signals to whoever runs it."""

    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
