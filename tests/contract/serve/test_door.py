"""Hostile clients: foreign names and pages, too much, too slow, too many."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.contract.serve.house import ONE, House, at_home, until

from ultrai.domain.errors import SettingsError
from ultrai.server import exchange as exchanges
from ultrai.server import guard
from ultrai.server.exchange import ClientGone, Exchange, Intake
from ultrai.server.problems import Refused
from ultrai.server.serving import Place, check_place
from ultrai_sim import Latency


async def raw(house: House, sent: bytes, *, wait: bool = True) -> bytes:
    """What comes back for these bytes, until the server closes."""
    host, port = house.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    heard = b""
    try:
        async with asyncio.timeout(5):
            while part := await reader.read(65_536):
                heard += part
                if not wait:
                    break
    except ConnectionResetError:  # closed while we were still sending
        pass
    finally:
        writer.close()
    return heard


def head(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def test_a_foreign_name_or_page_is_turned_away() -> None:
    async def story(house: House) -> None:
        place = house.url.removeprefix("http://")
        port = place.rpartition(":")[2]
        for headers, status in (
            ({"Host": "evil.example"}, 421),
            ({"Host": "evil.example:8484"}, 421),
            ({"Host": "127.0.0.1.evil.example"}, 421),
            ({"Host": "169.254.169.254"}, 421),
            ({"Host": "localhost"}, 200),
            ({"Host": f"[::1]:{port}"}, 200),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": f"http://{place}"}, 200),
            ({"Origin": f"http://{place}.evil.example"}, 403),
            ({"Host": "localhost:1", "Origin": "http://localhost:2"}, 403),
        ):
            for method, path in (("GET", "/v1/models"), ("GET", "/healthz")):
                heard = await house.send(method, path, headers=headers)
                assert heard.status == status, (headers, heard.raw)
                assert "Access-Control-Allow-Origin" not in heard.headers
        heard = await house.chat(ONE, headers={"Origin": "https://evil.example"})
        assert (heard.status, heard.body["error"]["code"]) == (403, "bad_origin")
        assert house.sim.world.chats() == []

    at_home(story)


def test_no_host_two_hosts_and_what_is_no_http_are_refused() -> None:
    async def story(house: House) -> None:
        for sent, status in (
            (head("GET /healthz HTTP/1.1", "Connection: close"), b" 421 "),
            (head("GET / HTTP/1.1", "Host: localhost", "Host: x", "Connection: close"), b" 400 "),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b" 400 "),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b" 400 "),
            (head("CONNECT evil.example:443 HTTP/1.1", "Host: localhost"), b" 400 "),
            (head("GET /\xe9 HTTP/1.1", "Host: localhost"), b" 400 "),
            (
                head(
                    "POST /v1/chat/completions HTTP/1.1",
                    "Host: localhost",
                    "Content-Length: 5",
                    "Transfer-Encoding: chunked",
                    body=b"0\r\n\r\n",
                ),
                b" 400 ",
            ),
        ):
            heard = await raw(house, sent)
            assert heard.split(b"\r\n")[0].find(status) > 0, (sent, heard)
            assert json.loads(heard.partition(b"\r\n\r\n")[2])["error"]["message"]

    at_home(story)


def test_a_head_without_end_is_not_kept() -> None:
    async def story(house: House) -> None:
        long = "x" * 9000
        many = [f"X-{n}: y" for n in range(200)]
        for sent in (
            head("GET /healthz HTTP/1.1", "Host: localhost", *many),
            b"GET /healthz HTTP/1.1\r\nX: " + long.encode() * 20,
            head("GET /healthz HTTP/1.1", *[f"X-{n}: {long}" for n in range(20)]),
        ):
            heard = await raw(house, sent)
            assert not heard or b" 431 " in heard.split(b"\r\n")[0]
        assert (await house.send("GET", "/healthz")).status == 200

    at_home(story)


def test_a_request_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "HEAD_S", 0.2)
    monkeypatch.setattr(guard, "REQUEST_S", 0.3)

    async def story(house: House) -> None:
        for sent in (
            b"",
            b"GET /healthz HTTP/1.1\r\nHo",
            head("POST /v1/runs HTTP/1.1", "Host: localhost", "Content-Length: 99", body=b"{"),
            head("GET /healthz HTTP/1.1", "Host: localhost") + b"GET /hea",
        ):
            heard = await raw(house, sent)
            assert b"HTTP/1.1 408 " in heard, (sent, heard)
        kept = head("GET /healthz HTTP/1.1", "Host: localhost")
        assert (await raw(house, kept, wait=False)).startswith(b"HTTP/1.1 200 ")

    at_home(story)


def test_a_body_is_bounded_announced_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MOST_BODY_BYTES", 100_000)

    async def story(house: House) -> None:
        async def endless() -> object:
            for _ in range(100):
                yield b" " * 10_000

        for body in (b" " * 100_001, endless()):
            heard = await house.send("POST", "/v1/chat/completions", data=body)
            assert (heard.status, heard.body["error"]["code"]) == (413, "body_too_large")
        headers = {"Content-Encoding": "gzip"}
        heard = await house.send("POST", "/v1/runs", data=b"x", headers=headers)
        assert heard.status == 415

    at_home(story)


def test_bodies_in_memory_are_bounded_together() -> None:
    intake = Intake(most_bytes=10)
    intake.take(6)
    with pytest.raises(Refused):
        intake.take(5)
    intake.give_back(6)
    intake.take(10)


def test_a_full_server_says_so_at_once_and_when_to_come_back() -> None:
    async def story(house: House) -> None:
        asking = [asyncio.create_task(house.chat(ONE, max_tokens=5)) for _ in range(2)]
        await until(lambda: len(house.sim.world.chats()) == 2)
        heard = await house.chat(ONE)
        assert (heard.status, heard.body["error"]["code"]) == (503, "overloaded")
        assert heard.headers["Retry-After"] == "1"
        assert {each.status for each in await asyncio.gather(*asking)} == {200}
        assert (await house.chat(ONE)).status == 200

    at_home(story, place=Place(port=0, most_runs=2), latency=Latency(head_s=0.5))


def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "WRITE_PATIENCE_S", 0.05)
    cut: list[str] = []

    async def story() -> None:
        never = asyncio.get_running_loop().create_future()

        async def receive() -> object:
            return await never

        async def send(message: object) -> None:
            await never

        scope = {"method": "GET", "path": "/", "ultrai.abort": lambda: cut.append("cut")}
        exchange = Exchange(scope, receive, send=send)
        for _ in range(2):
            with pytest.raises(ClientGone):
                await exchange.write(b"text")

    asyncio.run(story())
    assert cut == ["cut"]


def test_a_place_that_others_reach_wants_keys_and_encryption(tmp_path: Path) -> None:
    check_place(Place(), has_keys=False)
    check_place(Place("::1"), has_keys=False)
    pem = tmp_path / "x.pem"
    pem.touch()
    wide = Place("0.0.0.0")
    for place, has_keys in (
        (wide, False),
        (wide, True),
        (Place("0.0.0.0", behind_proxy=True), False),
        (Place("0.0.0.0", certificate=pem), True),
        (Place("0.0.0.0", certificate=pem, private_key=tmp_path / "none"), True),
        (Place(origins=("*",)), False),
    ):
        with pytest.raises(SettingsError):
            check_place(place, has_keys=has_keys)
    check_place(Place("0.0.0.0", behind_proxy=True), has_keys=True)
    check_place(Place("0.0.0.0", certificate=pem, private_key=pem), has_keys=True)


def test_a_page_that_was_allowed_may_ask_and_read() -> None:
    async def story(house: House) -> None:
        page = "https://app.example"
        heard = await house.send("GET", "/v1/models", headers={"Origin": page})
        assert heard.headers["Access-Control-Allow-Origin"] == page
        asked = {"Origin": page, "Access-Control-Request-Method": "POST"}
        heard = await house.send("OPTIONS", "/v1/chat/completions", headers=asked)
        assert heard.status == 204
        assert heard.headers["Access-Control-Allow-Origin"] == page
        assert "Access-Control-Allow-Credentials" not in heard.headers
        for other in ("https://evil.example", "https://app.example.evil.example", "null"):
            heard = await house.send("OPTIONS", "/v1/runs", headers={**asked, "Origin": other})
            assert heard.status == 403
            assert "Access-Control-Allow-Origin" not in heard.headers
        heard = await house.send("GET", "/healthz", headers={"Host": "ultrai.example"})
        assert heard.status == 200

    place = Place(port=0, hosts=("ultrai.example",), origins=("https://app.example",))
    at_home(story, place=place)


def test_where_no_attempt_may_wait_any_more_the_server_is_full() -> None:
    async def story(house: House) -> None:
        asking = [asyncio.create_task(house.chat(ONE, max_tokens=5)) for _ in range(2)]
        await until(lambda: house.session.is_full)
        heard = await house.chat(ONE)
        assert (heard.status, heard.body["error"]["code"]) == (503, "overloaded")
        assert {each.status for each in await asyncio.gather(*asking)} == {200}

    at_home(story, concurrency=1, queue_limit=1, latency=Latency(head_s=0.5))
