"""The account over time: the world's clock, expiry, ceilings, credits, activity, what was seen."""

from __future__ import annotations

import json

import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, talk, with_simulator

from ultrai_sim import AccountTerms, Fault, KeyTerms, World
from ultrai_sim.account import Account
from ultrai_sim.charges import Need, prices_at
from ultrai_sim.intake import Intake
from ultrai_sim.keys import Key, KeyTermsError
from ultrai_sim.refusals import Refusal
from ultrai_sim.terms import AccountTermsError

FREE = "google/gemma-4-31b-it:free"
ALONE = {"only": ["openai"]}  # no dearer provider may serve, so none is held for
NOON = 1_795_435_200.0  # Monday, 2026-11-23 12:00 UTC
DAY = 86_400
INFERENCE = "sk-or-v1-" + "a" * 64
MANAGEMENT = "sk-or-v1-" + "b" * 64


def world(*keys, **settings):
    keys = keys or (KeyTerms(INFERENCE),)
    managed = (*keys, KeyTerms(MANAGEMENT, kind="management"))
    return World(clock=lambda: NOON, keys=managed, **settings)


def turn(sim, **wish):
    return talk("POST", f"{sim.origin}/sim/clock", {}, json=wish)


# --- the clock -------------------------------------------------------------------------------


def test_the_clock_is_told_and_put_forward_by_seconds_or_to_a_moment():
    async def story(sim):
        told = [(await fetch(sim, "/sim/clock")).body]
        told.append((await turn(sim, advance_s=90)).body)
        told.append((await turn(sim, now="2026-12-01T00:00:00Z")).body)
        return [row["now"] for row in told], (await ask(sim)).headers["Date"]

    told, date = with_simulator(world(), story)
    assert [text[:19] for text in told] == [
        "2026-11-23T12:00:00",
        "2026-11-23T12:01:30",
        "2026-12-01T00:00:00",
    ]
    assert date == "Tue, 01 Dec 2026 00:00:00 GMT"


@pytest.mark.parametrize("wish", [{}, {"advance_s": "soon"}, {"now": "tomorrow"}, [], 7])
def test_a_wish_that_is_none_leaves_the_clock_alone(wish):
    async def story(sim):
        refused = await talk("POST", f"{sim.origin}/sim/clock", {}, json=wish)
        return refused, (await fetch(sim, "/sim/clock")).body["stamp"]

    refused, stamp = with_simulator(world(), story)
    assert refused.status == 400
    assert refused.body["error"]["message"].startswith("clock: expected")
    assert stamp == NOON


@pytest.mark.parametrize(
    ("interval", "before", "after"),
    [
        ("daily", "2026-11-23T23:59:59Z", "2026-11-24T00:00:00Z"),
        ("weekly", "2026-11-29T23:59:59Z", "2026-11-30T00:00:00Z"),
        ("monthly", "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"),
    ],
)
def test_a_keys_ceiling_opens_again_when_its_window_is_over(interval, before, after):
    small = KeyTerms(INFERENCE, limit_usd="0.0001", limit_reset=interval)

    async def story(sim):
        heard = [await ask(sim, max_tokens=5, provider=ALONE)]
        await turn(sim, now=before)
        heard.append(await ask(sim, max_tokens=5, provider=ALONE))
        await turn(sim, now=after)
        left = (await fetch(sim, "/key")).body["data"]["limit_remaining"]
        heard.append(await ask(sim, max_tokens=5, provider=ALONE))
        return heard, left

    heard, left = with_simulator(world(small), story)
    assert [each.status for each in heard] == [200, 403, 200]
    assert f"({interval} limit)" in heard[1].body["error"]["message"]
    assert left == 0.0001


def test_a_ceiling_without_a_window_never_opens_again():
    async def story(sim):
        await ask(sim, max_tokens=5, provider=ALONE)
        await turn(sim, advance_s=400 * DAY)
        return await ask(sim, max_tokens=5, provider=ALONE)

    heard = with_simulator(world(KeyTerms(INFERENCE, limit_usd="0.0001")), story)
    assert heard.status == 403
    assert "(total limit)" in heard.body["error"]["message"]


def test_the_budget_over_all_keys_tells_when_it_opens_again_and_does():
    other = "sk-or-v1-" + "c" * 64
    alone = with_simulator(world(), lambda sim: ask(sim, max_tokens=5, provider=ALONE))
    cost = alone.body["usage"]["cost"]
    terms = AccountTerms(budget_usd=f"{cost:.9f}", budget_interval="daily")

    async def story(sim):
        first = await ask(sim, max_tokens=5, provider=ALONE)
        refused = await ask(sim, key=other, max_tokens=5, provider=ALONE)
        await turn(sim, now="2026-11-24T00:00:00Z")
        return first, refused, await ask(sim, key=other, max_tokens=5, provider=ALONE)

    keys = KeyTerms(INFERENCE), KeyTerms(other)
    first, refused, later = with_simulator(world(*keys, account=terms), story)
    metadata = refused.body["error"]["metadata"]
    assert (first.status, refused.status, later.status) == (200, 403, 200)
    assert metadata["limit_source"] == "openrouter_workspace_budget"
    assert metadata["spend_usd"] == pytest.approx(cost, abs=1e-12)
    assert metadata["resets_at"].startswith("2026-11-24T00:00:00")
    assert "Retry-After" not in refused.headers


def test_the_free_tier_follows_the_clock():
    terms = AccountTerms(free_daily_limit=1, free_counter_lag_s=30)

    async def used(sim):
        return (await fetch(sim, "/key")).body["data"]["free_model_daily_requests"]["used"]

    async def story(sim):
        statuses = [(await ask(sim, FREE)).status for _ in range(2)]
        counts = [await used(sim)]
        for seconds in (30, DAY / 2):
            await turn(sim, advance_s=seconds)
            counts.append(await used(sim))
        return [*statuses, (await ask(sim, FREE)).status], counts

    assert with_simulator(world(account=terms), story) == ([200, 429, 200], [0, 1, 0])


def test_a_key_works_until_the_moment_of_its_expiry():
    terms = KeyTerms(INFERENCE, expires_at="2026-11-24T00:00:00Z")

    async def story(sim):
        heard = []
        for moment in ("2026-11-23T23:59:59Z", "2026-11-24T00:00:00Z"):
            await turn(sim, now=moment)
            heard += [await ask(sim), await fetch(sim, "/key")]
        listed = []
        for query in ("", "?include_expired=true"):
            rows = await talk(
                "GET", f"{sim.base_url}/keys{query}", {"Authorization": f"Bearer {MANAGEMENT}"}
            )
            listed.append(len(rows.body["data"]))
        return heard, listed

    heard, listed = with_simulator(world(terms), story)
    assert [each.status for each in heard] == [200, 200, 401, 401]
    assert heard[1].body["data"]["expires_at"].startswith("2026-11-24T00:00:00")
    assert heard[2].body["error"]["message"] == "User not found."
    assert listed == [0, 1]


# --- ceilings --------------------------------------------------------------------------------

PRICES = {"prompt": "0.001", "completion": "0.01"}


def account(credits_usd="1", *, key=None, **terms):
    held = Key.of(key or KeyTerms(INFERENCE), now=NOON)
    return Account(AccountTerms(credits_usd=credits_usd, **terms), [held]), held


def need(prompt, most):
    prices = prices_at(PRICES, prompt, now=NOON)
    return Need.of(prices, Intake(prompt), max_tokens=most)


def reserve(money, key, *, prompt=10, most=49):
    """A hold, or status and metadata of what came instead."""
    try:
        return money.reserve(key, need(prompt, most), now=NOON)
    except Refusal as refusal:
        return refusal.status, json.loads(refusal.body)["error"].get("metadata")


def test_a_hold_bars_others_until_it_is_released_and_that_is_no_lasting_refusal():
    money, key = account("1")
    hold = reserve(money, key)
    status, metadata = reserve(money, key, most=60)
    assert (status, metadata["reason"]) == (402, "in_flight_budget_exhausted")
    assert metadata["limit_source"] == "openrouter_in_flight_budget"
    money.release(hold)
    assert (money.held, key.held) == (0, 0)
    assert reserve(money, key, most=60).amount == need(10, 60).worst


def test_a_request_too_dear_even_alone_learns_of_that_and_not_of_those_in_flight():
    money, key = account("1")
    reserve(money, key)
    status, metadata = reserve(money, key, most=100)
    assert (status, metadata["reason"]) == (402, "weight_exceeds_budget")


def test_holds_of_one_key_do_not_bar_another_key_but_for_the_credits():
    money, key = account("1.2", key=KeyTerms(INFERENCE, limit_usd="0.6"))
    other = Key.of(KeyTerms("other"), now=NOON)
    reserve(money, key)
    assert reserve(money, key)[1]["reason"] == "in_flight_budget_exhausted"
    assert reserve(money, other).amount == need(10, 49).worst
    assert reserve(money, other, most=30)[1]["reason"] == "in_flight_budget_exhausted"


def test_the_key_refuses_first_then_the_budget_then_the_credits():
    key = KeyTerms(INFERENCE, limit_usd="0")
    assert reserve(*account("0", key=key, budget_usd="0"))[0] == 403
    assert reserve(*account("0", budget_usd="0"))[1]["scope"] == "workspace"
    assert reserve(*account("0")) == (402, None)
    sources = [
        reserve(*account("0.1", key=KeyTerms(INFERENCE, limit_usd="0.1"), budget_usd="0.1")),
        reserve(*account("0.1", budget_usd="0.1")),
        reserve(*account("0.1")),
    ]
    assert [metadata["limit_source"] for _, metadata in sources] == [
        "openrouter_key_limit",
        "openrouter_workspace_budget",
        "openrouter_credits",
    ]


def test_an_overdrawn_account_refuses_even_what_costs_nothing():
    money, key = account("1")
    nothing = Need.of({}, Intake(10), max_tokens=10)
    money.bought -= 1
    money.release(money.reserve(key, nothing, now=NOON))
    money.bought -= 1
    with pytest.raises(Refusal):
        money.reserve(key, nothing, now=NOON)


def test_a_keys_ceiling_refuses_with_the_status_that_is_configured():
    exhausted = KeyTerms(INFERENCE, limit_usd="0")
    status, metadata = reserve(*account(key=exhausted, key_limit_status=402))
    assert status == 402
    assert metadata == {
        "reason": "key_limit_exceeded",
        "limit_source": "openrouter_key_limit",
    }


# --- what cannot be ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "terms",
    [
        {"credits_usd": "much"},
        {"credits_usd": "NaN"},
        {"credits_usd": "-1"},
        {"credits_usd": None},
        {"free_per_minute": "20"},
        {"free_per_minute": -1},
        {"free_daily_limit": 1.5},
        {"free_counter_lag_s": float("nan")},
        {"free_counter_lag_s": -1},
        {"key_limit_status": 404},
        {"budget_usd": "Infinity"},
        {"budget_interval": "yearly"},
        {"byok": "OpenAI"},
        {"byok_fee": "a tenth"},
        {"byok_allowance_usd": True},
        {"management_credits": "no"},
    ],
)
def test_an_account_that_cannot_be_is_refused_in_one_line(terms):
    with pytest.raises(AccountTermsError, match=rf"^{next(iter(terms))}: [^\n]+$"):
        AccountTerms(**terms)


@pytest.mark.parametrize(
    "terms",
    [
        {"key": ""},
        {"key": "two words"},
        {"key": "schlüssel"},
        {"limit_usd": "NaN"},
        {"limit_usd": "-0.01"},
        {"limit_usd": []},
        {"limit_reset": "hourly"},
        {"disabled": 1},
        {"name": 7},
        {"kind": "golden"},
        {"expires_at": "soon"},
        {"expires_at": 1_800_000_000},
        {"include_byok_in_limit": "yes"},
    ],
)
def test_a_key_that_cannot_be_is_refused_in_one_line(terms):
    with pytest.raises(KeyTermsError, match=rf"^{next(iter(terms))}: [^\n]+$"):
        KeyTerms(**{"key": INFERENCE, **terms})


# --- credits, activity, what was seen ----------------------------------------------------------


@pytest.mark.parametrize("only_management", [False, True])
def test_credits_are_told_to_whom_they_may_be(only_management):
    terms = AccountTerms(credits_usd="5", management_credits=only_management)

    async def story(sim):
        cost = (await ask(sim)).body["usage"]["cost"]
        keys = (INFERENCE, MANAGEMENT, None)
        return cost, [await fetch(sim, "/credits", key=key) for key in keys]

    cost, (mine, managed, nobodys) = with_simulator(world(account=terms), story)
    assert mine.status == (403 if only_management else 200)
    assert nobodys.status == 401
    assert managed.body["data"]["total_credits"] == 5
    assert managed.body["data"]["total_usage"] == pytest.approx(cost, abs=1e-12)


def test_the_old_way_to_buy_credits_is_gone():
    async def story(sim):
        return await talk("POST", f"{sim.base_url}/credits/coinbase", {})

    assert with_simulator(world(), story).status == 410


def test_activity_sums_completed_days_by_model_latest_first():
    other = "mistralai/mistral-small-2603"

    async def story(sim):
        first = [await ask(sim), await ask(sim), await ask(sim, other)]
        await turn(sim, advance_s=DAY)
        second = [await ask(sim)]
        today = await fetch(sim, "/activity", key=MANAGEMENT)
        await turn(sim, advance_s=DAY)
        return first, second, today.body["data"], await fetch(sim, "/activity", key=MANAGEMENT)

    first, second, early, late = with_simulator(world(), story)
    assert [row["date"] for row in early] == ["2026-11-23", "2026-11-23"]
    rows = late.body["data"]
    assert [(row["date"], row["model"], row["requests"]) for row in rows] == [
        ("2026-11-24", MODEL, 1),
        ("2026-11-23", other, 1),
        ("2026-11-23", MODEL, 2),
    ]
    for row, heard in zip(rows, [second, first[2:], first[:2]], strict=True):
        usages = [each.body["usage"] for each in heard]
        assert row["usage"] == pytest.approx(sum(usage["cost"] for usage in usages), abs=1e-12)
        assert row["prompt_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
        assert row["completion_tokens"] == sum(usage["completion_tokens"] for usage in usages)


def test_activity_of_one_day_of_one_key_and_by_workspace():
    other = KeyTerms("sk-or-v1-" + "c" * 64)

    async def story(sim):
        await ask(sim)
        await ask(sim, key=other.key)
        await turn(sim, advance_s=DAY)
        mine = Key.of(other, now=NOON).hash
        queries = (
            f"?api_key_hash={mine}&group_by=workspace",
            "?date=2026-11-23",
            "?date=2026-11-22",
        )
        return [
            (await fetch(sim, f"/activity{query}", key=MANAGEMENT)).body["data"]
            for query in queries
        ]

    one, day, before = with_simulator(world(KeyTerms(INFERENCE), other), story)
    assert [row["requests"] for row in one] == [1]
    assert "workspace_id" in one[0]
    assert [row["requests"] for row in day] == [2]
    assert "workspace_id" not in day[0]
    assert before == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?date=yesterday", 400),
        ("?date=2026-11-23", 400),  # today is not over
        ("?date=2026-10-23", 400),  # 31 days ago
        ("?date=2026-10-24", 200),
        ("?group_by=colour", 400),
    ],
)
def test_activity_refuses_days_that_it_does_not_tell(query, status):
    async def story(sim):
        inference = await fetch(sim, f"/activity{query}", key=INFERENCE)
        return inference.status, (await fetch(sim, f"/activity{query}", key=MANAGEMENT)).status

    assert with_simulator(world(), story) == (403, status)


def test_the_requests_after_a_number_are_told_and_no_others():
    faults = [Fault(kind="status", status=503, attempts=(2,))]

    async def story(sim):
        await ask(sim)
        last = (await fetch(sim, "/sim/requests")).body["last"]
        await ask(sim)
        await fetch(sim, "/key")
        later = (await fetch(sim, f"/sim/requests?since={last}")).body
        none = (await fetch(sim, f"/sim/requests?since={later['last']}")).body
        return last, later, none, (await fetch(sim, "/sim/requests?since=then")).status

    last, later, none, wrong = with_simulator(world(faults=faults), story)
    assert last == 1
    assert [(row["n"], row["status"], row["path"]) for row in later["data"]] == [
        (2, 503, "/api/v1/chat/completions"),
        (3, 200, "/api/v1/key"),
    ]
    assert later["data"][0]["headers"]["Authorization"] == "***"
    assert none == {"data": [], "last": 3}
    assert wrong == 400


def test_the_keys_are_shown_with_their_secrets_to_whoever_runs_the_simulator():
    rows = with_simulator(world(), lambda sim: fetch(sim, "/sim/keys")).body["data"]
    assert [(row["key"], row["kind"]) for row in rows] == [
        (INFERENCE, "inference"),
        (MANAGEMENT, "management"),
    ]
