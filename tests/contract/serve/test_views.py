"""What the page asks for, by hand: plans, documents, HTML, readiness, costs; and its files."""

from __future__ import annotations

from tests.contract.serve.house import ONE, TRIO, House, at_home
from tests.contract.serve.test_access import key

from ultrai.domain.access import AccessScope
from ultrai.server.page import WebPage

FIRST_PAINT_BYTES = 100_000


def test_the_page_lets_nothing_else_run_and_is_asked_for_once() -> None:
    async def story(house: House) -> None:
        page = await house.send("GET", "/")
        policy = page.headers["content-security-policy"]
        assert (page.status, b"<title>UltrAI</title>" in page.raw) == (200, True)
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        again = await house.send("GET", "/", headers={"If-None-Match": page.headers["etag"]})
        assert (again.status, again.raw) == (304, b"")
        script = await house.send("GET", "/web/views/ask.js")
        assert script.headers["content-type"].startswith("text/javascript")
        for path in ("/web/nothing.js", "/web/../app.py", "/web/%2e%2e/app.py", "/web/"):
            assert (await house.send("GET", path)).status == 404

    at_home(story)


def test_all_of_the_page_is_small() -> None:
    assert 10_000 < WebPage().total_bytes < FIRST_PAINT_BYTES


def test_a_plan_spends_nothing_and_a_document_is_read() -> None:
    async def story(house: House) -> None:
        read = await house.send("POST", "/v1/documents?name=a.html", data=b"<h1>Title</h1><p>Text")
        assert read.body == {"name": "a.html", "text": "# Title\n\nText\n", "remark": None}
        body = {
            "prompt": "What is it about?",
            "models": [ONE],
            "documents": [{"name": "a.html", "text": read.body["text"]}],
            "fit": "whole",
        }
        plan = (await house.send("POST", "/v1/plan", json=body)).body
        (slot,) = plan["slots"]
        assert slot["candidates"][0]["fit"]["mode"] == "whole"
        assert house.sim.world.chats() == []
        ran = await house.send("POST", "/v1/runs", json={**body, "pins": ["Title"]})
        assert ran.status == 201
        for name, data in (("", b"x"), ("x.pdf", b"%PDF-1.7\nno"), ("x.txt", b"")):
            refused = await house.send("POST", f"/v1/documents?name={name}", data=data)
            assert (refused.status, refused.body["error"]["code"]) == (400, "bad_usage")

    at_home(story)


def test_markdown_comes_back_without_danger() -> None:
    async def story(house: House) -> None:
        text = "# A\n\n### B\n\n<script>x</script> ![p](http://e/x) [l](javascript:x)"
        html = (await house.send("POST", "/v1/render", json={"text": text})).body["html"]
        assert html.startswith("<h3>A</h3>\n<h4>B</h4>")
        assert "<script" not in html
        assert "<img" not in html
        assert "javascript:" not in html.replace("[l](javascript:x)", "")
        assert (await house.send("POST", "/v1/render", json={"text": 1})).status == 400

    at_home(story)


def test_readiness_and_costs_are_told() -> None:
    async def story(house: House) -> None:
        await house.chat(ONE)
        rows = (await house.send("GET", "/v1/readiness")).body["models"]
        row = next(each for each in rows if each["model"] == ONE)
        assert row["ready"]
        assert TRIO.name in row["cocktails"]
        costs = (await house.send("GET", "/v1/costs?by=model&days=2")).body
        assert [group["group"] for group in costs["groups"]] == [ONE]
        assert costs["total"]["answers"] == 1
        for query in ("by=colour", "days=0", "days=x"):
            assert (await house.send("GET", f"/v1/costs?{query}")).status == 400

    at_home(story)


def test_a_key_sees_and_plans_what_it_may_ask() -> None:
    async def story(house: House) -> None:
        _, ask = await key(house, models=("ultrai/trio",))
        _, read = await key(house, name="reader", scopes=(AccessScope.READ,))
        plan = {"prompt": "x", "models": ["openai/gpt-4.1"]}
        refused = await house.send("POST", "/v1/plan", json=plan, headers=ask)
        assert (refused.status, refused.body["error"]["code"]) == (403, "model_not_allowed")
        rows = (await house.send("GET", "/v1/readiness", headers=ask)).body["models"]
        assert {name for row in rows for name in row["cocktails"]} >= {TRIO.name}
        assert all(TRIO.name in row["cocktails"] for row in rows)
        assert (await house.send("GET", "/v1/costs", headers=ask)).status == 403
        assert (await house.send("GET", "/v1/costs", headers=read)).status == 200
        assert (await house.send("GET", "/v1/costs")).status == 401
        assert (await house.send("GET", "/")).status == 200

    at_home(story)
