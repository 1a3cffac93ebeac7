"""Stands between a client and a PostgreSQL, and can lose a COMMIT or the answer to it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy import make_url


class CuttingProxy:
    """`commits` were sent through it. At the one with the number `lose` the line is cut.

    That is when the server has answered it, so that it took place unheard; or, unless `arrives`,
    before the server has it. Used as a context manager.
    """

    def __init__(self, address: str, *, arrives: bool = True) -> None:
        self.commits = 0
        self.lose: int | None = None
        self._arrives = arrives
        self._target = make_url(address)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    @property
    def address(self) -> str:
        """The same database, through the proxy."""
        port = self._listener.getsockname()[1]
        url = self._target.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
        return url.render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._listener, *self._sockets):
            _cut(each)

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._listener.accept()
                server = self._connect()
                self._sockets += [client, server]
                deaf = threading.Event()
                for pump in (self._forth, self._back):
                    threading.Thread(target=pump, args=(client, server, deaf), daemon=True).start()

    def _connect(self) -> socket.socket:
        folder = self._target.host or self._target.query.get("host")
        port = self._target.port or 5432
        if isinstance(folder, str) and folder.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{folder}/.s.PGSQL.{port}")
            return server
        return socket.create_connection((str(folder), port))

    def _forth(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT" in data:
                    with self._lock:
                        self.commits += 1
                        if self.commits == self.lose:
                            deaf.set()
                if deaf.is_set() and not self._arrives:
                    break
                server.sendall(data)
        _cut(server)
        _cut(client)

    def _back(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while (data := server.recv(65536)) and not deaf.is_set():
                client.sendall(data)
        _cut(client)
        _cut(server)


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
