"""Keys are managed over HTTP as OpenRouter's management keys do it, and money follows them."""

from __future__ import annotations

from tests.contract.sim.talking import ask, fetch, talk, with_simulator

from ultrai_sim import KeyTerms, World

INFERENCE = "sk-or-v1-" + "a" * 64
MANAGEMENT = "sk-or-v1-" + "b" * 64


def world():
    return World(keys=(KeyTerms(INFERENCE), KeyTerms(MANAGEMENT, kind="management")))


def manage(sim, method, path="", key=MANAGEMENT, **arguments):
    headers = {"Authorization": f"Bearer {key}"}
    return talk(method, f"{sim.base_url}/keys{path}", headers, **arguments)


def test_a_key_is_made_once_shown_changed_and_deleted():
    async def story(sim):
        made = await manage(sim, "POST", json={"name": "nightly", "limit": 1})
        secret, row = made.body["key"], made.body["data"]
        assert (made.status, row["name"], row["limit"], row["disabled"]) == (
            201,
            "nightly",
            1,
            False,
        )
        assert (await ask(sim, key=secret)).status == 200
        listed = (await manage(sim, "GET")).body["data"]
        mine = next(each for each in listed if each["hash"] == row["hash"])
        assert mine["usage"] > 0
        assert secret not in str(listed)
        path = f"/{row['hash']}"
        changed = await manage(sim, "PATCH", path, json={"disabled": True})
        assert changed.body["data"]["disabled"] is True
        assert (await ask(sim, key=secret)).status == 401
        assert (await manage(sim, "DELETE", path)).body == {"deleted": True}
        assert (await manage(sim, "GET", path)).status == 404

    with_simulator(world(), story)


def test_an_inference_key_manages_nothing_and_a_management_key_asks_nothing():
    async def story(sim):
        refused = await manage(sim, "GET", key=INFERENCE)
        asked = await ask(sim, key=MANAGEMENT)
        return refused.status, asked.status >= 400

    assert with_simulator(world(), story) == (401, True)


def test_the_bill_the_key_and_generation_say_the_same():
    async def story(sim):
        heard = await ask(sim, key=INFERENCE)
        cost = heard.body["usage"]["cost"]
        spent = (await fetch(sim, "/key", key=INFERENCE)).body["data"]
        told = await fetch(sim, f"/generation?id={heard.body['id']}", key=INFERENCE)
        bill = (await fetch(sim, "/sim/bill")).body["data"]
        assert abs(spent["usage_daily"] - cost) < 1e-12
        assert told.body["data"]["total_cost"] == cost
        assert [line["generation_id"] for line in bill] == [heard.body["id"]]
        # Only completed days are told.
        assert (await fetch(sim, "/activity", key=MANAGEMENT)).body == {"data": []}

    with_simulator(world(), story)
