from __future__ import annotations

from contextlib import suppress
from urllib.request import proxy_bypass_environment

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.errors import SettingsError
from ultrai.settings.network import checked_base_url, is_loopback, proxy_for

UPSTREAM = "https://openrouter.ai/api/v1"


@pytest.mark.parametrize(
    "url",
    [
        "https://openrouter.ai/api/v1",
        "https://example.org:8443",
        "http://localhost:8585/api/v1",
        "http://127.0.0.1:8585",
        "http://127.8.9.1/v1",
        "http://[::1]:80/v1",
        "HTTPS://EXAMPLE.org/v1",
    ],
)
def test_a_usable_address_is_kept_without_its_last_slash(url):
    assert checked_base_url(url) == url
    assert checked_base_url(f"{url}/") == url


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://openrouter.ai/api/v1", "must be encrypted"),
        ("http://localhost.evil.example", "must be encrypted"),
        ("http://127.0.0.1.evil.example", "must be encrypted"),
        ("http://10.0.0.1", "must be encrypted"),
        ("http://0.0.0.0", "must be encrypted"),
        ("http://0x7f.1", "must be encrypted"),
        ("http://127.0.0.1@evil.example", "user name"),
        ("https://u:canary@example.org", "user name"),
        ("https://canary@example.org", "user name"),
        ("https://example.org/?k=canary", "query"),
        ("https://example.org/#canary", "query"),
        ("https://example.org?", "query"),
        ("ftp://canary.example", "such as"),
        ("canary.example/v1", "such as"),
        ("", "such as"),
        ("https://", "such as"),
        ("https://:443/v1", "such as"),
        ("https://canary.example:port", "such as"),
        ("https://canary.example:99999", "such as"),
        ("https://canary.example:0", "such as"),
        ("https://[canary", "such as"),
        ("https://cana ry.example", "without blanks"),
        ("https://canary.example/\n", "without blanks"),
        ("https://exämple.org", "without blanks"),
        ("https:\\\\canary.example", "without blanks"),
    ],
)
def test_an_address_that_may_not_be_used_is_refused_without_an_echo(url, cause):
    with pytest.raises(ValueError, match=cause) as caught:
        checked_base_url(url)
    assert "canary" not in str(caught.value)


def test_load_names_the_place_of_a_bad_address(loaded):
    with pytest.raises(SettingsError, match="environment: OPENROUTER_BASE_URL must be encrypted"):
        loaded(None, {"OPENROUTER_BASE_URL": "http://openrouter.ai"})
    with pytest.raises(SettingsError, match=r"toml: openrouter\.base_url must be encrypted"):
        loaded("openrouter.base_url = 'http://openrouter.ai'")


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_value_error(text):
    with suppress(ValueError):
        assert not checked_base_url(text).endswith("/")
    assert is_loopback(text) in {True, False}


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}, "http://lower:1"),
        ({"HTTPS_PROXY": "http://p:1", "https_proxy": ""}, None),
        ({"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "https://u:w@p:1"}, "https://u:w@p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"ALL_PROXY": "http://all:1"}, "http://all:1"),
        ({"ALL_PROXY": "socks5://all:1", "HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example, .openrouter.ai"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "OpenRouter.AI"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "router.ai"}, "http://p:1"),
        ({"ALL_PROXY": "socks5://all:1", "NO_PROXY": "openrouter.ai"}, None),
    ],
)
def test_the_proxy_follows_the_environment(environ, proxy):
    assert proxy_for(UPSTREAM, environ) == proxy


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.1:1", "https://[::1]:1"])
def test_this_machine_is_never_reached_through_a_proxy(url):
    environ = {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:1", "ALL_PROXY": "socks5://p"}
    assert proxy_for(url, environ) is None


@pytest.mark.parametrize(
    ("proxy", "cause"),
    [
        ("socks5://u:canary@p:1", "SOCKS proxy, which is not supported"),
        ("SOCKS5H://p:1", "SOCKS proxy, which is not supported"),
        ("ftp://p:1", "not the address of a proxy"),
        ("http://", "not the address of a proxy"),
        ("http://u:canary@p:port", "not the address of a proxy"),
        ("http://p:1\r\nX: y", "not the address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_an_echo(proxy, cause):
    with pytest.raises(SettingsError, match=f"HTTPS_PROXY .*{cause}") as caught:
        proxy_for(UPSTREAM, {"HTTPS_PROXY": proxy})
    assert "canary" not in str(caught.value)


def test_settings_hold_the_proxy_without_showing_its_password(loaded):
    settings = loaded(None, {"HTTPS_PROXY": "http://u:canary@p:1"})
    assert settings.proxy == "http://u:canary@p:1"
    assert "canary" not in repr(settings)


def test_a_request_header_of_a_cgi_script_does_not_choose_the_proxy():
    environ = {"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}
    assert proxy_for("http://example.org", environ) is None
    assert proxy_for("http://example.org", {**environ, "http_proxy": "p:1"}) == "http://p:1"


NAMES = st.sampled_from(["a.example", "example", "b.a.example", "A.Example", "1.2.3.4"])
LISTED = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", ".", " ", "."]),
    NAMES,
    st.sampled_from(["", ":80", ":", " "]),
)


@given(NAMES, st.sampled_from(["", ":80", ":8080"]), st.lists(LISTED | st.just("*"), max_size=3))
def test_exceptions_are_those_of_the_standard_library(host, port, listed):
    no_proxy = ",".join(listed)
    environ = {"https_proxy": "http://p:1", "no_proxy": no_proxy}
    is_bypassed = proxy_bypass_environment(host + port, {"no": no_proxy} if no_proxy else {})
    assert (proxy_for(f"https://{host}{port}", environ) is None) == bool(is_bypassed)
