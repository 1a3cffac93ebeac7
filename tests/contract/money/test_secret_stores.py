"""Keys from stores: the makers' own libraries, against a Vault's HTTP and a keyring's back end."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import keyring
import keyring.backend
import pytest
from tests.contract.money.canary import check_that_nothing_shows
from tests.contract.money.references import key_of, loaded, problem_of

KEY = "sk-or-v1-canary-0123456789abcdef"


class _Vault(BaseHTTPRequestHandler):
    """KV version 2 at `secret/`, a token, and an AppRole."""

    def do_GET(self) -> None:
        if self.headers.get("X-Vault-Token") != "good":
            return self._answer(403, {"errors": ["permission denied"]})
        if self.path != "/v1/secret/data/team/ultrai":
            return self._answer(404, {"errors": []})
        data = {"data": {"openrouter": KEY, "number": 5}, "metadata": {"version": 3}}
        return self._answer(200, {"data": data})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = json.loads(self.rfile.read(length))
        if self.path == "/v1/auth/approle/login" and asked == {
            "role_id": "role",
            "secret_id": "secret",
        }:
            return self._answer(200, {"auth": {"client_token": "good"}})
        return self._answer(400, {"errors": ["invalid role or secret ID"]})

    def _answer(self, status: int, body: object) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def vault() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Vault)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "opened",
    [{"VAULT_TOKEN": "good"}, {"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": "secret"}],
)
def test_a_vault_gives_one_field_of_a_secret(tmp_path, vault, opened):
    settings = loaded(tmp_path, "vault:secret/team/ultrai#openrouter", VAULT_ADDR=vault, **opened)
    assert key_of(settings) == KEY
    assert KEY not in repr(settings)
    assert [key.reveal() for key in settings.known_keys()] == [KEY], "to be masked"


@pytest.mark.parametrize(
    ("reference", "environ", "told"),
    [
        ("vault:secret/team/ultrai#openrouter", {"VAULT_TOKEN": "bad"}, "permission denied"),
        ("vault:secret/team/none#openrouter", {"VAULT_TOKEN": "good"}, "no such secret"),
        ("vault:secret/team/ultrai#other", {"VAULT_TOKEN": "good"}, "has no text in its field"),
        ("vault:secret/team/ultrai#number", {"VAULT_TOKEN": "good"}, "has no text in its field"),
        ("vault:secret/team/ultrai#openrouter", {"VAULT_ROLE_ID": "no"}, "did not give"),
        ("vault:secret/team/ultrai#openrouter", {}, "neither VAULT_TOKEN nor VAULT_ROLE_ID"),
        ("vault:nonsense", {"VAULT_TOKEN": "good"}, "a path and a field"),
    ],
)
def test_what_a_vault_does_not_give_is_one_line(tmp_path, vault, reference, environ, told):
    problem = problem_of(loaded(tmp_path, reference, VAULT_ADDR=vault, **environ))
    assert problem.startswith("environment: OPENROUTER_API_KEY: ")
    assert told in problem
    assert "\n" not in problem
    assert KEY not in problem


def test_a_vault_that_is_away_stops_only_what_needs_the_key(tmp_path):
    environ = {"VAULT_ADDR": "http://me:mine@127.0.0.1:1", "VAULT_TOKEN": "good"}
    problem = problem_of(loaded(tmp_path, "vault:secret/a#b", **environ))
    assert "the Vault at http://127.0.0.1:1 did not give secret/a: it cannot be reached" in problem
    assert "mine" not in problem
    assert "VAULT_ADDR is not set" in problem_of(loaded(tmp_path, "vault:secret/a#b"))


class _Ring(keyring.backend.KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise keyring.errors.KeyringLocked
        return KEY if (service, username) == ("openrouter", "me") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Nothing is kept."""


@pytest.fixture
def ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(_Ring())
    yield
    keyring.set_keyring(before)


def test_the_keyring_gives_a_key(tmp_path, ring):
    assert key_of(loaded(tmp_path, "keyring:openrouter/me")) == KEY


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("keyring:openrouter/you", "keeps nothing for openrouter/you"),
        ("keyring:locked/me", "KeyringLocked"),
        ("keyring:me", "a service and a name"),
    ],
)
def test_what_the_keyring_does_not_give_is_one_line(tmp_path, ring, reference, told):
    assert told in problem_of(loaded(tmp_path, reference))


@pytest.mark.parametrize(
    ("reference", "library", "extra"),
    [
        ("vault:secret/a#b", "hvac", "secrets-vault"),
        ("keyring:a/b", "keyring", "secrets-keyring"),
        ("aws-sm:a", "boto3", "secrets-aws"),
        ("aws-kms:aaaa", "boto3", "secrets-aws"),
        ("azure-kv:a/b", "azure.identity", "secrets-azure"),
        ("gcp-sm:a/b", "google.cloud.secretmanager", "secrets-gcp"),
    ],
)
def test_a_missing_library_names_its_extra(tmp_path, monkeypatch, reference, library, extra):
    monkeypatch.setitem(sys.modules, library, None)
    environ = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "x"}
    problem = problem_of(loaded(tmp_path, reference, **environ))
    scheme = reference.partition(":")[0]
    assert f"{scheme}: references need the extra '{extra}', which is not installed" in problem
    assert f"pip install 'ultrai[{extra}]'" in problem
    assert "\n" not in problem


def test_nothing_shows_a_key_from_a_vault(tmp_path, vault, caplog):
    environ = {"VAULT_ADDR": vault, "VAULT_TOKEN": "good"}
    settings = loaded(tmp_path, "vault:secret/team/ultrai#openrouter", **environ)
    check_that_nothing_shows(settings, KEY, home=tmp_path, caplog=caplog)


def test_nothing_shows_a_key_from_the_keyring(tmp_path, ring, caplog):
    settings = loaded(tmp_path, "keyring:openrouter/me")
    check_that_nothing_shows(settings, KEY, home=tmp_path, caplog=caplog)


def test_nothing_shows_a_key_from_a_file(tmp_path, caplog):
    place = tmp_path / "key.secret"
    place.write_text(KEY)
    place.chmod(0o600)
    settings = dataclasses.replace(loaded(tmp_path, f"file:{place}"), home=tmp_path / "state")
    check_that_nothing_shows(settings, KEY, home=tmp_path, caplog=caplog)
