"""The way to the upstream: addresses, TLS, proxies, redirects, and what is sent along."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from dataclasses import replace

import pytest
import trustme
from tests.contract.product.asking import A, B, ask, codes_of, failures_of, kinds_of, settings_for
from tests.contract.product.command import command
from tests.contract.product.upstream import (
    KEY,
    Upstream,
    listening,
    refusal,
    running,
    whole,
)

import ultrai
from ultrai.domain.secret import Secret
from ultrai.settings.model import Attribution, Settings

QUESTION = ("ask", "ping", "-m", A, "--json")


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask_at(base_url, home, **wishes):
    """One question to models that nobody lists, at an address of its own; the Report and code."""
    settings = Settings(
        home=home,
        base_url=base_url,
        key=Secret(KEY),
        backoff_base_s=0.01,
        connect_timeout_s=0.5,
        max_attempts=2,
    )

    async def run():
        async with ultrai.open(settings) as product:
            return await product.ask("ping", **{"models": [A, B], "deadline_s": 20.0, **wishes})

    report = asyncio.run(run())
    return report.to_dict(), report.exit_code


def test_a_refused_connection_is_a_network_failure_that_costs_nothing(tmp_path):
    report, code = ask_at(f"http://127.0.0.1:{closed_port()}/api/v1", tmp_path)
    for slot in report["slots"]:
        assert kinds_of(slot) == ["network"] * 2
        assert {a["cost_state"] for a in slot["attempts"]} == {"not_billed"}
        assert slot["failure"]["advice"]
    assert "catalogue_missing" in codes_of(report)
    assert (report["status"], report["cost_usd"], code) == ("failed", "0", 4)


def test_a_name_that_cannot_be_resolved_is_a_network_failure(tmp_path):
    report, code = ask_at("https://upstream.invalid/api/v1", tmp_path)
    assert kinds_of(report["slots"][0]) == ["network"] * 2
    assert "upstream.invalid" in report["slots"][0]["failure"]["message"]
    assert code == 4


def test_a_connection_that_nobody_accepts_ends_within_the_deadline(tmp_path):
    """A listener whose queue is full: SYNs are dropped, and connecting hangs."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        began = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        report, code = ask_at(url, tmp_path, deadline_s=3.0)
        assert time.monotonic() - began < 12
    assert set(kinds_of(report["slots"][0])) <= {"timeout", "network", "deadline"}
    assert report["elapsed_ms"] < 10_000
    assert code == 4


def test_every_model_dead_ends_within_the_deadline_and_names_each_failure(tmp_path):
    upstream = Upstream(otherwise=refusal(502, "Provider returned error"))
    models = [f"acme/dead-{number}" for number in range(8)]
    upstream.listed(*models)
    backups = {model: [other for other in models if other != model][:3] for model in models}
    report, code = ask(upstream, tmp_path, models=models, backups=backups, deadline_s=20)
    assert (report["status"], code) == ("failed", 4)
    assert report["elapsed_ms"] < 20_000
    for slot in report["slots"]:
        assert set(kinds_of(slot)) == {"upstream_error"}
        assert [a["model"] for a in slot["attempts"][:3]] == [slot["primary"]] * 3
        assert slot["failure"]["remedy"] == "give_up_slot"


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
def test_a_redirect_is_never_followed_and_the_other_host_sees_no_key(status, tmp_path):
    seen = []

    async def elsewhere(reader, writer):
        seen.append(await reader.read(65536))

    async def run():
        async with listening(elsewhere) as port:
            there = f"Location: http://localhost:{port}/api/v1/chat/completions"
            moved = whole(status, b"{}", there)
            upstream = Upstream(otherwise=moved, listing=moved)
            async with (
                running(upstream),
                ultrai.open(settings_for(upstream, tmp_path, max_attempts=1)) as product,
            ):
                return (await product.ask("ping", models=[A])).to_dict()

    report = asyncio.run(run())
    failure = failures_of(report["slots"][0])[0]
    assert (failure["kind"], failure["status"]) == ("bad_response", int(status[:3]))
    assert seen == []


def test_what_is_sent_along_by_default(tmp_path):
    upstream = Upstream()
    ask(upstream, tmp_path, models=[A], temperature=0.5, seed=7, system="Be brief.")
    call = upstream.calls[0]
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["http-referer"].startswith("https://")
    assert call.headers["x-openrouter-title"] == "UltrAI"
    assert call.headers["content-type"].startswith("application/json")
    assert call.body["model"] == A
    assert (call.body["max_tokens"], call.body["stream"]) == (1000, True)
    assert (call.body["temperature"], call.body["seed"]) == (0.5, 7)
    assert [message["role"] for message in call.body["messages"]] == ["system", "user"]
    assert call.body["messages"][1]["content"] == "ping"


def test_attribution_can_be_changed_and_switched_off(tmp_path):
    for number, attribution in enumerate(
        (Attribution("https://me.example", "Mine"), Attribution("", ""))
    ):
        upstream = Upstream()
        ask(upstream, tmp_path / str(number), {"attribution": attribution}, models=[A])
        headers = upstream.calls[0].headers
        assert headers.get("http-referer", "") == attribution.referer
        assert headers.get("x-openrouter-title", "") == attribution.title


@pytest.mark.parametrize("url", ["http://10.0.0.1/v1", "http://127.0.0.1.nip.io/v1"])
def test_plain_http_is_refused_but_on_this_machine(url, tmp_path):
    upstream = Upstream()
    upstream.host = "unused"
    ended = asyncio.run(command(upstream, *QUESTION, env={"OPENROUTER_BASE_URL": url}))
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert KEY not in ended.err


# --- TLS and proxies -------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path):
    """An authority of our own, where its certificate lies, and a server's half of TLS."""
    ca = trustme.CA()
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "upstream.test").configure_cert(context)
    return str(path), context


async def ask_over_tls(upstream, context, *, env):
    async with running(upstream, tls=context):
        return await command(upstream, *QUESTION, "--deadline", "20", env=env)


def tls_upstream(host="localhost"):
    upstream = Upstream(scheme="https", host=host)
    upstream.listed(A)
    return upstream


def test_a_certificate_of_a_known_authority_is_accepted(authority):
    path, context = authority
    upstream = tls_upstream()
    ended = asyncio.run(ask_over_tls(upstream, context, env={"SSL_CERT_FILE": path}))
    assert (ended.code, len(upstream.calls)) == (0, 1)


def test_a_certificate_of_an_unknown_authority_is_refused_before_the_key_is_sent(authority):
    upstream = tls_upstream()
    ended = asyncio.run(ask_over_tls(upstream, authority[1], env={}))
    assert ended.code == 4
    failure = failures_of(ended.json["slots"][0])[0]
    assert failure["kind"] == "network"
    assert "certificate" in failure["message"]
    assert upstream.calls + upstream.lookups == []


def test_a_certificate_for_another_name_is_refused(authority):
    path, context = authority
    upstream = tls_upstream("127.0.0.1")
    ended = asyncio.run(ask_over_tls(upstream, context, env={"SSL_CERT_FILE": path}))
    assert ended.code == 4
    assert upstream.calls + upstream.lookups == []


class Proxy:
    """A CONNECT proxy that leads every name to one port of this machine."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.heads = []

    async def serve(self, reader, writer):
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        there, back = await asyncio.open_connection("127.0.0.1", self.upstream.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, back))
                group.create_task(_pump(there, writer))
        finally:
            back.close()


async def _pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()
    except OSError:
        pass


def through_proxy(context, *, env):
    async def run():
        upstream = tls_upstream("upstream.test")
        proxy = Proxy(upstream)
        async with running(upstream, tls=context), listening(proxy.serve) as port:
            upstream_url = f"https://upstream.test:{upstream.port}/api/v1"
            address = f"http://user:secret@127.0.0.1:{port}"
            names = {name: value.format(proxy=address) for name, value in env.items()}
            ended = await command(
                upstream,
                *QUESTION,
                "--deadline",
                "20",
                env={"OPENROUTER_BASE_URL": upstream_url, **names},
            )
        return ended, proxy, upstream

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["https_proxy", "ALL_PROXY"])
def test_a_proxy_variable_is_honoured_and_tls_goes_through_it(name, authority):
    path, context = authority
    ended, proxy, upstream = through_proxy(context, env={"SSL_CERT_FILE": path, name: "{proxy}"})
    assert (ended.code, len(upstream.calls)) == (0, 1)
    assert proxy.heads[0].startswith("CONNECT upstream.test:")
    assert "Proxy-Authorization: Basic" in proxy.heads[0]
    assert not any(KEY in head for head in proxy.heads)
    assert "user:secret" not in ended.out + ended.err


def test_no_proxy_is_honoured(authority):
    path, context = authority
    env = {"SSL_CERT_FILE": path, "HTTPS_PROXY": "{proxy}", "NO_PROXY": ".test"}
    ended, proxy, upstream = through_proxy(context, env=env)
    assert (ended.code, proxy.heads, upstream.calls) == (4, [], [])


def test_loopback_never_goes_through_a_proxy():
    async def run():
        upstream = Upstream()
        upstream.listed(A)
        async with running(upstream):
            dead = f"http://127.0.0.1:{closed_port()}"
            env = {"HTTP_PROXY": dead, "ALL_PROXY": dead, "http_proxy": dead}
            return await command(upstream, *QUESTION, env=env)

    assert asyncio.run(run()).code == 0


def test_a_proxy_that_refuses_is_a_network_failure(tmp_path):
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def run():
        async with listening(refuse) as port:
            upstream = Upstream(scheme="https", host="upstream.test", port=443)
            settings = settings_for(upstream, tmp_path, max_attempts=1)
            settings = replace(settings, proxy=f"http://127.0.0.1:{port}")
            async with ultrai.open(settings) as product:
                return (await product.ask("ping", models=[A])).to_dict()

    report = asyncio.run(run())
    failure = failures_of(report["slots"][0])[0]
    assert failure["kind"] == "network"
    assert "407" in failure["message"]
    assert report["slots"][0]["attempts"][0]["cost_state"] == "not_billed"


def test_a_second_upstreams_key_is_its_own(tmp_path):
    from ultrai.settings.model import UpstreamSettings

    async def run():
        first, second = Upstream(), Upstream()
        first.listed(A)
        second.listed("tiny")
        async with running(first), running(second):
            other = UpstreamSettings(
                prefix="box", base_url=second.url, key=Secret("sk-box-1234567")
            )
            settings = settings_for(first, tmp_path, upstreams={"box": other})
            async with ultrai.open(settings) as product:
                report = await product.ask("ping", models=[A, "box/tiny"])
        return report, first, second

    report, first, second = asyncio.run(run())
    assert report.exit_code == 0
    assert {call.headers["authorization"] for call in first.calls + first.lookups} == {
        f"Bearer {KEY}"
    }
    assert {c.headers["authorization"] for c in second.calls + second.lookups} == {
        "Bearer sk-box-1234567"
    }
    assert second.calls[0].model == "tiny"
