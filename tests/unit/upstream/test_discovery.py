from datetime import date
from decimal import Decimal

import pytest

from ultrai.domain.attempt import Account
from ultrai.domain.catalog import Prices, Rates, Reasoning
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.domain.secret import MASK, Secret
from ultrai.upstream.accounts import read_account
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.discovery import list_endpoints, list_models, read_model, read_prices

KEY = "sk-or-v1-0123456789abcdef"
OPENROUTER = UpstreamConfig("openrouter", "http://h/api/v1", Secret(KEY), is_openrouter=True)
VLLM = UpstreamConfig("lab", "http://h/v1", prefix="lab")


class Answers:
    """A Lookup that answers from a table."""

    def __init__(self, **paths):
        self.paths = {path.replace("__", "/"): value for path, value in paths.items()}
        self.asked = []

    async def get(self, path, *, absent=None):
        self.asked.append(path)
        return self.paths[path.lstrip("/")]

    def unavailable(self, words):
        return UpstreamUnavailable(words)


def run(coroutine):
    """The value of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


ROW = {
    "id": "openai/gpt-4o",
    "canonical_slug": "openai/gpt-4o",
    "name": "OpenAI: GPT-4o",
    "created": 1715558400,
    "context_length": 128000,
    "architecture": {
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "tokenizer": "GPT",
    },
    "pricing": {
        "prompt": "0.0000025",
        "completion": "0.00001",
        "request": "0",
        "input_cache_read": "0.00000125",
        "discount": 0,
    },
    "top_provider": {"context_length": 128000, "max_completion_tokens": 16384},
    "supported_parameters": ["max_tokens", "temperature", "novelty"],
    "expiration_date": "2098-12-31",
    "reasoning": {"mandatory": False, "default_enabled": True},
    "something_new": {"x": [1]},
}


def test_a_row_is_read_with_all_its_fields():
    model = read_model(ROW, OPENROUTER)
    assert (model.id, model.name, model.upstream) == (
        "openai/gpt-4o",
        "OpenAI: GPT-4o",
        "openrouter",
    )
    assert (model.context_length, model.max_completion_tokens) == (128000, 16384)
    assert model.prices == Prices(
        Rates(
            prompt=Decimal("0.0000025"),
            completion=Decimal("0.00001"),
            request=Decimal(0),
            cache_read=Decimal("0.00000125"),
        )
    )
    assert model.expires == date(2098, 12, 31)
    assert model.supported_parameters == {"max_tokens", "temperature", "novelty"}
    assert model.reasoning == Reasoning(mandatory=False, default_enabled=True)
    assert (model.tokenizer, model.input_modalities) == ("GPT", ("text", "image"))


def test_a_bare_row_is_a_model_of_which_nothing_is_known():
    model = read_model({"id": "a/b"}, OPENROUTER)
    assert model.prices is None
    assert model.context_length is None
    assert model.expires is None
    assert model.reasoning is None


@pytest.mark.parametrize(
    ("key", "junk"),
    [
        ("context_length", 0),
        ("context_length", "many"),
        ("top_provider", None),
        ("architecture", "text"),
        ("expiration_date", "soon"),
        ("supported_parameters", {"a": 1}),
        ("supported_parameters", [1, None]),
        ("reasoning", []),
        ("name", None),
        ("created", "x"),
        ("pricing", []),
    ],
)
def test_an_odd_field_counts_as_absent_and_spoils_no_other(key, junk):
    model = read_model({**ROW, key: junk}, OPENROUTER)
    assert model.id == "openai/gpt-4o"
    assert model.input_modalities == (() if key == "architecture" else ("text", "image"))


@pytest.mark.parametrize("price", ["-1", "", "cheap", "NaN", "Infinity", True, [], "1" * 70])
@pytest.mark.parametrize("key", ["prompt", "completion", "request", "input_cache_write"])
def test_a_price_that_is_not_known_makes_all_prices_unknown(key, price):
    assert read_prices({**ROW["pricing"], key: price}) is None


@pytest.mark.parametrize("missing", ["prompt", "completion"])
def test_a_missing_price_is_unknown_and_not_nothing(missing):
    assert read_prices({k: v for k, v in ROW["pricing"].items() if k != missing}) is None


def test_prices_are_exact_whatever_their_notation():
    prices = read_prices({"prompt": "8.33333333333333333e-8", "completion": Decimal("1E-7")})
    assert prices.base.prompt == Decimal("0.0000000833333333333333333")
    assert prices.base.completion == Decimal("0.0000001")


def test_an_override_replaces_what_it_names_and_keeps_the_rest():
    override = {
        "min_prompt_tokens": 200000,
        "utc_start": 1630,
        "utc_end": 30,
        "utc_days": ["Monday", "TUE"],
        "prompt": "0.000005",
    }
    (read,) = read_prices({**ROW["pricing"], "overrides": [override]}).overrides
    assert read.rates.prompt == Decimal("0.000005")
    assert read.rates.completion == Decimal("0.00001")
    assert (read.min_prompt_tokens, read.utc_start, read.utc_end) == (200000, 1630, 30)
    assert read.utc_days == ("mon", "tue")


def test_an_override_of_unknown_price_makes_all_prices_unknown():
    assert read_prices({**ROW["pricing"], "overrides": [{"prompt": "-1"}]}) is None


def test_rows_without_an_id_are_passed_over():
    rows = [None, 7, {}, {"id": ""}, {"id": 5}, {"id": "a\nb"}, {"id": "a/b"}]
    models = run(list_models(OPENROUTER, Answers(models={"data": rows})))
    assert [model.id for model in models] == ["a/b"]


@pytest.mark.parametrize("listing", [{"data": []}, {"data": None}, {}, [], None, {"data": [{}]}])
def test_a_listing_without_models_is_an_error(listing):
    with pytest.raises(UpstreamUnavailable):
        run(list_models(OPENROUTER, Answers(models=listing)))


def test_another_server_says_ids_which_get_its_prefix_and_no_price():
    rows = {"data": [{"id": "Qwen/Qwen3", "object": "model", "max_model_len": 4096}]}
    (model,) = run(list_models(VLLM, Answers(models=rows)))
    assert (model.id, model.upstream) == ("lab/Qwen/Qwen3", "lab")
    assert model.context_length == 4096
    assert model.prices is None


def test_the_models_of_a_free_server_cost_nothing():
    free = UpstreamConfig("lab", "http://h/v1", prefix="lab", free=True)
    (model,) = run(list_models(free, Answers(models={"data": [{"id": "m"}]})))
    assert model.prices == Prices(Rates(Decimal(0), Decimal(0)))


def test_endpoints_are_read_with_what_is_known_of_them():
    row = {
        "provider_name": "OpenAI",
        "tag": "openai",
        "pricing": ROW["pricing"],
        "context_length": 128000,
        "max_completion_tokens": None,
        "status": 0,
        "uptime_last_30m": Decimal("99.5"),
        "latency_last_30m": {"p50": 412, "p99": 900},
        "throughput_last_30m": None,
    }
    answers = Answers(models__a__b__endpoints={"data": {"endpoints": [row, {"tag": "t"}]}})
    first, second = run(list_endpoints(OPENROUTER, answers, model_id="a/b"))
    assert (first.provider, first.status, first.uptime_percent) == ("OpenAI", 0, 99.5)
    assert (first.latency_ms, first.throughput_tps) == (412.0, None)
    assert first.rates.completion == Decimal("0.00001")
    assert (second.provider, second.rates, second.status) == ("t", None, None)


def test_a_variant_and_a_strange_id_stay_inside_the_path():
    answers = Answers(**{"models/a/b:free/endpoints": {"data": {"endpoints": []}}})
    assert run(list_endpoints(OPENROUTER, answers, model_id="a/b:free")) == []
    answers = Answers(**{"models/a%3Fb%23c/endpoints": {"data": {"endpoints": []}}})
    assert run(list_endpoints(OPENROUTER, answers, model_id="a?b#c")) == []


def test_another_server_has_no_endpoints_and_is_not_asked():
    answers = Answers()
    assert run(list_endpoints(VLLM, answers, model_id="lab/m")) == []
    assert answers.asked == []


def test_the_account_is_read_in_nanodollars():
    data = {
        "label": f"{KEY} of mine",
        "limit": 10,
        "limit_remaining": Decimal("7.123456789"),
        "usage": Decimal("2.876543211"),
        "is_free_tier": False,
        "free_model_daily_requests": {"used": 12, "limit": 1000, "remaining": 988},
        "rate_limit": {"requests": -1},
    }
    assert run(read_account(OPENROUTER, Answers(key={"data": data}))) == Account(
        label=f"{MASK} of mine",
        limit_nanos=10_000_000_000,
        limit_remaining_nanos=7_123_456_789,
        usage_nanos=2_876_543_211,
        free_used=12,
        free_limit=1000,
        is_free_tier=False,
    )


def test_an_unlimited_and_odd_account_is_read_as_far_as_it_goes():
    data = {"label": None, "limit": None, "limit_remaining": "x", "usage": True, "x": 1}
    assert run(read_account(OPENROUTER, Answers(key={"data": data}))) == Account()


def test_an_overdrawn_key_has_nothing_left():
    data = {"limit_remaining": Decimal("-0.5")}
    account = run(read_account(OPENROUTER, Answers(key={"data": data})))
    assert account.limit_remaining_nanos == 0


def test_without_a_key_or_elsewhere_there_is_no_account_and_nothing_is_asked():
    answers = Answers()
    assert run(read_account(VLLM, answers)) is None
    assert run(read_account(UpstreamConfig("o", "h", is_openrouter=True), answers)) is None
    assert answers.asked == []
