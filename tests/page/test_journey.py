"""The whole journey through the web page, in a real browser, before the simulated upstream."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.page.conftest import AXE, SOURCES, Site, lacking, served

SCENARIO = """
seed = 1
[latency]
first_token_s = 0.05
per_token_s = 0.004
[[faults]]
kind = "status"
status = 503
model = "x-ai/grok-4.20"
[[faults]]
kind = "stall_before_text"
model = "qwen/qwen3.8-27b"
seconds = 400
"""
QUESTION = "Explain quantum computing in simple terms."
SLOW = "qwen/qwen3.8-27b"


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(browser, tmp_path_factory.mktemp("journey"), SCENARIO) as (served_site, _):
        yield served_site


def ask(page: Page, cocktail: str = "SPEEDY", question: str = QUESTION) -> None:
    """Fill the form and send it by keyboard."""
    expect(page.locator("#cocktail option").nth(1)).to_be_attached()
    page.fill("#prompt", question)
    page.select_option("#cocktail", cocktail)
    page.locator("#prompt").press("Control+Enter")


def ask_models(page: Page, *models: str, question: str = QUESTION) -> None:
    expect(page.locator("#cocktail option").nth(1)).to_be_attached()
    page.fill("#prompt", question)
    page.select_option("#cocktail", "")
    page.fill("#models", ", ".join(models))
    page.click("button[type=submit]")


def test_a_question_is_priced_asked_and_answered_in_columns(site: Site) -> None:
    page = site.open()
    expect(page.locator("#cocktail option").nth(1)).to_be_attached()
    page.fill("#prompt", QUESTION)
    page.select_option("#cocktail", "SPEEDY")
    expect(page.locator("#estimate")).to_contain_text("5 models · expected $0.00")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".column")).to_have_count(5)
    expect(page.locator(".follow")).to_be_visible()
    expect(page.locator(".runbar")).to_contain_text("complete 5 of 5 answered")
    # The second slot's models fail until a backup answers, and the page says so.
    column = page.locator(".column").nth(1)
    expect(column.locator(".why")).to_contain_text("for x-ai/grok-4-fast (")
    expect(column.locator(".text .rich p").first).to_be_visible()
    figures = page.locator(".column").nth(0).locator(".figures")
    expect(figures).to_contain_text("first token")
    expect(figures).to_contain_text("tok/s")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    assert (site.complaints, site.foreign) == ([], [])


def test_the_tab_may_be_closed_and_the_run_opened_again(site: Site) -> None:
    page = site.open()
    ask_models(page, "openai/gpt-4o", SLOW)
    expect(page.locator(".column").first.locator(".badge").first).to_contain_text("answered")
    address = page.url
    page.context.close()
    again = site.open(address.removeprefix(site.url))
    expect(again.locator(".column")).to_have_count(2)
    expect(again.locator(".column").first).to_contain_text("answered")
    expect(again.locator(".column").nth(1).locator("button", has_text="Stop")).to_be_visible()
    again.locator(".column").nth(1).locator("button", has_text="Stop").click()
    expect(again.locator(".column").nth(1)).to_contain_text("stopped")
    expect(again.locator(".runbar")).to_contain_text("degraded 1 of 2 answered")
    expect(again.locator(".column").nth(1).locator("button", has_text="Ask again")).to_be_visible()
    assert site.complaints == []


def test_all_can_be_stopped_and_what_arrived_is_kept(site: Site) -> None:
    page = site.open()
    ask_models(page, SLOW)
    page.click("text=Stop all")
    expect(page.locator(".runbar .badge")).to_be_visible()
    expect(page.locator(".runbar button")).to_be_hidden()
    assert site.complaints == []


def test_errors_stand_where_they_happen_and_lose_nothing(site: Site) -> None:
    page = site.open()
    question = "What does nobody else ask here?"  # or the cache would answer for nothing
    ask_models(page, "openai/gpt-4oh", question=question)
    expect(page.locator(".problem").first).to_contain_text("gpt-4oh")
    assert page.input_value("#prompt") == question
    page.click(".more summary")
    page.fill("#models", "openai/gpt-4o")
    page.fill("#cap", "0.000001")
    expect(page.locator("#estimate.bad")).to_be_visible()
    page.click("button[type=submit]")
    expect(page.locator(".problem").first).to_contain_text("$0.000001")
    page.reload()
    expect(page.locator("#prompt")).to_have_value(question)


def test_a_file_is_attached_read_and_asked_about(site: Site, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# Notes\n\nQuillon hid the astrolabe.\n")
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes(b"%PDF-1.7\nnothing that is one")
    page = site.open()
    page.set_input_files("#files", [str(notes), str(damaged)])
    expect(page.locator(".attached li")).to_have_count(1)
    expect(page.locator(".attached")).to_contain_text("notes.md (")
    expect(page.locator(".problem")).to_contain_text("damaged.pdf was left out")
    ask_models(page, "openai/gpt-4o", question="Where is the astrolabe?")
    expect(page.locator(".follow")).to_be_visible()
    run_id = page.url.rpartition("/")[2]
    report = page.request.get(f"{site.url}/v1/runs/{run_id}").json()
    assert report["query"]["documents"][0]["name"] == "notes.md"
    assert report["slots"][0]["fit"]["mode"] == "whole"


def test_one_is_asked_further_with_the_conversation_so_far(site: Site) -> None:
    page = site.open()
    ask_models(page, "openai/gpt-4o", "google/gemini-2.5-flash")
    page.fill("#follow-up", "And in one sentence?")
    page.click("text=Ask only openai/gpt-4o")
    expect(page.locator(".column")).to_have_count(1)
    expect(page.locator(".follow")).to_be_visible()
    run_id = page.url.rpartition("/")[2]
    report = page.request.get(f"{site.url}/v1/runs/{run_id}").json()
    roles = [message["role"] for message in report["query"]["messages"]]
    assert roles == ["user", "assistant", "user"]
    assert report["slots"][0]["state"] == "answered"


def test_the_other_views_show_what_was_done(site: Site) -> None:
    page = site.open()
    ask_models(page, "openai/gpt-4o", "google/gemini-2.5-flash", question="Which river is longest?")
    expect(page.locator(".follow")).to_be_visible()
    page.click("nav >> text=History")
    page.fill("#search", "longest")
    expect(page.locator(".words")).to_contain_text("run")
    page.click("text=Which river is longest?")
    expect(page.locator("h1")).to_have_text("Which river is longest?")
    expect(page.locator(".column")).to_have_count(2)
    page.click("text=Show the difference")
    expect(page.locator("mark").first).to_be_visible()
    page.click("nav >> text=Cost")
    expect(page.locator(".words")).to_contain_text(" answers in ")
    expect(page.locator("svg.chart rect").last).to_be_attached()
    page.select_option("#cost-by", "model")
    expect(page.locator("table")).to_contain_text("openai/gpt-4o")
    page.click("nav >> text=Readiness")
    expect(page.locator(".words")).to_contain_text("models ready")
    page.select_option("#readiness-cocktail", "SPEEDY")
    expect(page.locator("table")).to_contain_text("x-ai/grok-4.20 serves instead")
    assert (site.complaints, site.foreign) == ([], [])


def test_a_narrow_screen_has_a_tab_for_each_answer(site: Site) -> None:
    page = site.open(width=390)
    ask(page)
    expect(page.locator(".column.chosen")).to_have_count(1)
    expect(page.get_by_role("tab").nth(1)).to_be_visible()
    page.get_by_role("tab").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab").nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.locator(".column").nth(1)).to_be_visible()
    expect(page.locator(".column").nth(0)).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_stands_in_the_way_of_anybody(site: Site, scheme: str, width: int) -> None:
    """axe with its rules for WCAG 2.2 A and AA, in every view."""
    if not AXE.exists():
        lacking("install Node and npm, then run scripts/clients.sh")
    page = site.open(width=width, color_scheme=scheme, bypass_csp=True)
    ask_models(page, "openai/gpt-4o", "google/gemini-2.5-flash")
    expect(page.locator(".follow")).to_be_visible()
    page.click(".more summary")
    found = {"ask": _violations(page)}
    for view in ("readiness", "cost", "history"):
        page.click(f"nav a[data-view={view}]")
        expect(page.locator("table").first).to_be_visible()
        found[view] = _violations(page)
    page.click("table a >> nth=0")
    expect(page.locator(".column").first).to_be_visible()
    found["run"] = _violations(page)
    assert {view: rules for view, rules in found.items() if rules} == {}


def _violations(page: Page) -> list[str]:
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    result = page.evaluate(
        "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", rules
    )
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in result["violations"]
        for node in each["nodes"][:3]
    ]


def test_access_keys_are_asked_for_and_kept_in_the_tab(browser: Browser, tmp_path: Path) -> None:
    with served(browser, tmp_path, SCENARIO) as (site, environment):
        made = subprocess.run(
            [sys.executable, "-m", "ultrai.cli", "access", "create", "page", "--json"],
            env={**environment, "PYTHONPATH": str(SOURCES), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        key = made.stdout.split('"key": "')[1].split('"')[0]
        page = site.open()
        while page.request.get(f"{site.url}/v1/models").status != 401:
            page.wait_for_timeout(100)  # until the server heeds the new key
        page.reload()
        expect(page.locator("#key-dialog")).to_be_visible()
        page.fill("#key-field", key)
        page.click("text=Use it")
        expect(page.locator("#cocktail option").nth(1)).to_be_attached()
        ask_models(page, "openai/gpt-4o")
        expect(page.locator(".follow")).to_be_visible()
        assert key not in page.content()
        assert key not in page.url
        assert page.evaluate("localStorage.length") == 0
        page.click("nav >> text=Cost")
        expect(page.locator(".problem")).to_contain_text("not for 'read'")
