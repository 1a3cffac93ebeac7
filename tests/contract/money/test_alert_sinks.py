"""Alerts reach real receivers: a webhook that fails twice, a mail server, a program."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from tests.contract.money.mailbox import Mailbox

from ultrai.domain.alert import Alert, AlertKind
from ultrai.domain.errors import CredentialsError
from ultrai.domain.secret import Secret
from ultrai.signals.command import Command
from ultrai.signals.mail import Mail, Server
from ultrai.signals.webhook import Webhook, sign

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ALERT = Alert(
    "alert_1", AlertKind.BUDGET, "day", "budget day has spent 80 %", "2026-11-27", {"a": 1}
)


class Hook:
    """A receiver that answers the given codes, the last for ever, and keeps what came."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.requests: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        where = {"Location": "/elsewhere"} if code == 302 else {}
        return web.Response(status=code, headers=where)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/hook", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}/hook?token=canary"
        finally:
            await runner.cleanup()


async def posted(hook: Hook, secret: str | None = None) -> str | None:
    async with hook.open() as address, aiohttp.ClientSession() as session:
        key = None if secret is None else Secret(secret)
        webhook = Webhook(session, lambda: NOW, Secret(address), key)
        return await webhook.deliver(ALERT)


def test_a_webhook_gets_the_alert_signed_over_id_moment_and_body() -> None:
    hook = Hook(204)
    secret = base64.b64encode(b"sesame").decode()
    assert asyncio.run(posted(hook, f"whsec_{secret}")) is None
    ((headers, body),) = hook.requests
    assert json.loads(body) == ALERT.to_dict()
    at = headers["webhook-timestamp"]
    signed = f"{headers['webhook-id']}.{at}.".encode() + body
    digest = hmac.new(b"sesame", signed, sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert (headers["webhook-id"], at) == ("alert_1", str(int(NOW.timestamp())))


def test_the_example_of_the_specification_has_its_signature() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = sign(
        secret,
        b'{"test": 2432232314}',
        alert_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp="1614265330",
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_is_not_base64_counts_as_it_is_and_none_signs_nothing() -> None:
    hook = Hook(200)
    assert asyncio.run(posted(hook)) is None
    assert "webhook-signature" not in hook.requests[0][0]
    plain = sign("whsec_!", b"x", alert_id="a", timestamp="1")
    assert plain != sign("other", b"x", alert_id="a", timestamp="1")


@pytest.mark.parametrize(("code", "words"), [(500, "answered 500"), (302, "answered 302")])
def test_what_a_webhook_refuses_has_not_arrived(code: int, words: str) -> None:
    hook = Hook(code)
    problem = asyncio.run(posted(hook))
    assert problem is not None
    assert words in problem
    assert "canary" not in problem
    assert len(hook.requests) == 1


def test_a_webhook_that_is_not_there_is_named_without_its_address() -> None:
    async def story() -> str | None:
        async with aiohttp.ClientSession() as session:
            address = Secret("http://127.0.0.1:9/hook?token=canary")
            return await Webhook(session, lambda: NOW, address).deliver(ALERT)

    problem = asyncio.run(story())
    assert problem is not None
    assert problem.startswith("it cannot be reached")
    assert "canary" not in problem


def test_a_secret_is_read_where_it_is_kept_and_its_lack_is_a_problem() -> None:
    def locked() -> Secret:
        raise CredentialsError("the keyring is locked")

    async def story(kept, hook: Hook) -> str | None:
        async with hook.open() as address, aiohttp.ClientSession() as session:
            return await Webhook(session, lambda: NOW, Secret(address), kept).deliver(ALERT)

    hook = Hook(200)
    assert asyncio.run(story(locked, hook)) == "the keyring is locked"
    assert hook.requests == []
    assert asyncio.run(story(lambda: Secret("sesame"), hook)) is None
    assert hook.requests[0][0]["webhook-signature"].startswith("v1,")


# --- mail -----------------------------------------------------------------------------------------


async def mailed(box: Mailbox, host: str = "127.0.0.1", **server: object) -> str | None:
    async with box.open():
        there = Server(host, box.port, **server)  # type: ignore[arg-type]
        return await Mail(there, "from@example.org", ("to@example.org",)).deliver(ALERT)


def test_mail_arrives_with_its_subject_and_facts() -> None:
    box = Mailbox()
    login = {"user": "u", "password": Secret("pw")}
    assert asyncio.run(mailed(box, plain=True, **login)) is None
    (mail,) = box.mails
    assert mail["Subject"] == "UltrAI: budget day has spent 80 %"
    assert (mail["To"], mail["From"]) == ("to@example.org", "from@example.org")
    assert '"kind": "budget"' in mail.get_content()
    assert box.logins == [("u", "pw")]


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_mail_is_encrypted_and_the_server_is_checked(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    box = Mailbox(**{way: context})
    is_tls = way == "tls"
    problem = asyncio.run(mailed(box, "localhost", tls=is_tls))
    assert problem == "the mail server cannot be used: SSLCertVerificationError"
    assert box.mails == []
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert asyncio.run(mailed(box, "localhost", tls=is_tls)) is None
    assert box.encrypted == [True]


def test_a_server_without_encryption_gets_nothing_unless_it_is_here() -> None:
    box = Mailbox()
    problem = asyncio.run(mailed(box, plain=False))
    assert problem == "the mail server cannot be used: SMTPNotSupportedError"
    assert box.mails == []


def test_a_recipient_that_is_refused_is_a_problem() -> None:
    problem = asyncio.run(mailed(Mailbox(refuse="550 no such user"), plain=True))
    assert problem == "the mail server cannot be used: SMTPRecipientsRefused"


def test_a_mail_server_that_hangs_keeps_nobody() -> None:
    async def story() -> None:
        async with Mailbox(hangs=True).open() as box:
            mail = Mail(Server("127.0.0.1", box.port, plain=True), "a@b", ("c@d",))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await mail.deliver(ALERT)

    asyncio.run(story())


# --- a program ------------------------------------------------------------------------------------


def run(program: str, tmp_path: Path) -> str | None:
    argv = (sys.executable, "-c", program, str(tmp_path / "got"))
    return asyncio.run(Command(argv, {"ONLY": "this"}).deliver(ALERT))


def test_a_program_reads_the_alert_and_sees_only_its_environment(tmp_path: Path) -> None:
    program = (
        "import json, os, sys; alert = json.load(sys.stdin);"
        "json.dump([alert, os.environ.get('ONLY'), 'HOME' in os.environ], open(sys.argv[1], 'w'))"
    )
    assert run(program, tmp_path) is None
    got = json.loads((tmp_path / "got").read_text())
    assert got == [ALERT.to_dict(), "this", False]


def test_a_program_that_fails_or_does_not_read_or_is_not_there(tmp_path: Path) -> None:
    assert run("raise SystemExit(3)", tmp_path) == f"{sys.executable} ended with 3"
    nobody = Command((str(tmp_path / "gone"),), {})
    assert "No such file" in str(asyncio.run(nobody.deliver(ALERT)))


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no process groups here")
def test_what_a_program_has_started_ends_with_it(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    program = f"sleep 60 & echo $! > {started}.new; mv {started}.new {started}; wait"

    async def story() -> int:
        command = Command(("sh", "-c", program), {"PATH": os.defpath})
        task = asyncio.create_task(command.deliver(ALERT))
        while not started.exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        return int(started.read_text())

    pid = asyncio.run(story())
    for _ in range(500):  # it was told to end; that takes the system a moment
        if not is_running(pid):
            return
        time.sleep(0.01)
    pytest.fail("what the program had started goes on")


def is_running(pid: int) -> bool:
    """Whether it is there and no zombie that nobody has fetched."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_hangs_is_killed_with_whoever_waits_for_it(tmp_path: Path) -> None:
    async def story() -> int:
        place = tmp_path / "pid"
        program = (
            f"import os, time; open({str(place)!r}, 'w').write(str(os.getpid()));time.sleep(60)"
        )
        task = asyncio.create_task(Command((sys.executable, "-c", program), {}).deliver(ALERT))
        while not (place.exists() and place.read_text()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return int(place.read_text())

    pid = asyncio.run(story())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
