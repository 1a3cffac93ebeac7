from __future__ import annotations

import json
from importlib import resources

import pytest

from ultrai.settings.cocktails import shipped_book, shipped_file

GPT_4O, MINI, TURBO = "openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-3.5-turbo"
SONNET, HAIKU = "anthropic/claude-3.7-sonnet", "anthropic/claude-3-haiku"
PRO, FLASH = "google/gemini-2.5-pro", "google/gemini-2.5-flash"
LARGE, SMALL = "mistralai/mistral-large", "mistralai/mistral-small"
MIXTRAL = "mistralai/mixtral-8x7b-instruct"
GROK, GROK_FAST = "x-ai/grok-4", "x-ai/grok-4-fast"
MAVERICK, LLAMA = "meta-llama/llama-4-maverick", "meta-llama/llama-3.3-70b-instruct"
R1, CHAT, CODER = "deepseek/deepseek-r1", "deepseek/deepseek-chat", "deepseek/deepseek-coder"
QWEN, SMOL = "local/qwen2.5-coder-0.5b-instruct", "local/smollm2-135m-instruct"

# The report of 2025-10-14, version 2.0: primaries and backups, in its order.
REPORT = {
    "PREMIUM": [
        (GPT_4O, (GROK, MAVERICK, R1)),
        (SONNET, (GROK, GPT_4O, FLASH)),
        (PRO, (GPT_4O, GROK, MAVERICK)),
        (LARGE, (LLAMA, R1, GROK)),
    ],
    "SPEEDY": [
        (MINI, (GROK_FAST, SONNET, LLAMA)),
        (GROK_FAST, (MINI, HAIKU, FLASH)),
        (HAIKU, (MINI, GROK_FAST, FLASH + "-lite")),
        (SMALL, (LLAMA, GROK_FAST, R1)),
        (CHAT, (GROK_FAST, SONNET, MINI)),
    ],
    "BUDGET": [
        (TURBO, (LARGE, LLAMA, GROK_FAST + ":free")),
        (MIXTRAL, (LARGE, R1, HAIKU)),
        (LLAMA, (MAVERICK + ":free", LARGE, R1)),
        (CODER, (R1, GROK_FAST + ":free", LLAMA)),
        (GROK_FAST + ":free", (MAVERICK + ":free", CHAT + ":free", MIXTRAL)),
    ],
    "DEPTH": [
        (SONNET, (GPT_4O, GROK, R1)),
        (GPT_4O, (SONNET, GROK, R1)),
        (PRO, (GPT_4O, GROK, R1)),
        (R1, (MAVERICK, LARGE, GROK)),
        (MAVERICK, (R1, GPT_4O, PRO)),
    ],
    "LOCAL": [(QWEN, (SMOL,)), (SMOL, (QWEN,))],
}

# Gone, or expected to go, when the table was made.
RETIRED = {
    SONNET, HAIKU, TURBO, GROK, GROK_FAST, GROK_FAST + ":free", MAVERICK + ":free",
    CHAT + ":free", CODER, R1, SMALL, MIXTRAL, FLASH, FLASH + "-lite",
}  # fmt: skip


@pytest.mark.parametrize("name", REPORT)
def test_a_shipped_cocktail_is_exactly_the_reports(name):
    cocktail = shipped_book().find(name)
    assert cocktail is not None
    assert [(slot.primary, slot.backups) for slot in cocktail.slots] == REPORT[name]
    assert (cocktail.synthesis, cocktail.quorum, cocktail.source) == ("none", None, "shipped")


def test_the_book_holds_these_five_in_this_order():
    assert shipped_book().names == tuple(REPORT)


def test_the_data_file_has_the_reports_shape_and_date():
    text = resources.files("ultrai").joinpath("data/cocktails.json").read_text(encoding="utf-8")
    data = json.loads(text)
    assert (data["version"], data["last_updated"]) == ("2.0", "2025-10-14")
    assert data["model_corrections"]["DEPRECATED"] == [
        "meta/llama-2-70b-chat (replaced by llama-3.3/llama-4)",
        "anthropic/claude-3.5-sonnet (superseded by claude-3.7-sonnet)",
    ]
    assert data["model_corrections"]["PREFIX_CORRECTIONS"] == {
        "xai/": "x-ai/ (hyphen required)",
        "meta/": "meta-llama/ (hyphen required)",
    }


def test_the_shipped_prose_is_read_as_the_report_means_it():
    corrections = shipped_file().corrections
    assert corrections.prefixes == {"xai/": "x-ai/", "meta/": "meta-llama/"}
    assert corrections.deprecated == {
        "meta-llama/llama-2-70b-chat": LLAMA,
        "anthropic/claude-3.5-sonnet": SONNET,
    }
    assert corrections.clarifications == {"mistralai/mixtral-8x7b": MIXTRAL}


def test_every_id_that_is_gone_or_going_has_two_to_four_successors():
    retired = shipped_file().successions.retired
    assert set(retired) >= RETIRED
    assert set(retired) <= set(shipped_file().model_ids)
    assert all(2 <= len(set(heirs)) == len(heirs) <= 4 for heirs in retired.values())


def test_a_successor_is_a_concrete_id_that_is_not_itself_retired():
    retired = shipped_file().successions.retired
    heirs = {heir for named in retired.values() for heir in named}
    assert not heirs & set(retired)
    assert not [heir for heir in heirs if heir.startswith("~") or heir.endswith(":batch")]


def test_a_successor_has_the_same_maker_and_a_free_id_has_free_ones():
    for model_id, heirs in shipped_file().successions.retired.items():
        if model_id.endswith(":free"):
            assert all(heir.endswith(":free") for heir in heirs), model_id
        else:
            maker = model_id.partition("/")[0]
            assert {heir.partition("/")[0] for heir in heirs} == {maker}, model_id
            assert not [heir for heir in heirs if ":" in heir]


def test_the_succession_table_is_dated():
    assert shipped_file().successions.as_of == "2026-11-10"


def test_every_id_with_a_price_list_of_its_own_is_one_of_the_files():
    shipped = shipped_file()
    heirs = {heir for named in shipped.successions.retired.values() for heir in named}
    assert set(shipped.references) <= heirs | set(shipped.model_ids)


def test_every_paid_id_that_is_live_has_a_reference_for_the_doctor():
    shipped = shipped_file()
    heirs = {heir for named in shipped.successions.retired.values() for heir in named}
    live = set(shipped.model_ids) - set(shipped.successions.retired) | heirs
    paid = {i for i in live if not i.endswith(":free") and not i.startswith("local/")}
    assert paid <= set(shipped.references)
    assert all(shipped.references[model_id].context_length for model_id in paid)
