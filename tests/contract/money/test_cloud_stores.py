"""Keys from the stores of AWS, Azure and Google: their own libraries, over real HTTP.

AWS is moto's server. For Azure and Google there is none to install; small servers here speak the
few lines of their protocols that their libraries need.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.server import ThreadedMotoServer
from tests.contract.money.canary import check_that_nothing_shows
from tests.contract.money.references import key_of, loaded, problem_of

KEY = "sk-or-v1-canary-of-the-cloud"
REGION = "eu-central-1"
TOKEN = "token-of-the-machine"
VAULT = "team.vault.ultrai.test"


class _Fake(BaseHTTPRequestHandler):
    """Answers with what `routes` says of a path: a function of the request's headers."""

    routes: dict[str, Callable[[dict[str, str]], tuple[int, dict[str, str], object]]]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        route = self.routes.get(path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, extra, body = route(headers) if route else self.nothing(path)
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **extra}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def nothing(self, path: str) -> tuple[int, dict[str, str], object]:
        return 404, {}, {"error": {"code": 404, "message": f"{path}? {KEY}", "status": "NOT_FOUND"}}

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(routes: dict, context: ssl.SSLContext | None = None) -> Iterator[int]:
    handler = type("Fake", (_Fake,), {"routes": routes})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto, monkeypatch, tmp_path) -> Callable[[str], object]:
    """Sets up the environment as boto3 reads it, and gives clients to put secrets there."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda service: boto3.client(service, region_name=REGION)


def test_secrets_manager_gives_a_text_or_a_field_of_json(tmp_path, aws):
    client = aws("secretsmanager")
    client.create_secret(Name="plain/key", SecretString=KEY)
    made = client.create_secret(Name="table", SecretString=json.dumps({"openrouter": KEY, "n": 5}))
    assert key_of(loaded(tmp_path, "aws-sm:plain/key")) == KEY
    assert key_of(loaded(tmp_path, "aws-sm:table#openrouter")) == KEY
    assert key_of(loaded(tmp_path, f"aws-sm:{made['ARN']}#openrouter")) == KEY


def test_secrets_manager_gives_the_version_of_today(tmp_path, aws):
    client = aws("secretsmanager")
    client.create_secret(Name="rotated", SecretString="sk-or-v1-of-yesterday")
    settings = loaded(tmp_path, "aws-sm:rotated")
    assert key_of(settings) == "sk-or-v1-of-yesterday"
    client.put_secret_value(SecretId="rotated", SecretString=KEY)
    assert key_of(settings) == KEY
    assert len(list(settings.known_keys())) == 2


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("aws-sm:nobody", "Secrets Manager did not give nobody: there is no such secret"),
        ("aws-sm:json", "json holds JSON; name the field: aws-sm:NAME or aws-sm:NAME#FIELD"),
        ("aws-sm:json#other", "json has no text in its field 'other'"),
        ("aws-sm:json#number", "json has no text in its field 'number'"),
        ("aws-sm:bare#field", "bare has no text in its field 'field'"),
        ("aws-sm:binary", "binary has no text"),
        (
            "aws-kms:" + base64.b64encode(b"x" * 60).decode(),
            "KMS did not decrypt the value: it refuses the request",
        ),
    ],
)
def test_what_aws_does_not_give_is_one_line(tmp_path, aws, reference, told):
    client = aws("secretsmanager")
    present = {row["Name"] for row in client.list_secrets()["SecretList"]}
    for name, content in (
        ("json", {"SecretString": json.dumps({"openrouter": KEY, "number": 5})}),
        ("bare", {"SecretString": KEY}),
        ("binary", {"SecretBinary": KEY.encode()}),
    ):
        if name not in present:
            client.create_secret(Name=name, **content)
    problem = problem_of(loaded(tmp_path, reference))
    assert told in problem
    assert "\n" not in problem
    assert KEY not in problem


@pytest.mark.parametrize("reference", ["aws-sm:a", "aws-kms:aaaa"])
def test_aws_that_is_away_or_knows_nobody_is_one_line(tmp_path, aws, monkeypatch, reference):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "it cannot be reached; check AWS_REGION" in problem_of(loaded(tmp_path, reference))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "there are no credentials" in problem_of(loaded(tmp_path, reference))
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "AWS cannot be asked: no region is named" in problem_of(loaded(tmp_path, reference))


def test_kms_decrypts_a_value_that_stands_in_the_settings(tmp_path, aws):
    client = aws("kms")
    key_id = client.create_key()["KeyMetadata"]["KeyId"]
    sealed = client.encrypt(KeyId=key_id, Plaintext=KEY.encode())["CiphertextBlob"]
    reference = f"aws-kms:{base64.b64encode(sealed).decode()}"
    assert key_of(loaded(tmp_path, reference)) == KEY
    (tmp_path / "ultrai.toml").write_text(f"openrouter.api_key = '{reference}'")
    assert key_of(loaded(tmp_path, "")) == KEY
    odd = client.encrypt(KeyId=key_id, Plaintext=b"\xff\xfe")["CiphertextBlob"]
    settings = loaded(tmp_path, f"aws-kms:{base64.b64encode(odd).decode()}")
    assert "the decrypted value has no text" in problem_of(settings)


@pytest.fixture
def azure(tmp_path, monkeypatch) -> Iterator[str]:
    """A vault over TLS at a name of its own, and a machine whose identity it trusts."""

    def secret(headers: dict[str, str]) -> tuple[int, dict[str, str], object]:
        if headers.get("authorization") != f"Bearer {TOKEN}":
            # The library checks that whoever wants a token is the vault that was asked.
            resource = f"https://{headers['host'].removeprefix('team.')}"
            challenge = f'authorization="https://login.ultrai.test/0000", resource="{resource}"'
            return 401, {"WWW-Authenticate": f"Bearer {challenge}"}, {}
        return 200, {}, {"value": KEY, "id": f"https://{VAULT}/secrets/openrouter/0a1b"}

    def forbidden(headers: dict[str, str]) -> tuple[int, dict[str, str], object]:
        status, extra, _ = secret(headers)
        return (status, extra, {}) if status == 401 else (403, {}, {"error": {"code": "Forbidden"}})

    def identity(headers: dict[str, str]) -> tuple[int, dict[str, str], object]:
        assert headers["x-identity-header"] == "mine"
        token = {"access_token": TOKEN, "expires_on": "4102444800", "token_type": "Bearer"}
        return 200, {}, {**token, "resource": "https://vault.azure.net"}

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(VAULT).configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    lookup = socket.getaddrinfo

    def resolved(host: object, *arguments: object, **options: object) -> object:
        return lookup("127.0.0.1" if host == VAULT else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    routes = {
        "/secrets/openrouter/": secret,
        "/secrets/openrouter/0a1b": secret,
        "/secrets/locked/": forbidden,
    }
    with serving({"/token": identity}) as machine, serving(routes, context) as port:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{machine}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "mine")
        yield f"{VAULT}:{port}"


def test_a_key_vault_gives_a_secret_or_one_version_of_it(tmp_path, azure):
    assert key_of(loaded(tmp_path, f"azure-kv:{azure}/openrouter")) == KEY
    assert key_of(loaded(tmp_path, f"azure-kv:{azure}/openrouter/0a1b")) == KEY


@pytest.mark.parametrize(
    ("name", "told"),
    [("nobody", "did not give nobody: there is no such secret"), ("locked", "permission denied")],
)
def test_what_a_key_vault_does_not_give_is_one_line(tmp_path, azure, name, told):
    problem = problem_of(loaded(tmp_path, f"azure-kv:{azure}/{name}"))
    assert told in problem
    assert "az login" in problem
    assert "\n" not in problem
    assert KEY not in problem


def test_a_key_vault_that_is_away_is_one_line_and_nothing_else(tmp_path, azure, capfd):
    problem = problem_of(loaded(tmp_path, f"azure-kv:{VAULT}:1/openrouter"))
    assert "did not give openrouter: it cannot be reached" in problem
    assert "".join(capfd.readouterr()) == ""


@pytest.fixture
def google(tmp_path, monkeypatch) -> Iterator[str]:
    """Secret Manager's REST interface, and a service account that signs its own tokens."""

    def secret(content: bytes) -> Callable[[dict[str, str]], tuple[int, dict[str, str], object]]:
        def answer(headers: dict[str, str]) -> tuple[int, dict[str, str], object]:
            assert headers["authorization"].startswith("Bearer ")
            payload = {"data": base64.b64encode(content).decode()}
            return 200, {}, {"name": "x", "payload": payload}

        return answer

    def refused(_: dict[str, str]) -> tuple[int, dict[str, str], object]:
        error = {"code": 403, "message": f"no {KEY}", "status": "PERMISSION_DENIED"}
        return 403, {}, {"error": error}

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = tmp_path / "account.json"
    account.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "me@team-1.test",
                "private_key": pem.decode(),
                "private_key_id": "1",
                "project_id": "team-1",
                "token_uri": "http://127.0.0.1:1/token",
            }
        )
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    at = "/v1/projects/team-1/secrets"
    routes = {
        f"{at}/openrouter/versions/latest:access": secret(KEY.encode()),
        f"{at}/openrouter/versions/7:access": secret(b"sk-or-v1-number-seven"),
        f"{at}/odd/versions/latest:access": secret(b"\xff\xfe"),
        f"{at}/locked/versions/latest:access": refused,
    }
    with serving(routes) as port:
        yield f"http://127.0.0.1:{port}"


ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"


def test_a_secret_manager_gives_the_latest_version_or_the_one_that_is_named(tmp_path, google):
    environ = {ENDPOINT: f"{google}/"}
    assert key_of(loaded(tmp_path, "gcp-sm:team-1/openrouter", **environ)) == KEY
    seven = loaded(tmp_path, "gcp-sm:projects/team-1/secrets/openrouter/versions/7", **environ)
    assert key_of(seven) == "sk-or-v1-number-seven"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody", "there is no such secret"),
        ("locked", "permission denied"),
        ("odd", "versions/latest has no text"),
    ],
)
def test_what_a_secret_manager_does_not_give_is_one_line(tmp_path, google, name, told):
    problem = problem_of(loaded(tmp_path, f"gcp-sm:team-1/{name}", **{ENDPOINT: google}))
    assert told in problem
    assert "\n" not in problem
    assert KEY not in problem


def test_a_secret_manager_that_is_away_or_knows_nobody_is_one_line(
    tmp_path, google, monkeypatch, capfd
):
    away = {ENDPOINT: "http://127.0.0.1:1"}
    problem = problem_of(loaded(tmp_path, "gcp-sm:team-1/openrouter", **away))
    assert (
        "did not give projects/team-1/secrets/openrouter/versions/latest: it cannot be reached"
        in problem
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(Path(tmp_path) / "none"))
    assert "there are no credentials" in problem_of(loaded(tmp_path, "gcp-sm:team-1/openrouter"))
    assert "".join(capfd.readouterr()) == ""


def test_nothing_shows_a_key_from_secrets_manager(tmp_path, aws, caplog):
    aws("secretsmanager").create_secret(Name="canary", SecretString=KEY)
    settings = loaded(tmp_path, "aws-sm:canary")
    check_that_nothing_shows(settings, KEY, home=tmp_path, caplog=caplog)


def test_nothing_shows_a_key_that_kms_decrypts(tmp_path, aws, caplog):
    client = aws("kms")
    key_id = client.create_key()["KeyMetadata"]["KeyId"]
    sealed = client.encrypt(KeyId=key_id, Plaintext=KEY.encode())["CiphertextBlob"]
    settings = loaded(tmp_path, f"aws-kms:{base64.b64encode(sealed).decode()}")
    check_that_nothing_shows(settings, KEY, home=tmp_path, caplog=caplog)


def test_nothing_shows_a_key_from_a_key_vault(tmp_path, azure, caplog):
    settings = loaded(tmp_path, f"azure-kv:{azure}/openrouter")
    check_that_nothing_shows(settings, KEY, home=tmp_path, caplog=caplog)


def test_nothing_shows_a_key_from_a_secret_manager(tmp_path, google, caplog):
    settings = loaded(tmp_path, "gcp-sm:team-1/openrouter", **{ENDPOINT: google})
    check_that_nothing_shows(settings, KEY, home=tmp_path, caplog=caplog)
