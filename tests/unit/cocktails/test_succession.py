from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ultrai.policy.succession import Market, Successions, successor
from ultrai.settings.cocktails import shipped_file

TABLE = Successions(
    "2026-11-10",
    {
        "m/old": ("m/new", "m/newer", "m/last"),
        "m/old:free": ("f/one:free", "f/two:free"),
        "m/fast:free": (),
        "m/fast": ("m/fast-2",),
    },
)


def _market(*listed: str, taken=(), unready=(), free=()) -> Market:
    return Market(
        listed=frozenset(listed),
        taken=frozenset(taken),
        is_ready=lambda model_id: model_id not in unready,
        free_listed=free,
    )


def test_a_listed_id_is_never_replaced():
    assert successor("m/old", TABLE, market=_market("m/old", "m/new")) is None


def test_the_first_listed_and_ready_heir_takes_the_place():
    assert successor("m/old", TABLE, market=_market("m/newer", "m/last")) == "m/newer"
    market = _market("m/new", "m/newer", unready=["m/new"])
    assert successor("m/old", TABLE, market=market) == "m/newer"


def test_an_heir_that_another_slot_uses_waits_while_another_is_left():
    market = _market("m/new", "m/newer", taken=["m/new"])
    assert successor("m/old", TABLE, market=market) == "m/newer"
    market = _market("m/new", "m/newer", taken=["m/new", "m/newer"])
    assert successor("m/old", TABLE, market=market) == "m/new"


def test_an_id_that_nobody_succeeds_has_no_successor():
    assert successor("m/unknown", TABLE, market=_market("m/new")) is None
    assert successor("m/old", TABLE, market=_market("other/x")) is None
    assert successor("m/old", TABLE, market=_market("m/new", unready=["m/new"])) is None


def test_a_free_id_passes_to_the_tables_free_ones_then_to_any_listed_free_one():
    market = _market("f/two:free", "g/any:free", free=["g/any:free", "f/two:free"])
    assert successor("m/old:free", TABLE, market=market) == "f/two:free"
    market = _market("g/any:free", free=["g/any:free"])
    assert successor("m/old:free", TABLE, market=market) == "g/any:free"
    assert successor("x/unknown:free", TABLE, market=market) == "g/any:free"


def test_a_free_id_becomes_a_paid_one_only_if_the_user_allows_it():
    market = _market("m/old", "m/new")
    assert successor("m/old:free", TABLE, market=market) is None
    allowed = successor("m/old:free", TABLE, market=market, allow_paid_for_free=True)
    assert allowed == "m/old"
    market = _market("m/fast-2")
    assert successor("m/fast:free", TABLE, market=market, allow_paid_for_free=True) == "m/fast-2"


def test_a_shared_free_model_comes_before_a_paid_one():
    market = _market("m/old", "f/one:free", taken=["f/one:free"])
    found = successor("m/old:free", TABLE, market=market, allow_paid_for_free=True)
    assert found == "f/one:free"


def test_a_paid_id_in_a_free_ids_list_needs_the_users_leave_too():
    table = Successions("", {"a/b:free": ("a/c",)})
    assert successor("a/b:free", table, market=_market("a/c")) is None
    found = successor("a/b:free", table, market=_market("a/c"), allow_paid_for_free=True)
    assert found == "a/c"


def test_a_users_list_replaces_the_shipped_one_and_the_later_date_counts():
    merged = TABLE.merged(Successions("2027-01-01", {"m/old": ("m/mine",)}))
    assert merged.as_of == "2027-01-01"
    assert successor("m/old", merged, market=_market("m/new", "m/mine")) == "m/mine"
    assert TABLE.merged(Successions()).as_of == "2026-11-10"


_IDS = st.sampled_from(
    ["m/old", "m/new", "m/newer", "m/old:free", "f/one:free", "f/two:free", "g/any:free", "m/fast"]
)
_SETS = st.frozensets(_IDS)


@given(_IDS, _SETS, _SETS, _SETS, st.booleans())
def test_a_successor_is_always_listed_ready_and_free_where_it_must_be(
    model_id, listed, taken, unready, allow_paid
):
    free = tuple(sorted(i for i in listed if i.endswith(":free")))
    market = _market(*listed, taken=taken, unready=unready, free=free)
    found = successor(model_id, TABLE, market=market, allow_paid_for_free=allow_paid)
    if found is not None:
        assert model_id not in listed
        assert found in listed
        assert found not in unready
        assert found != model_id
        assert allow_paid or found.endswith(":free") == model_id.endswith(":free")


def test_budget_without_its_three_free_models_gets_three_different_ones():
    table = shipped_file().successions
    heirs = {heir for named in table.retired.values() for heir in named}
    taken: list[str] = []
    for base in ("x-ai/grok-4-fast", "meta-llama/llama-4-maverick", "deepseek/deepseek-chat"):
        found = successor(f"{base}:free", table, market=_market(*heirs, taken=taken))
        assert found is not None
        taken.append(found)
    assert len(set(taken)) == 3
