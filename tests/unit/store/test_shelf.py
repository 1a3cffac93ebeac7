from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ultrai.domain.catalog import Model, PriceOverride, Prices, Rates, Reasoning, Snapshot
from ultrai.store.shelf import FileShelf

NOW = datetime(2026, 11, 23, 20, 0, 0, 123456, tzinfo=UTC)
RATES = Rates(Decimal("2E-8"), Decimal("0.000001000000000000000001"), cache_read=Decimal(0))
MODEL = Model(
    id="a/b",
    name="B",
    upstream="openrouter",
    context_length=1000,
    max_completion_tokens=None,
    prices=Prices(RATES, (PriceOverride(RATES, 5, 2200, 600, ("mon",)),)),
    expires=date(2026, 12, 31),
    supported_parameters=frozenset({"seed", "temperature"}),
    reasoning=Reasoning(mandatory=True),
    output_modalities=("text",),
)
URL = "https://openrouter.ai/api/v1"


@pytest.fixture(params=[False, True])
def shelf(tmp_path, request):
    return FileShelf(tmp_path / "catalogues", {"openrouter": URL}, inline=request.param)


def save(shelf):
    asyncio.run(shelf.save("openrouter", [MODEL], fetched_at=NOW))


def load(shelf, upstream="openrouter"):
    return asyncio.run(shelf.load(upstream))


def test_a_listing_comes_back_exactly_with_its_date(shelf):
    save(shelf)

    models, snapshot = load(shelf)

    assert list(models) == [MODEL]
    assert str(models[0].prices.base.completion) == "0.000001000000000000000001"
    assert snapshot == Snapshot(NOW)


def test_prices_are_stored_as_strings_and_the_file_is_for_its_owner_only(shelf, tmp_path):
    save(shelf)

    [file] = (tmp_path / "catalogues").iterdir()

    assert json.loads(file.read_text())["models"][0]["prices"]["base"]["prompt"] == "2E-8"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_an_upstream_nobody_kept_has_none(shelf):
    save(shelf)

    assert load(shelf, "other") is None


def test_two_addresses_of_one_upstream_do_not_share_a_listing(shelf, tmp_path):
    save(shelf)
    elsewhere = FileShelf(tmp_path / "catalogues", {"openrouter": "http://127.0.0.1:8585/api/v1"})

    assert load(elsewhere) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"format":1', '"format":0'),
        lambda text: text.replace('"format":1', '"format":2'),
        lambda text: text.replace('"2E-8"', '"cheap"'),
        lambda text: text.replace('00.123456Z"', '00.123456"'),
        lambda text: "",
        lambda text: "[]",
        lambda text: "\udcff",
    ],
)
def test_a_damaged_or_older_file_is_as_good_as_none(shelf, tmp_path, damage):
    save(shelf)
    [file] = (tmp_path / "catalogues").iterdir()
    damaged = damage(file.read_text())
    assert damaged != file.read_text()
    file.write_bytes(damaged.encode("utf-8", "surrogateescape"))

    assert load(shelf) is None


def test_a_directory_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    shelf = FileShelf(tmp_path / "file" / "catalogues", {})

    save(shelf)

    assert load(shelf) is None


def test_a_save_that_fails_keeps_the_old_listing_and_leaves_nothing_behind(
    shelf, tmp_path, monkeypatch
):
    save(shelf)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    asyncio.run(shelf.save("openrouter", [], fetched_at=NOW))

    assert list(load(shelf)[0]) == [MODEL]
    assert len(list((tmp_path / "catalogues").iterdir())) == 1


def test_an_upstreams_name_cannot_leave_the_directory(tmp_path):
    shelf = FileShelf(tmp_path / "catalogues", {})
    asyncio.run(shelf.save("../../evil\0/é", [MODEL], fetched_at=NOW))

    [file] = (tmp_path / "catalogues").iterdir()

    assert file.name.startswith("______evil___")
    assert load(shelf, "../../evil\0/é") is not None
