"""A fault that is taken can be carried out; one that cannot is refused when it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.contract.sim.talking import ask, talk, with_simulator

import ultrai_sim.faults
from ultrai_sim import Fault, World
from ultrai_sim.fault_values import CHECKS
from ultrai_sim.faults import FAULT_KEYS, KINDS, FaultError

PAGE = Path(__file__).parents[3] / "docs" / "simulator.md"
HUGE = 10**400


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"kind": "cut", "on_s": 0, "off_s": 1}, "'on_s' must be more than 0"),
        ({"kind": "cut", "from_s": 5, "until_s": 5}, "'until_s' must be later than 5 s"),
        ({"kind": "cut", "after": -1}, "'after' must be from 0"),
        ({"kind": "cut", "after": 2, "at": "done"}, "give one of them"),
        ({"kind": "drip", "size": 0}, "'size' must be from 1"),
        ({"kind": "gzip_bomb", "size": 10**15}, "'size' must be from 1 to 1,000,000,000"),
        ({"kind": "afford_402", "tokens": -5}, "'tokens' must be from 0"),
        ({"kind": "clock_jump", "seconds": 1e300}, "0 to 1,000,000,000"),
        ({"kind": "clock_jump", "seconds": HUGE}, "a number of more than 30 digits"),
        ({"kind": "clock_jump", "seconds": "soon"}, "'seconds' must be a number of seconds"),
        ({"kind": "status", "retry_after_date_s": 1e300}, "'retry_after_date_s' must lie within"),
        ({"kind": "status", "retry_after": "1\r\nX: y"}, "'retry_after' must be one line"),
        ({"kind": "status", "retry_after": float("inf")}, "'retry_after' must be a number"),
        ({"kind": "status", "headers": {"X": 1}}, "a text of one line for 'X'"),
        ({"kind": "status", "headers": {"X": "a\nb"}}, "a text of one line for 'X'"),
        ({"kind": "status", "headers": {"X Y": "a"}}, "which no header can be"),
        ({"kind": "status", "headers": [1]}, "'headers' must be a table"),
        ({"kind": "redirect", "location": "a\nb"}, "'location' must be one line"),
        ({"kind": "body", "content_type": "a\r\nb"}, "'content_type' must be one line"),
        ({"kind": "body", "status": 204}, "a status that has a body"),
        ({"kind": "status", "status": 101}, "'status' must be from 200"),
        ({"kind": "status", "attempts": 3.5}, "'attempts' must be whole numbers"),
        ({"kind": 7}, "no fault is called 7"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(options, complaint):
    with pytest.raises(FaultError, match=re.escape(complaint)) as caught:
        Fault(**options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_every_key_has_a_check():
    assert set(CHECKS) == set(FAULT_KEYS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_of_every_kind_at_its_bounds_gets_an_answer(kind):
    """No 500 from the simulator itself, and it serves the next request as before."""
    least = {"size": 1, "after": 0, "tokens": 0, "seconds": 0, "every_s": 0, "status": 599}
    texts = {"message": "\u2028 x", "text": "", "location": "", "content_type": "x", "code": ""}
    tables = {
        "metadata": {},
        "availability": {},
        "headers": {},
        "retry_after": -1e300,
        "retry_after_date_s": -1e9,
    }
    flags = {"comments": False, "how": "incomplete", "dialect": "2025"}
    waits = dict.fromkeys(("head_s", "first_token_s", "per_token_s"), 0)
    wishes = least | texts | tables | flags | waits
    never_ending = {"every_s"} if kind in ("endless", "comments_only") else set()
    options = {name: wishes[name] for name in KINDS[kind] - {"at"} - never_ending}
    fault = Fault(kind=kind, attempts=1, **options)

    async def story(sim):
        first = None
        if not never_ending:
            first = await ask(sim, provider={"allow_fallbacks": False})
        sim.world.book.replace([])
        return first, await ask(sim)

    first, second = with_simulator(World(faults=[fault]), story)
    assert second.status == 200
    if first is not None and first.status == 500:
        assert b"user_id" in first.raw or b"error" in first.raw
    assert first is None or b"Server got itself in trouble" not in first.raw


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b'{"faults":[null]}', "a fault is a table"),
        (b'{"faults":[[1]]}', "a fault is a table"),
        (b'{"faults":7}', "faults"),
        (b"[]", "faults"),
        (b'{"faults":[{"kind":"clock_jump","seconds":1' + b"0" * 400 + b"}]}", "'seconds'"),
        (b'{"faults":[{"kind":"cut","size":3}]}', "has no option 'size'"),
    ],
)
def test_a_wrong_order_of_faults_is_a_400_with_its_reason(payload, words):
    async def story(sim):
        heard = await talk("POST", f"{sim.origin}/sim/faults", {}, data=payload)
        return heard, await ask(sim)

    heard, after = with_simulator(World(), story)
    assert heard.status == 400
    assert words in heard.body["error"]["message"]
    assert after.status == 200


@pytest.mark.parametrize("wish", [-1, 1e300, "1e999", True, None, "soon"])
def test_the_clock_goes_forward_by_a_finite_time_only(wish):
    async def story(sim):
        payload = {"advance_s": wish} if wish != "1e999" else None
        data = b'{"advance_s":1e999}' if payload is None else None
        heard = await talk("POST", f"{sim.origin}/sim/clock", {}, json=payload, data=data)
        return heard.status, (await ask(sim)).status

    assert with_simulator(World(), story) == (400, 200)


def rows_of(text):
    """kind -> the options that a table of kinds names for it."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3:
            for kind in re.findall(r"[a-z_0-9]+", cells[0]):
                if kind in KINDS:
                    found[kind] = set(re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", cells[2])))
    return found


@pytest.mark.parametrize("where", ["docstring", "page"])
def test_the_tables_of_kinds_name_every_option(where):
    text = ultrai_sim.faults.__doc__ if where == "docstring" else PAGE.read_text("utf-8")
    rows = rows_of(text)
    assert set(rows) == set(KINDS)
    missing = {kind: sorted(KINDS[kind] - rows[kind]) for kind in KINDS}
    assert {kind: names for kind, names in missing.items() if names} == {}
