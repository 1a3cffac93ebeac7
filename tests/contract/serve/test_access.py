"""Access keys: wanted as soon as there is one, for what they allow and as long as they hold."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.contract.serve.house import ASKED, ONE, THREE, TWO, House, at_home

from ultrai.cli.app import run
from ultrai.domain.access import AccessKey, AccessScope, NewAccess
from ultrai.policy.access_tokens import digest_of, id_in, is_token_of, token_of
from ultrai.server import access
from ultrai.server.app import pages_of
from ultrai.server.live import LiveRuns

PUBLIC = {"/healthz", "/readyz", "/openapi.json", "/", "/web/{name:path}"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes counts at once."""
    monkeypatch.setattr(access, "FRESH_S", -1.0)


async def key(house: House, **wishes: Any) -> tuple[AccessKey, dict[str, str]]:
    """A new key and the header that bears it."""
    made, token = await (await house.session.access()).create(NewAccess(**{"name": "a", **wishes}))
    return made, {"Authorization": f"Bearer {token}"}


def test_without_a_key_any_header_does_and_with_one_only_its_own() -> None:
    async def story(house: House) -> None:
        assert (await house.chat(ONE, headers={"Authorization": "Bearer whatever"})).status == 200
        made, mine = await key(house)
        for headers, code in (
            ({}, "missing_key"),
            ({"Authorization": "Basic x"}, "missing_key"),
            ({"Authorization": "Bearer whatever"}, "invalid_key"),
            ({"Authorization": f"{mine['Authorization']}x"}, "invalid_key"),
            ({"Authorization": f"Bearer {token_of(made.id, '')}"}, "invalid_key"),
            ({"Authorization": f"Bearer {token_of('0' * 12, 'x')}"}, "invalid_key"),
        ):
            heard = await house.chat(ONE, headers=headers)
            assert (heard.status, heard.body["error"]["code"]) == (401, code), headers
        assert (await house.chat(ONE, headers=mine)).status == 200
        mine = {"x-api-key": mine["Authorization"].removeprefix("Bearer ")}
        assert (await house.chat(ONE, headers=mine)).status == 200
        await (await house.session.access()).revoke(made.id)
        assert (await house.chat(ONE, headers=mine)).status == 401
        assert (await house.chat(ONE)).status == 401

    at_home(story)


def test_every_route_wants_a_key_but_those_that_are_for_everybody() -> None:
    async def story(house: House) -> None:
        _, asks = await key(house)
        _, reads = await key(house, scopes=(AccessScope.READ,))
        _, watches = await key(house, scopes=(AccessScope.METRICS,))
        by_scope = {"ask": asks, "read": reads, "metrics": watches}
        pages = pages_of(LiveRuns(house.session))
        assert {page.path for page in pages if page.scope is None} == PUBLIC
        for page in pages:
            path = page.path.replace("{model:path}", ONE).replace("{name:path}", "app.js")
            path = path.format(run_id="run_x", slot="0")
            assert (await house.send(page.method, path)).status == (
                200 if page.scope is None else 401
            )
            for scope, headers in by_scope.items():
                heard = await house.send(page.method, path, headers=headers)
                reading = page.method == "GET" and (page.scope, scope) == ("ask", "read")
                if page.scope is None or page.scope == scope or reading:
                    assert heard.status not in (401, 403), (page.path, scope)
                else:
                    assert heard.status == 403, (page.path, scope)

    at_home(story)


def test_a_key_asks_only_what_it_may() -> None:
    async def story(house: House) -> None:
        _, mine = await key(house, models=("ultrai/trio", "google/*"))
        for model, status in (
            ("ultrai/trio", 200),
            ("ultrai/TRIO:first", 200),
            (TWO, 200),
            (ONE, 403),
            ("ultrai/speedy", 403),
            ("ultrai/auto", 403),
        ):
            heard = await house.chat(model, headers=mine)
            assert heard.status == status, model
        heard = await house.chat(ONE, headers=mine)
        assert heard.body["error"]["code"] == "model_not_allowed"
        body = {"prompt": "x", "models": [TWO], "backups": {TWO: [THREE]}}
        heard = await house.send("POST", "/v1/runs", json=body, headers=mine)
        assert heard.status == 403
        rows = (await house.send("GET", "/v1/models", headers=mine)).body["data"]
        assert {row["id"].partition("/")[0] for row in rows} == {"ultrai", "google"}

    at_home(story)


def test_a_keys_rate_is_exact_and_says_when_to_come_back() -> None:
    async def story(house: House) -> None:
        _, mine = await key(house, per_minute=3)
        heard = await asyncio.gather(*[house.chat(ONE, headers=mine) for _ in range(6)])
        assert sorted(each.status for each in heard) == [200] * 3 + [429] * 3
        late = next(each for each in heard if each.status == 429)
        assert late.body["error"]["code"] == "rate_limited"
        assert 58 <= int(late.headers["Retry-After"]) <= 60
        _, other = await key(house)
        assert (await house.chat(ONE, headers=other)).status == 200

    at_home(story)


def test_a_keys_budget_holds_and_nobody_spends_on_anothers() -> None:
    async def story(house: House) -> None:
        made, mine = await key(house, limit_nanos=1, per="day")
        heard = await house.chat(ONE, headers=mine)
        assert (heard.status, heard.body["error"]["code"]) == (402, "refused_by_budget")
        _, other = await key(house)
        assert (await house.chat(ONE, headers=other)).status == 200
        options = {"tags": {"access": made.id}}
        heard = await house.chat(ONE, headers=other, ultrai=options)
        assert heard.status == 400
        (budget,) = await (await house.session.books()).budgets()
        assert budget.budget.name == f"access-{made.id}"

    at_home(story)


def test_a_key_sees_its_own_runs_and_no_others() -> None:
    async def story(house: House) -> None:
        _, mine = await key(house)
        _, other = await key(house)
        _, reader = await key(house, scopes=(AccessScope.READ,))
        run_id = (await house.chat(ONE, headers=mine)).body["ultrai"]["run_id"]
        body = {"messages": ASKED, "models": [ONE]}
        heard = await house.send("POST", "/v1/runs", json=body, headers=mine)
        for each in (run_id, heard.body["id"]):
            path = f"/v1/runs/{each}"
            for way in ("", "/events"):
                assert (await house.send("GET", path + way, headers=mine)).status in (200, 204)
                assert (await house.send("GET", path + way, headers=reader)).status in (200, 204)
                assert (await house.send("GET", path + way, headers=other)).status == 404
            for way in ("/cancel", "/slots/0/cancel", "/slots/0/retry"):
                assert (await house.send("POST", path + way, headers=other)).status == 404
                assert (await house.send("POST", path + way, headers=reader)).status == 403
        keyed = {"Idempotency-Key": "k"}
        one = await house.chat(ONE, headers={**mine, **keyed})
        two = await house.chat(ONE, headers={**other, **keyed})
        assert one.body["id"] != two.body["id"]

    at_home(story)


def test_a_key_ends_when_it_was_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        _, mine = await key(house, expires_at="2000-01-01T00:00:00.000Z")
        assert (await house.chat(ONE, headers=mine)).status == 401
        _, mine = await key(house, expires_at="2999-01-01T00:00:00.000Z")
        assert (await house.chat(ONE, headers=mine)).status == 200

    at_home(story)


def test_only_a_hash_is_kept_and_no_answer_holds_the_key() -> None:
    async def story(house: House) -> None:
        _, mine = await key(house)
        token = mine["Authorization"].removeprefix("Bearer ")
        secret = token.rpartition("-")[2]
        heard = [
            await house.chat(ONE, headers=mine),
            await house.chat("nobody/x", headers=mine),
            await house.chat(ONE, headers={"Authorization": f"Bearer {token}x"}),
            await house.send("GET", "/metrics", headers=mine),
        ]
        assert all(secret not in each.raw.decode() for each in heard)
        path = Path(house.session.settings.home) / "ultrai.db"
        with sqlite3.connect(path) as database:
            assert secret not in "\n".join(database.iterdump())

    at_home(story)


def test_a_token_is_told_from_all_others() -> None:
    token = token_of("abc", "secret-with-dashes")
    mine = AccessKey("abc", "a", digest_of(token), "2026-01-01T00:00:00.000Z")
    assert id_in(token) == "abc"
    assert id_in("sk-abc") == id_in("") == id_in("ultrai-" + "x" * 500) == ""
    assert is_token_of(token, mine)
    assert not is_token_of(token + "x", mine)
    assert not is_token_of(token, None)
    assert "digest" not in json.dumps(mine.to_dict())


def test_the_command_makes_lists_and_revokes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ULTRAI_HOME", str(tmp_path))

    def said(*arguments: str, code: int = 0) -> str:
        assert run(["access", *arguments]) == code
        return capsys.readouterr().out

    assert run(["serve", "--host", "0.0.0.0", "--check", "--port", "0"]) == 2
    assert "ultrai access create" in capsys.readouterr().err
    token = said("create", "phone", "--expires", "30d", "--allow", "ultrai/*", "--rate", "9")
    (row,) = json.loads(said("ls", "--json"))["keys"]
    assert id_in(token.strip()) == row["id"]
    assert (row["name"], row["models"], row["per_minute"]) == ("phone", ["ultrai/*"], 9)
    assert row["valid"]
    made = json.loads(said("create", "phone", "--limit", "5", "--per", "day", "--json"))
    assert id_in(made["key"]) == made["id"]
    assert run(["serve", "--host", "0.0.0.0", "--check", "--port", "0"]) == 2
    assert "unencrypted" in capsys.readouterr().err
    assert run(["serve", "--host", "0.0.0.0", "--check", "--port", "0", "--behind-proxy"]) == 0
    capsys.readouterr()
    assert "phone" in said("ls")
    said("revoke", "phone", code=2)
    said("revoke", "nobody", code=2)
    (row,) = json.loads(said("revoke", made["id"], "--json"))["keys"]
    assert not row["valid"]
    assert made["id"] in said("ls")
    assert "revoked" in said("ls")
    for wrong in ("soon", "0d", "2001-01-01"):
        said("create", "x", "--expires", wrong, code=2)
