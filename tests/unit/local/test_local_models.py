"""The table of embedded models, and what the catalogue says of them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from ultrai.domain.errors import NotFound
from ultrai.local.catalogue import local_listings
from ultrai.local.models import LOCAL_MODELS, LocalModel, default_models, find_model

every_model = pytest.mark.parametrize("known", LOCAL_MODELS, ids=lambda model: model.id)


def test_two_small_models_are_the_default_and_the_larger_one_is_not() -> None:
    assert [model.id for model in default_models()] == [
        "local/qwen2.5-coder-0.5b-instruct",
        "local/smollm2-135m-instruct",
    ]
    assert not find_model("local/qwen2.5-coder-1.5b-instruct").default


@every_model
def test_the_packages_of_a_model_add_up_to_its_file(known: LocalModel) -> None:
    assert sum(package.size_bytes for package in known.packages) == known.size_bytes


@every_model
def test_every_model_is_pinned_by_hash_and_revision(known: LocalModel) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", known.sha256)
    assert re.fullmatch(r"[0-9a-f]{40}", known.hub.revision)


@every_model
def test_no_model_is_served_a_longer_window_than_it_was_trained_for(known: LocalModel) -> None:
    assert known.context_length <= known.training_tokens


def test_packages_come_in_numeric_order() -> None:
    names = [package.name for package in find_model("local/qwen2.5-coder-1.5b-instruct").packages]
    assert names[0].endswith("part1")
    assert names[1].endswith("part2")
    assert names[9].endswith("part10")
    assert names[-1].endswith("part22")


def test_a_model_is_found_without_its_prefix_and_in_any_case() -> None:
    assert find_model("SmolLM2-135M-Instruct").id == "local/smollm2-135m-instruct"


def test_an_unknown_model_names_those_that_are_known() -> None:
    with pytest.raises(NotFound) as raised:
        find_model("local/gpt-9")
    assert "local/gpt-9" in str(raised.value)
    assert "local/smollm2-135m-instruct" in raised.value.hint


def test_listings_cost_nothing_and_say_that_the_models_are_small() -> None:
    listings = local_listings()
    assert [listing.id for listing in listings] == [model.id for model in LOCAL_MODELS]
    assert all(listing.price_usd == Decimal(0) for listing in listings)
    assert all("small demo model" in listing.name for listing in listings)
    assert all("max_tokens" in listing.supported_parameters for listing in listings)
