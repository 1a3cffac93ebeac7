import json
from decimal import Decimal

import pytest

from ultrai.domain.attempt import AttemptRequest, PriceCap
from ultrai.domain.query import Message, Sampling
from ultrai.domain.secret import Secret
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.outgoing import is_usable_key, request_body, request_headers

OPENROUTER = UpstreamConfig("openrouter", "http://h/api/v1/", Secret("k"), is_openrouter=True)
OLLAMA = UpstreamConfig("ollama", "http://h/v1", prefix="ollama", free=True)


def body(config=OPENROUTER, content="hi", **kwargs):
    request = AttemptRequest(
        model=kwargs.pop("model", "x/y"),
        messages=(Message("user", content),),
        sampling=kwargs.pop("sampling", Sampling()),
        **kwargs,
    )
    return json.loads(request_body(config, request))


def test_max_tokens_is_always_sent_and_the_rest_only_if_set():
    assert body() == {
        "model": "x/y",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 1000,
        "stream": True,
    }


def test_temperature_zero_and_seed_zero_are_set():
    sent = body(sampling=Sampling(max_tokens=16, temperature=0.0, seed=0))
    assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (16, 0.0, 0)


def test_a_price_cap_goes_out_as_plain_decimal_strings():
    cap = PriceCap(Decimal("1E-7"), Decimal("12.50"), Decimal("0.0125"))
    assert body(price_cap=cap)["provider"] == {
        "max_price": {"prompt": "0.0000001", "completion": "12.50", "request": "0.0125"}
    }
    without_request = PriceCap(Decimal(1), Decimal(2))
    assert "request" not in body(price_cap=without_request)["provider"]["max_price"]


def test_another_server_gets_its_own_id_no_price_cap_and_is_asked_for_usage():
    sent = body(OLLAMA, model="ollama/llama3", price_cap=PriceCap(Decimal(1), Decimal(2)))
    assert sent["model"] == "llama3"
    assert "provider" not in sent
    assert sent["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(OLLAMA, stream=False)


def test_only_the_prefix_itself_is_taken_off():
    assert body(OLLAMA, model="ollama/ollama/x")["model"] == "ollama/x"
    assert body(OLLAMA, model="ollamax/y")["model"] == "ollamax/y"


def test_a_prompt_with_bytes_that_are_no_text_is_sent_all_the_same():
    assert body(content="a\udcffb")["messages"][0]["content"] == "a\ufffdb"


def test_the_key_is_sent_only_where_there_is_one():
    assert request_headers(OPENROUTER, "*/*")["Authorization"] == "Bearer k"
    assert "Authorization" not in request_headers(OLLAMA, "*/*")


@pytest.mark.parametrize("key", ["a\nb", "a\r\nX: y", "ключ", " k", "k ", "a\x00"])
def test_a_key_that_no_header_may_carry_is_not_usable(key):
    assert not is_usable_key(UpstreamConfig("o", "http://h", Secret(key)))


def test_an_ordinary_key_and_no_key_are_usable():
    assert is_usable_key(OPENROUTER)
    assert is_usable_key(OLLAMA)


def test_a_slash_at_the_end_of_the_base_is_not_doubled():
    assert OPENROUTER.url("/key") == "http://h/api/v1/key"
