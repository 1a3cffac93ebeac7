"""`/keys` refuses what no key can be, tells what it has, and makes every secret only once."""

from __future__ import annotations

import pytest
from tests.contract.sim.talking import ask, fetch, talk, with_simulator

from ultrai_sim import AccountTerms, KeyTerms, World

NOON = 1_795_435_200.0  # 2026-11-23 12:00 UTC
INFERENCE = "sk-or-v1-" + "a" * 64
MANAGEMENT = "sk-or-v1-" + "b" * 64
NOBODY = "0" * 64


def world(**settings):
    keys = (KeyTerms(INFERENCE), KeyTerms(MANAGEMENT, kind="management"))
    return World(clock=lambda: NOON, keys=keys, **settings)


def manage(sim, method, path="", *, key=MANAGEMENT, **arguments):
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    headers |= arguments.pop("headers", {})
    return talk(method, f"{sim.base_url}/keys{path}", headers, **arguments)


def hash_of(heard):
    return heard.body["data"]["hash"]


WRONG = [
    ("name", "", "at least 1 character"),
    ("name", 5, "at least 1 character"),
    ("name", None, "at least 1 character"),
    ("limit", -1, "greater than or equal to 0"),
    ("limit", "5", "greater than or equal to 0"),
    ("limit", True, "greater than or equal to 0"),
    ("limit_reset", "yearly", "daily|weekly|monthly"),
    ("limit_reset", ["daily"], "daily|weekly|monthly"),
    ("include_byok_in_limit", "yes", "expected boolean"),
    ("disabled", None, "expected boolean"),
    ("expires_at", "2027-01-01", "ISO 8601 timestamp in UTC, with seconds"),
    ("expires_at", "2027-01-01T00:00Z", "ISO 8601 timestamp in UTC, with seconds"),
    ("expires_at", "2027-01-01T00:00:00+02:00", "ISO 8601 timestamp in UTC, with seconds"),
    ("expires_at", "2027-02-30T00:00:00Z", "ISO 8601 timestamp in UTC, with seconds"),
    ("expires_at", 1_800_000_000, "ISO 8601 timestamp in UTC, with seconds"),
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("field", "value", "expected"), WRONG)
def test_a_field_that_cannot_be_is_named_and_changes_nothing(method, field, value, expected):
    async def story(sim):
        path = f"/{hash_of(await manage(sim, 'POST', json={'name': 'kept', 'limit': 1}))}"
        body = {"name": "fresh", field: value}
        refused = await manage(sim, method, path if method == "PATCH" else "", json=body)
        listed = (await manage(sim, "GET")).body["data"]
        return refused, [(row["name"], row["limit"]) for row in listed]

    refused, rows = with_simulator(world(), story)
    assert refused.status == 400
    assert refused.body["error"]["code"] == 400
    assert refused.body["error"]["message"].startswith(f"{field}: ")
    assert expected in refused.body["error"]["message"]
    assert rows[1:] == [("kept", 1)]


@pytest.mark.parametrize(
    ("raw", "content_type", "message"),
    [
        (b"{", "application/json", "Malformed JSON in request body"),
        (b"[]", "application/json", "Malformed JSON in request body"),
        (b"\xff", "application/json", "Malformed JSON in request body"),
        (b'{"limit": 1e999}', "application/json", "Malformed JSON in request body"),
        (b"{}", "application/json", "name: Required"),
        (b'{"name": "x"}', "text/plain", "name: Required"),
    ],
)
def test_a_body_that_is_none_makes_no_key(raw, content_type, message):
    async def story(sim):
        headers = {"Content-Type": content_type}
        refused = await manage(sim, "POST", headers=headers, data=raw)
        return refused, len((await manage(sim, "GET")).body["data"])

    refused, count = with_simulator(world(), story)
    assert (refused.status, refused.body["error"]["message"], count) == (400, message, 1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "", 401), ("POST", "", 403), ("GET", f"/{NOBODY}", 401)]
    + [(method, f"/{NOBODY}", 401) for method in ("PATCH", "DELETE")],
)
def test_who_may_not_manage_is_refused_before_anything_is_looked_at(method, path, status):
    async def story(sim):
        body = {} if method == "GET" else {"json": {"name": ""}}
        keys = (INFERENCE, "sk-or-v1-unknown", None)
        return [await manage(sim, method, path, key=key, **body) for key in keys]

    heard = with_simulator(world(), story)
    assert [each.status for each in heard] == [status, 401, 401]
    assert [each.body["error"]["message"] for each in heard] == [
        "Only management keys can perform this operation",
        "User not found.",
        "No cookie auth credentials found",
    ]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_key_that_is_not_there_cannot_be_found_and_nor_can_a_management_key(method):
    async def story(sim):
        hashes = [row["hash"] for row in (await fetch(sim, "/sim/keys")).body["data"]]
        body = {"json": {"name": "x"}} if method == "PATCH" else {}
        return [await manage(sim, method, f"/{one}", **body) for one in (NOBODY, hashes[1])]

    for heard in with_simulator(world(), story):
        assert (heard.status, heard.body["error"]["message"]) == (404, "API key not found")


def test_disabled_keys_are_listed_on_demand_and_offsets_leave_the_first_out():
    async def story(sim):
        await manage(sim, "POST", json={"name": "off", "disabled": True})
        await manage(sim, "POST", json={"name": "on"})
        queries = ("", "?include_disabled=true", "?offset=1", "?offset=9", "?offset=-1")
        return [await manage(sim, "GET", query) for query in queries]

    *good, wrong = with_simulator(world(), story)
    names = [[row["name"] for row in heard.body["data"]] for heard in good]
    first = "Key aaa"
    assert names == [[first, "on"], [first, "off", "on"], ["on"], []]
    assert wrong.status == 400


def test_a_page_has_a_hundred_keys():
    async def story(sim):
        for number in range(100):
            await manage(sim, "POST", json={"name": f"{number}"})
        pages = [await manage(sim, "GET", query) for query in ("", "?offset=100")]
        return [len(page.body["data"]) for page in pages]

    assert with_simulator(world(), story) == [100, 1]


def test_no_secret_is_made_twice_though_keys_were_deleted_and_the_clock_stands():
    async def story(sim):
        made = [await manage(sim, "POST", json={"name": name}) for name in "ab"]
        await manage(sim, "DELETE", f"/{hash_of(made[0])}")
        made.append(await manage(sim, "POST", json={"name": "c"}))
        rows = (await manage(sim, "GET")).body["data"]
        return [heard.body["key"] for heard in made], [row["name"] for row in rows]

    secrets, names = with_simulator(world(), story)
    assert len(set(secrets)) == 3
    assert names == ["Key aaa", "b", "c"]


def test_what_was_changed_is_told_and_holds_at_once():
    async def story(sim):
        made = await manage(sim, "POST", json={"name": "k", "limit": 5, "limit_reset": "weekly"})
        path, secret = f"/{hash_of(made)}", made.body["key"]
        changed = await manage(sim, "PATCH", path, json={"limit": 0, "limit_reset": None})
        refused = await ask(sim, key=secret)
        await manage(sim, "PATCH", path, json={"limit": None})
        return made, changed, refused, await ask(sim, key=secret)

    made, changed, refused, served = with_simulator(world(), story)
    assert (made.body["data"]["limit_reset"], made.body["data"]["updated_at"]) == ("weekly", None)
    row = changed.body["data"]
    assert (row["limit"], row["limit_remaining"], row["limit_reset"]) == (0, 0, None)
    assert row["updated_at"].startswith("2026-11-23T12:00:00")
    assert (refused.status, served.status) == (403, 200)
    assert "(total limit)" in refused.body["error"]["message"]


def test_money_of_the_accounts_own_provider_keys_counts_where_the_key_says_so():
    terms = AccountTerms(byok=("OpenAI",))

    async def story(sim):
        heard = []
        for counts in (True, False):
            body = {"name": "k", "limit": 0.001, "include_byok_in_limit": counts}
            secret = (await manage(sim, "POST", json=body)).body["key"]
            await ask(sim, key=secret, max_tokens=60)
            heard.append((await fetch(sim, "/key", key=secret)).body["data"])
        return heard

    counted, apart = with_simulator(world(account=terms), story)
    assert counted["byok_usage"] == apart["byok_usage"] > 0
    assert counted["usage"] == apart["usage"] == 0
    assert counted["limit_remaining"] == pytest.approx(0.001 - counted["byok_usage"], abs=1e-12)
    assert apart["limit_remaining"] == 0.001


@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"code": 5}, 400), ({"code": "made-up"}, 403)]
)
def test_nobody_has_a_code_of_the_browsers_flow(body, status):
    async def story(sim):
        return await talk("POST", f"{sim.base_url}/auth/keys", {}, json=body)

    heard = with_simulator(world(), story)
    assert heard.status == status
    assert "error" in heard.body
