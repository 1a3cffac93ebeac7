"""Answers that were written to harm: nothing in them runs, and nothing is fetched for them."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from tests.page.conftest import Site, served

ANSWERS = 1000
ALERT = "window.top.hurt = (window.top.hurt || 0) + 1; alert(1)"
EVIL = "http://evil.example"
PIECES = (
    f"<script>{ALERT}</script>",
    f'<img src=x onerror="{ALERT}">',
    f'<svg onload="{ALERT}"><animate onbegin="{ALERT}"/></svg>',
    f'<svg><script href="data:text/javascript,{ALERT}"/></svg>',
    f'<iframe srcdoc="<script>{ALERT}</script>"></iframe>',
    f'<iframe src="javascript:{ALERT}"></iframe>',
    f"[link](javascript:{ALERT})",
    "[link](JaVaScRiPt&colon;alert(1))",
    "[link](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    f"![picture]({EVIL}/pixel.png)",
    f'<link rel="stylesheet" href="{EVIL}/x.css">',
    f"<style>@import '{EVIL}/x.css'; body {{ display: none }}</style>",
    f'<form action="{EVIL}"><button autofocus onfocus="{ALERT}">x</button></form>',
    f'<object data="{EVIL}/x.swf"></object><embed src="{EVIL}/x">',
    f'<meta http-equiv="refresh" content="0;url={EVIL}">',
    f'<base href="{EVIL}/">',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;b onerror={ALERT}&gt;">',
    f'<details open ontoggle="{ALERT}">x</details>',
    f'<a href="{EVIL}" ping="{EVIL}/ping" style="position:fixed;inset:0">x</a>',
    f"<template><script>{ALERT}</script></template>",
    "</div></section><script>alert(1)</script>",
    f'`"><script>{ALERT}</script>`',
    f"```\n</code></pre><script>{ALERT}</script>\n```",
    f'| a |\n|---|\n| <img src=x onerror="{ALERT}"> |',
    f"[ref]: javascript:{ALERT}\n\n[ref]",
    f"<{ALERT}@evil.example>",
    f"\x00<scr\x00ipt>{ALERT}</scr\x00ipt>",
    "\u202e<script>alert(1)</script>\u202c",
    f'<x id="__proto__"><x id="status" onclick="{ALERT}" tabindex=0 autofocus onfocus="{ALERT}">',
)


def hostile_answers() -> list[str]:
    """The pieces alone, then cut, nested and joined at random."""
    source = random.Random("hostile answers")
    answers = list(PIECES)
    while len(answers) < ANSWERS:
        parts = [source.choice(PIECES) for _ in range(source.randint(1, 4))]
        cut = [part[source.randint(0, 3) : len(part) - source.randint(0, 3)] for part in parts]
        answers.append(source.choice(("", " ", "\n\n", "> ", "- ", "**")).join(cut))
    return answers


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(browser, tmp_path_factory.mktemp("hostile"), "seed = 1\n") as (served_site, _):
        yield served_site


def test_a_thousand_hostile_answers_run_nothing_and_fetch_nothing(site: Site) -> None:
    page = site.open()
    expect(page.locator("#cocktail option").nth(1)).to_be_attached()
    shown = page.evaluate(
        """async (answers) => {
            const { nodesOf } = await import("/web/api.js");
            const place = document.body.appendChild(document.createElement("div"));
            for (const answer of answers) {
                place.append(await nodesOf(answer));
                const plain = place.appendChild(document.createElement("div"));
                for (let at = 0; at < answer.length; at += 7)
                    plain.append(answer.slice(at, at + 7));
            }
            await new Promise((done) => setTimeout(done, 500));
            const bad = "script, style, iframe, object, embed, form, img, svg, meta, base, link,"
                + "[style], [id]";
            const handlers = [...place.querySelectorAll("*")].filter((each) =>
                [...each.attributes].some(({ name }) => name.startsWith("on")));
            const schemes = [...place.querySelectorAll("a")].map((a) => a.protocol);
            return {
                hurt: window.hurt ?? 0, children: place.childNodes.length,
                bad: [...place.querySelectorAll(bad)].map((each) => each.outerHTML),
                handlers: handlers.length, schemes: [...new Set(schemes)].sort(),
            };
        }""",
        hostile_answers(),
    )
    assert (shown["hurt"], shown["bad"], shown["handlers"]) == (0, [], 0)
    assert shown["children"] > ANSWERS
    assert set(shown["schemes"]) <= {"http:", "https:", "mailto:"}
    assert (site.complaints, site.foreign) == ([], [])


def test_what_a_file_or_a_question_says_is_text_too(site: Site) -> None:
    page = site.open()
    expect(page.locator("#cocktail option").nth(1)).to_be_attached()
    page.select_option("#cocktail", "")
    page.fill("#models", "openai/gpt-4o")
    page.fill("#prompt", " ".join(PIECES[:3]))
    name = "<img src=x onerror=alert(1)>.txt"
    page.set_input_files(
        "#files", [{"name": name, "mimeType": "text/plain", "buffer": PIECES[0].encode()}]
    )
    expect(page.locator(".attached")).to_contain_text(name)
    page.click("button[type=submit]")
    expect(page.locator(".follow")).to_be_visible()
    page.click("nav >> text=History")
    page.click("table a >> nth=0")
    expect(page.locator("h1")).to_contain_text("<script>")
    assert page.evaluate("window.hurt ?? 0") == 0
    assert (site.complaints, site.foreign) == ([], [])
