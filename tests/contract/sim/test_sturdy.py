"""Whatever is sent to the simulator, it answers; what it cannot take it refuses in JSON."""

from __future__ import annotations

import json
import logging
from random import Random
from urllib.parse import quote

import aiohttp
import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, talk, with_simulator

from ultrai_sim import Fault, Model, World, edge, memory
from ultrai_sim.catalogue_routes import MOST_BODIES_KEPT
from ultrai_sim.clock import LATEST

DEEP = "[" * 200_000
LAST_MOMENT = "9999-12-31T23:59:59.999999Z"
LONG = "9" * 4400
WIDE = Model(
    id="acme/wide",
    reasoning={"default_enabled": True},
    parameters=("tools", "response_format"),
)


def shaped(schema):
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


HUGE_SCHEMAS = [
    {"type": "string", "minLength": 10**9},
    {"type": "array", "items": {"type": "string", "minLength": 90_000}, "minItems": 4000},
    {"type": "array", "items": {"type": "null"}, "minItems": 10**12},
    {"type": "object", "minProperties": 10**10},
    {"type": "array", "contains": {"type": "null"}, "minContains": 10**10},
    {"type": "string", "pattern": "((((a{200}){200}){200}){200})"},
    {"type": "string", "pattern": "(){200}" * 4000},
    {"allOf": [{"$ref": "#/$defs/x"}] * 40_000, "$defs": {"x": {"type": "null"}}},
    {"type": "object", "properties": {f"p{n}": {} for n in range(50_000)}},
    {"type": "object", "required": [f"p{n}" for n in range(50_000)]},
]


@pytest.mark.parametrize("schema", HUGE_SCHEMAS, ids=range(len(HUGE_SCHEMAS)))
def test_a_schema_that_wants_too_much_is_refused_before_it_is_built(schema):
    async def story(sim):
        heard = await ask(sim, WIDE.id, response_format=shaped(schema))
        tools = [{"type": "function", "function": {"name": "look", "parameters": schema}}]
        called = await ask(sim, WIDE.id, tools=tools)
        return heard, called

    heard, called = with_simulator(World(models=[WIDE]), story)
    for refused in (heard, called):
        assert refused.status == 400
        assert refused.body["error"]["message"].startswith("Invalid schema: ")


def test_a_class_of_all_characters_gives_texts_that_can_be_sent():
    schema = {"type": "string", "pattern": "^[\\u0000-\uffff]{200}[퟿-\U0010ffff]{3}$"}
    heard = with_simulator(None, lambda sim: ask(sim, response_format=shaped(schema)))
    assert heard.status == 200


def test_thoughts_end_however_many_tokens_they_are_given():
    endless = {"max_tokens": 10**12}
    world = World(models=[WIDE])
    heard = with_simulator(world, lambda sim: ask(sim, WIDE.id, reasoning=endless))
    assert heard.body["usage"]["completion_tokens"] < 20_000


def key_of(sim):
    return {"Authorization": f"Bearer {sim.world.management_key}"}


def chat(sim, raw, headers=()):
    head = {"Authorization": f"Bearer {sim.api_key}", "Content-Type": "application/json"}
    url = f"{sim.base_url}/chat/completions"
    return talk("POST", url, {**head, **dict(headers)}, data=raw)


@pytest.mark.parametrize(
    "send",
    [
        lambda sim: chat(sim, DEEP),
        lambda sim: chat(sim, '{"messages":' + "[" * 300 + "]" * 300 + "}"),
        lambda sim: ask(sim, tools=True),
        *(
            lambda sim, cap=cap: ask(sim, provider={"max_price": {"prompt": cap}})
            for cap in ("NaN", "sNaN", "Infinity", "-1", True, [], {})
        ),
        lambda sim: fetch(sim, f"/models?limit={LONG}"),
        lambda sim: fetch(sim, f"/models?offset={LONG}"),
        lambda sim: fetch(sim, "/models?limit=1001"),
        lambda sim: fetch(sim, "/models?sort=bad"),
        lambda sim: fetch(sim, "/models?category=bad"),
        lambda sim: fetch(sim, f"/keys?offset={LONG}", key=sim.world.management_key),
        lambda sim: fetch(sim, f"/sim/requests?since={LONG}"),
        lambda sim: talk("POST", f"{sim.origin}/sim/faults", {}, data=DEEP),
        lambda sim: talk("POST", f"{sim.origin}/sim/clock", {}, data=DEEP),
        lambda sim: talk("POST", f"{sim.base_url}/keys", key_of(sim), data=DEEP),
        lambda sim: talk(
            "POST",
            f"{sim.base_url}/keys",
            {**key_of(sim), "Content-Type": "application/json"},
            data=DEEP,
        ),
        lambda sim: talk(
            "POST",
            f"{sim.base_url}/keys",
            key_of(sim),
            json={"name": "x", "expires_at": LAST_MOMENT},
        ),
        *(
            lambda sim, row=row: talk(
                "POST", f"{sim.origin}/sim/faults", {}, json={"faults": [row]}
            )
            for row in (
                {"kind": ["cut"]},
                {"kind": {"cut": 1}},
                {"kind": "status", "code": 10**30},
                {"kind": "status", "headers": {"Content-Length": "5"}},
                {"kind": "status", "headers": {"transfer-encoding": "chunked"}},
            )
        ),
    ],
)
def test_what_nobody_can_mean_is_a_400(send):
    heard = with_simulator(World(), send)
    assert heard.status == 400
    assert heard.body["error"]


def test_a_time_to_live_of_many_digits_is_the_usual_one():
    async def story(sim):
        ours = {"X-OpenRouter-Cache": "true", "X-OpenRouter-Cache-TTL": LONG}
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}]}
        return await chat(sim, json.dumps(body), ours)

    heard = with_simulator(None, story)
    assert (heard.status, heard.headers["X-OpenRouter-Cache-TTL"]) == (200, "300")


def test_the_metadata_of_a_made_up_body_may_be_anything():
    fault = Fault(kind="body", status=502, text='{"error":{"code":502,"metadata":"words"}}')

    async def story(sim):
        return await ask(sim, models=[MODEL, "openai/gpt-4o-mini"])

    heard = with_simulator(World(faults=[fault]), story)
    assert heard.body == {"error": {"code": 502, "metadata": "words"}}


def test_the_clock_goes_to_its_latest_moment_and_no_further():
    jump = Fault(kind="clock_jump", seconds=1e9)

    async def story(sim):
        clock = f"{sim.origin}/sim/clock"
        statuses = [
            (await talk("POST", clock, {}, json={"advance_s": 1e9})).status for _ in range(230)
        ]
        jumped = [(await ask(sim, stream=True)).done for _ in range(3)]
        now = (await fetch(sim, "/sim/clock")).body["now"]
        pages = [(await fetch(sim, page)).status for page in ("/key", "/credits", "/models")]
        return statuses, jumped, now, pages

    statuses, jumped, now, pages = with_simulator(World(faults=[jump]), story)
    assert (statuses[0], statuses[-1]) == (200, 400)
    assert jumped == [True] * 3
    assert now < "9000-01-01T00:00:01"
    assert pages == [200] * 3


def test_a_clock_can_jump_as_often_as_it_likes():
    world = World()
    for _ in range(1000):
        world.advance(1e9)
    assert world.clock() == LATEST


# --- what is kept -------------------------------------------------------------------------------


def test_the_same_list_is_kept_once_and_not_too_many_are_kept():
    async def story(sim):
        for n in range(MOST_BODIES_KEPT * 2):
            await fetch(sim, f"/models?limit=5&unknown={n}")
        same = len(sim.world.bodies)
        for n in range(MOST_BODIES_KEPT * 2):
            await fetch(sim, f"/models?q=word{n}")
        return same, len(sim.world.bodies)

    same, others = with_simulator(None, story)
    assert same == 1
    assert others <= MOST_BODIES_KEPT


def test_bodies_are_remembered_as_far_as_the_bytes_go(monkeypatch):
    monkeypatch.setattr(memory, "MOST_BYTES_KEPT", 50_000)

    async def story(sim):
        for n in range(20):
            await ask(sim, user=f"{n}".ljust(10_000))
        kept = [seen.body["user"].strip() for seen in sim.world.requests]
        told = [await fetch(sim, f"/generation?id={line.generation_id}") for line in sim.world.bill]
        listed = (await fetch(sim, "/sim/requests")).body
        return kept, [heard.status for heard in told], listed

    kept, statuses, listed = with_simulator(None, story)
    assert 2 <= len(kept) <= 5
    assert kept[-1] == "19"
    assert statuses[:10] == [404] * 10
    assert statuses[-1] == 200
    assert listed["last"] == 20 + len(statuses)


def test_the_latest_requests_are_remembered_whatever_their_number(monkeypatch):
    monkeypatch.setattr(memory, "MOST_KEPT", 5)

    async def story(sim):
        for _ in range(12):
            await ask(sim)
        return [seen.n for seen in sim.world.requests]

    assert with_simulator(None, story) == [8, 9, 10, 11, 12]


# --- the last resort ----------------------------------------------------------------------------


@pytest.fixture
def complaints(caplog):
    caplog.set_level(logging.ERROR, logger="aiohttp.server")
    return caplog


def test_a_bug_is_one_line_and_a_500_in_json(monkeypatch, complaints):
    def break_down(*_):
        message = "broken on purpose"
        raise ZeroDivisionError(message)

    async def story(sim):
        monkeypatch.setattr(type(sim.world.listing), "listed", break_down)
        monkeypatch.setattr("ultrai_sim.sim_routes.iso", break_down)
        return await fetch(sim, "/models"), await fetch(sim, "/sim/clock"), sim.world.requests[0]

    models, clock, seen = with_simulator(None, story)
    for heard in (models, clock):
        assert heard.status == 500
        assert heard.body == {"error": {"message": "Internal Server Error", "code": 500}}
    assert seen.status == 500
    lines = [record.getMessage() for record in complaints.records]
    assert len(lines) == 2
    assert all("ZeroDivisionError: broken on purpose" in line for line in lines)
    assert all(record.exc_info is None for record in complaints.records)


def test_a_bug_behind_the_head_ends_the_connection(monkeypatch, complaints):
    async def break_down(*_, **__):
        message = "broken on purpose"
        raise ZeroDivisionError(message)

    async def story(sim):
        monkeypatch.setattr("ultrai_sim.schedule._wait", break_down)
        return await ask(sim, stream=True)

    slow = Fault(kind="stall_mid_text", seconds=1)
    heard = with_simulator(World(faults=[slow]), story)
    assert heard.status == 200
    assert heard.broken is not None
    assert b"Internal Server Error" not in heard.raw
    assert len(complaints.records) == 1


# --- anything at all ----------------------------------------------------------------------------

WORDS = [
    *("", " ", "NaN", "-1", "1e999", "nope/nope", "openai/gpt-4o:free", "a/b:nitro", ":"),
    *("\u0000", "é", "\U0001f600", "x" * 3000, LONG, MODEL, "openrouter/auto", "true", "[1]"),
    *("deepseek/deepseek-r1", "What is 7 x 8?", f"What is {LONG} + 1?", "~openai/gpt-latest"),
]
NUMBERS = [0, -1, 1, 2**31, 2**63, 2**64, 10**18, 10**40, 1.5, -0.0, 1e308, 5e-324]
FIELDS = [
    *("model", "models", "messages", "stream", "max_tokens", "max_completion_tokens"),
    *("temperature", "top_p", "top_k", "seed", "stop", "logprobs", "top_logprobs", "tools"),
    *("tool_choice", "parallel_tool_calls", "response_format", "reasoning", "reasoning_effort"),
    *("include_reasoning", "provider", "plugins", "service_tier", "cache_control", "user"),
    *("session_id", "input", "dimensions", "encoding_format", "prompt", "logit_bias", "usage"),
]
INNER = [
    *("role", "content", "type", "text", "image_url", "url", "detail", "function", "name"),
    *("parameters", "properties", "required", "items", "minLength", "pattern", "enum", "const"),
    *("anyOf", "allOf", "$ref", "order", "only", "ignore", "sort", "by", "partition"),
    *("max_price", "prompt", "completion", "quantizations", "allow_fallbacks"),
    *("require_parameters", "zdr", "effort", "max_tokens", "json_schema", "schema", "ttl"),
    *("id", "enabled", "tool_calls", "arguments", "input_audio", "data", "file", "file_data"),
    *("video_url", "preferred_max_latency", "p50", "input_cache_read", "data_collection"),
]
PATHS = [
    *("/chat/completions", "/completions", "/embeddings", "/models", "/models/user"),
    *("/models/count", "/generation", "/key", "/credits", "/keys", "/activity", "/providers"),
    *("/auth/keys", "/generation/content", "/keys/x", "/models/a/b/endpoints", "/model/a/b"),
    *("/endpoints/zdr", "/embeddings/models", "/credits/coinbase"),
]
QUERIES = [
    *("limit", "offset", "sort", "category", "q", "supported_parameters", "id", "since"),
    *("date", "group_by", "api_key_hash", "include_disabled"),
]
HEADERS = [
    *("X-OpenRouter-Cache", "X-OpenRouter-Cache-TTL", "X-OpenRouter-Cache-Clear"),
    *("HTTP-Referer", "x-session-id", "User-Agent", "Accept", "X-Title"),
]


class Fuzz:
    """Draws requests that are nearly right, and some that are nothing."""

    def __init__(self, seed):
        self.chance = Random(seed)

    def value(self, depth=0):
        kinds = [self.word, self.number, lambda: None, lambda: True, lambda: False]
        if depth < 4:
            kinds += [lambda: self.table(depth)] * 3 + [lambda: self.list(depth)] * 2
        return self.chance.choice(kinds)()

    def word(self):
        return self.chance.choice(WORDS)

    def number(self):
        return self.chance.choice(NUMBERS)

    def table(self, depth):
        names = self.chance.choices([*INNER, *INNER, ""], k=self.chance.randrange(5))
        return {name: self.value(depth + 1) for name in names}

    def list(self, depth):
        return [self.value(depth + 1) for _ in range(self.chance.randrange(4))]

    def body(self):
        if self.chance.random() < 0.05:
            return self.chance.choice([b"", b"{", b"null", b"[]", b'"', b"\xff", DEEP.encode()])
        good = {"model": MODEL, "messages": [{"role": "user", "content": "Hello there."}]}
        if self.chance.random() < 0.3:
            good = {"model": "openai/text-embedding-3-small", "input": "Hello there."}
        wrong = self.chance.sample(FIELDS, self.chance.randrange(1, 4))
        body = good | {name: self.value() for name in wrong}
        if self.chance.random() < 0.3 and isinstance(body.get("messages"), list):
            body["messages"].append(self.value())
        return json.dumps(body).encode()

    def request(self):
        names = self.chance.sample(QUERIES, self.chance.randrange(3))
        query = "&".join(f"{name}={quote(self.word())}" for name in names)
        if self.chance.random() < 0.1:
            query += "%ff%ed%a0%80"
        headers = {
            name: self.word().replace("\u0000", "")
            for name in self.chance.sample(HEADERS, self.chance.randrange(3))
        }
        path = self.chance.choice([*PATHS, *["/chat/completions"] * 30, *["/embeddings"] * 5])
        return path + (f"?{query}" if query else ""), headers


async def fuzz(sim, seed, times):
    drawn = Fuzz(seed)
    bad = []
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            path, headers = drawn.request()
            path = path[:7000]
            body = drawn.body()
            key = drawn.chance.choice([sim.api_key] * 5 + [sim.world.management_key, "sk-none"])
            ours = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            is_post = path.startswith(("/chat", "/comp", "/emb", "/auth")) or "/keys" in path
            method = "POST" if is_post and "/models" not in path else "GET"
            async with session.request(
                method, sim.base_url + path, headers=headers | ours, data=body
            ) as answer:
                raw = await answer.read()
            if answer.status >= 500:
                bad.append((method, path, headers, body[:500], raw[:200]))
        async with session.get(f"{sim.origin}/sim/requests") as answer:
            listed = await answer.json()
            bad += [] if answer.status == 200 and listed["last"] == times else [listed]
        for line in list(sim.world.bill)[-20:]:
            for route in ("/generation", "/generation/content"):
                url = f"{sim.base_url}{route}?id={line.generation_id}"
                async with session.get(url, headers=ours | {"Authorization": sim.api_key}) as got:
                    bad += [] if got.status < 500 else [await got.text()]
    return bad


@pytest.mark.parametrize("seed", range(4))
def test_no_request_breaks_the_simulator(seed, complaints):
    world = World(models=[Model(id="acme/odd", context_length=None, moderated=True)])
    assert with_simulator(world, lambda sim: fuzz(sim, seed, 300)) == []
    assert [record.getMessage() for record in complaints.records] == []


def test_the_logger_of_bugs_is_the_servers():
    assert edge.LOGGER.name == "aiohttp.server", "the simulation listens there"
