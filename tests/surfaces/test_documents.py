"""Exports and the list of models."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from tests.surfaces.script import Script, degraded_run

from ultrai.cli.render.catalogue import choose_models, model_to_dict, models_table
from ultrai.cli.render.document import render_document
from ultrai.cli.render.past import report_lines
from ultrai.domain.catalog import Catalog, Model, Prices, PriceTier, Rates, Snapshot
from ultrai.policy.tiers import price_tier

HOSTILE = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>&\x1b[31m"


class Tags(HTMLParser):
    """Collects what a browser would see as elements."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)


def test_the_web_page_shows_hostile_text_as_text() -> None:
    script = Script(HOSTILE, cocktail=HOSTILE).ask(0).answer(0, HOSTILE, HOSTILE).end()
    page = render_document(script.report, "html")
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "iframe", "link"} & set(tags.names)
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "default-src 'none'" in page


def test_the_web_page_names_who_answered_and_who_failed() -> None:
    page = render_document(degraded_run().report, "html")
    assert "<h2>deepseek/deepseek-r1</h2>" in page
    assert "in place of x-ai/grok-4" in page
    assert "No answer: failed." in page
    assert "come back in 3 s" in page


def test_markdown_is_a_document(golden: Callable[[str, str], None]) -> None:
    golden("export.md", render_document(degraded_run().report, "md"))


def test_json_is_the_report() -> None:
    report = degraded_run().report
    assert json.loads(render_document(report, "json")) == report.to_dict()


def test_a_shown_run_has_each_attempt_of_a_failed_slot() -> None:
    lines = report_lines(degraded_run().report, failed_only=True, width=None)
    text = "\n".join("".join(cell.text for cell in line) for line in lines)
    assert "google/gemini-2.5-pro: failed" in text
    assert text.count("attempt ") == 2
    assert "openai/gpt-4o" not in text


def _model(model_id: str, completion: str | None, window: int = 1000) -> Model:
    rates = None if completion is None else Rates(Decimal(0), Decimal(completion))
    prices = None if rates is None else Prices(rates)
    return Model(model_id, model_id.title(), "openrouter", window, None, prices)


CATALOG = Catalog(
    {
        m.id: m
        for m in (
            _model("a/dear", "0.000015", 10),
            _model("a/fair", "0.000001", 30),
            _model("b/cheap", "0.00000099", 20),
            _model("b/free:free", "0"),
            _model("c/auto", None),
        )
    },
    {"openrouter": Snapshot(datetime(2026, 11, 10, 12, 0, tzinfo=UTC))},
)


@pytest.mark.parametrize(
    ("model_id", "tier"),
    [
        ("a/dear", PriceTier.PREMIUM),
        ("a/fair", PriceTier.STANDARD),
        ("b/cheap", PriceTier.BUDGET),
        ("b/free:free", PriceTier.FREE),
        ("c/auto", None),
    ],
)
def test_every_known_price_has_one_tier(model_id: str, tier: PriceTier | None) -> None:
    model = CATALOG.get(model_id)
    assert model is not None
    assert price_tier(model.prices) is tier


def test_models_are_searched_word_by_word_and_sorted() -> None:
    def ids(search: str = "", tier: str | None = None, order: str = "name") -> list[str]:
        return [m.id for m in choose_models(CATALOG, search, tier=tier, order=order)]

    assert ids("A/ FAIR") == ["a/fair"]
    assert ids(tier="premium") == ["a/dear"]
    assert ids(order="price")[0] == "b/free:free"
    assert ids(order="price")[-1] == "c/auto"
    assert ids(order="window")[0] in ("b/free:free", "c/auto")


def test_an_unknown_price_is_null_and_a_dash() -> None:
    model = _model("c/auto", None)
    assert model_to_dict(model)["prices"] is None
    text = "".join(cell.text for cell in models_table([model], width=None)[1])
    assert "unknown" in text
    assert "$0" not in text
