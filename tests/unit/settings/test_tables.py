from __future__ import annotations

import json

import pytest

from ultrai.domain.cocktail import Slot
from ultrai.domain.errors import SettingsError
from ultrai.domain.secret import Secret
from ultrai.settings.model import Attribution, UpstreamSettings


def test_a_server_on_this_machine_is_free_and_may_have_its_key_in_the_file(loaded):
    settings = loaded("[upstreams.ollama]\nbase_url = 'http://127.0.0.1:11434/v1/'\napi_key = 'x'")
    assert settings.upstreams == {
        "ollama": UpstreamSettings(
            prefix="ollama", base_url="http://127.0.0.1:11434/v1", key=Secret("x"), free=True
        )
    }


def test_a_server_elsewhere_is_not_free_and_goes_through_the_proxy(loaded):
    toml = "[upstreams.lab]\nprefix = 'vllm'\nbase_url = 'https://lab.example'\napi_key = 'env:LAB'"
    upstream = loaded(toml, {"HTTPS_PROXY": "http://p:1"}).upstreams["lab"]
    assert (upstream.prefix, upstream.free, upstream.proxy) == ("vllm", False, "http://p:1")
    assert upstream.key is None
    assert upstream.key_problem is not None
    assert "LAB is not set" in upstream.key_problem


def test_a_key_of_a_server_elsewhere_must_be_a_reference(loaded):
    with pytest.raises(SettingsError, match=r"upstreams\.lab\.api_key must be a ref") as caught:
        loaded("[upstreams.lab]\nbase_url = 'https://lab.example'\napi_key = 'canary'")
    assert "canary" not in str(caught.value) + caught.value.hint


def test_a_profile_changes_one_key_of_an_upstream(loaded):
    toml = """
        upstreams.lab = {base_url = "https://lab.example"}
        profiles.dev.upstreams.lab = {free = true}
    """
    upstream = loaded(toml, {"ULTRAI_ENV": "dev"}).upstreams["lab"]
    assert (upstream.base_url, upstream.free) == ("https://lab.example", True)


@pytest.mark.parametrize(
    ("toml", "cause"),
    [
        ("[upstreams.a]\nfree = true", "has no base_url"),
        ("[upstreams.a]\nbase_url = 'http://a.example'", "must be encrypted"),
        ("[upstreams.a]\nbase_url = 3", "must be text in quotes, not 3"),
        ("[upstreams.a]\nbase_url = 'http://[::1]'\nfree = 'yes'", "must be true or false"),
        ("[upstreams.a]\nbase_url = 'http://[::1]'\nprefix = 'a/b'", "cannot start a model id"),
        ("[upstreams.'a b']\nbase_url = 'http://[::1]'", "cannot start a model id"),
        ("[upstreams.local]\nbase_url = 'http://[::1]'", "belongs to the embedded models"),
        ("[upstreams.a]\nbase_url = 'http://[::1]'\nprefix = 'openrouter'", "to OpenRouter"),
        ("upstreams.a = 3", "upstreams.a must be a table"),
    ],
)
def test_an_upstream_that_cannot_be_used_is_an_error(loaded, toml, cause):
    with pytest.raises(SettingsError) as caught:
        loaded(toml)
    assert cause in str(caught.value)


def test_two_upstreams_cannot_share_a_prefix(loaded):
    toml = """
        upstreams.a = {base_url = "http://[::1]:1"}
        upstreams.b = {base_url = "http://[::1]:2", prefix = "a"}
    """
    with pytest.raises(SettingsError, match="which belongs to upstream a"):
        loaded(toml)


def test_paces_are_for_one_model_or_for_all(loaded):
    assert loaded("pace_per_minute = 30").pace_per_minute == {"*": 30}
    table = "[pace_per_minute]\n'openai/gpt-4o' = 5\n'*' = 9\n[profiles.dev]\npace_per_minute = 7"
    assert loaded(table).pace_per_minute == {"openai/gpt-4o": 5, "*": 9}
    overridden = loaded(table, {"ULTRAI_ENV": "dev"}).pace_per_minute
    assert overridden == {"openai/gpt-4o": 5, "*": 7}
    assert loaded(table, {"ULTRAI_PACE_PER_MINUTE": "8"}).pace_per_minute["*"] == 8


@pytest.mark.parametrize("toml", ["= 0", "= 1.5", "= true", "= []", ".gpt = 5", ".'a/b' = 'x'"])
def test_a_pace_that_is_none_is_an_error(loaded, toml):
    with pytest.raises(SettingsError, match="pace_per_minute"):
        loaded(f"pace_per_minute{toml}")


def test_attribution_is_on_and_can_be_changed_and_switched_off(loaded):
    assert loaded().attribution == Attribution()
    assert loaded("attribution = false").attribution == Attribution(referer="", title="")
    assert loaded("attribution.title = 'T'").attribution == Attribution(title="T")
    assert loaded("attribution = {referer = ''}").attribution == Attribution(referer="")
    off = loaded("attribution.title = 'T'", {"ULTRAI_ATTRIBUTION": "off"})
    assert off.attribution == Attribution(referer="", title="")
    on = loaded("attribution = false", {"ULTRAI_ATTRIBUTION": "on"})
    assert on.attribution == Attribution()


@pytest.mark.parametrize("written", ["'x'", "3", "{title = 3}", '{title = "a\\r\\nb"}'])
def test_an_attribution_that_cannot_be_sent_is_an_error(loaded, written):
    with pytest.raises(SettingsError, match="attribution"):
        loaded(f"attribution = {written}")


def test_a_header_has_a_length(loaded):
    with pytest.raises(SettingsError, match="longer than 200"):
        loaded(f"attribution.title = '{'x' * 201}'")


def test_a_cocktail_of_the_settings_file_is_read(loaded, tmp_path):
    (own,) = loaded("[cocktails.MINE]\nquorum = 1\nslots = ['a/b', 'c/d']").cocktails
    assert (own.name, own.quorum, own.slots) == ("MINE", 1, (Slot("a/b"), Slot("c/d")))
    assert own.source == str(tmp_path / "ultrai.toml")


def test_a_wrong_cocktail_names_file_and_path(loaded):
    with pytest.raises(SettingsError, match=r"ultrai\.toml: cocktails\.MINE"):
        loaded("[cocktails.MINE]\nslots = []")
    with pytest.raises(SettingsError, match="cocktails must be a table"):
        loaded("cocktails = ['MINE']")


def test_the_settings_file_wins_over_json_files_and_a_profile_over_both(loaded, tmp_path):
    def book(**models: str) -> str:
        return json.dumps(
            {"version": "2.0", "cocktails": {name: {m: []} for name, m in models.items()}}
        )

    (tmp_path / "one.json").write_text(book(A="one/a", B="one/b", C="one/c", D="one/d"))
    (tmp_path / "two.json").write_text(book(B="two/b", C="two/c", D="two/d"))
    toml = """
        cocktails_file = ["one.json", "two.json"]
        cocktails.C.slots = ["toml/c"]
        cocktails.D.slots = ["toml/d"]
        profiles.dev.cocktails.d.slots = ["dev/d"]
    """
    own = loaded(toml, {"ULTRAI_ENV": "dev"}).cocktails
    assert [c.slots[0].primary for c in own] == ["one/a", "two/b", "toml/c", "dev/d"]


def test_the_corrections_of_a_json_file_are_kept(loaded, tmp_path):
    text = json.dumps({"version": "2.0", "successions": {"retired": {"a/b": ["c/d"]}}})
    (tmp_path / "own.json").write_text(text)
    settings = loaded(None, {"ULTRAI_COCKTAILS_FILE": "own.json"})
    assert settings.successions.retired == {"a/b": ("c/d",)}


@pytest.mark.parametrize("written", ["'gone.json'", "3", "[3]", "'a\\u0000b'", '"a\\u0000b"'])
def test_a_cocktails_file_that_cannot_be_read_is_an_error(loaded, written):
    with pytest.raises(SettingsError):
        loaded(f"cocktails_file = {written}")
