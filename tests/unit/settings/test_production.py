"""A profile for production refuses a key that another profile uses."""

from __future__ import annotations

import pytest

from ultrai.domain.errors import CredentialsError, SettingsError

CANARY = "sk-or-v1-canary0123456789"
OTHER = "sk-or-v1-another-0123456789"
ENV = {"ULTRAI_ENV": "prod", "A": CANARY, "B": CANARY, "C": OTHER}


def profiles(prod: str, dev: str, shared: str = "") -> str:
    top = f"openrouter.api_key = '{shared}'\n" if shared else ""
    own = "".join(
        f"[profiles.{name}]\nconcurrency = 5\n"
        + (f"openrouter.api_key = '{reference}'\n" if reference else "")
        for name, reference in (("prod", prod), ("dev", dev))
    )
    return top + own


@pytest.mark.parametrize(
    ("prod", "dev", "shared"),
    [
        ("env:A", "env:A", ""),
        ("env:A", "env:B", ""),  # two names of one value
        ("", "", "env:A"),  # neither has its own
        ("env:A", "", "env:B"),
        ("vault:secret/a#key", "VAULT: secret/a#key ", ""),
        ("file:gone/../key", "file:key", ""),
    ],
)
def test_a_key_of_another_profile_is_refused(loaded, prod, dev, shared):
    with pytest.raises(SettingsError) as caught:
        loaded(profiles(prod, dev, shared), ENV)
    told = f"{caught.value}; {caught.value.hint}"
    assert "api_key is also the key of profile 'dev', and profile 'prod' is for production" in told
    assert "give each profile a key of its own" in told
    assert "canary" not in told
    assert "\n" not in told


def test_the_key_of_the_environment_counts_as_well(loaded):
    with pytest.raises(SettingsError, match="environment: OPENROUTER_API_KEY is also the key"):
        loaded(profiles("", "env:A"), {**ENV, "OPENROUTER_API_KEY": CANARY})


@pytest.mark.parametrize(
    ("prod", "dev", "shared"),
    [
        ("env:A", "env:C", ""),
        ("env:A", "env:C", "env:A"),  # nobody else takes the shared one
        ("env:A", "", ""),
        ("", "", ""),
        ("vault:secret/a#key", "vault:secret/a#other", ""),
        ("env:A", "env:NOT_SET", ""),  # whoever uses that profile is told
        ("env:A", "file:gone", ""),
    ],
)
def test_a_key_of_its_own_is_taken(loaded, prod, dev, shared):
    assert loaded(profiles(prod, dev, shared), ENV).environment == "prod"


def test_another_profile_may_use_the_key_of_production_in_its_own_settings(loaded):
    """What guards production is production's settings: a developer may not even read its key."""
    assert loaded(profiles("env:A", "env:A"), {**ENV, "ULTRAI_ENV": "dev"}).key is not None


@pytest.mark.parametrize(
    ("name", "says", "is_refused"),
    [
        ("prod", "", True),
        ("Production", "", True),
        ("prod", "production = false", False),
        ("live", "", False),
        ("live", "production = true", True),
    ],
)
def test_what_makes_a_profile_one_for_production(loaded, name, says, is_refused):
    text = f"openrouter.api_key = 'env:A'\n[profiles.{name}]\n{says}\n[profiles.dev]\n"
    environ = {**ENV, "ULTRAI_ENV": name}
    if not is_refused:
        assert loaded(text, environ).environment == name
        return
    with pytest.raises(SettingsError, match="is for production"):
        loaded(text, environ)


def test_production_must_be_true_or_false(loaded):
    with pytest.raises(SettingsError, match=r"profiles\.x\.production must be true or false"):
        loaded("[profiles.x]\nproduction = 'yes'")


def test_further_upstreams_count_and_placeholders_on_this_machine_do_not(loaded):
    groq = "[{}upstreams.groq]\nbase_url = 'https://groq.example/v1'\napi_key = 'env:{}'\n"
    here = "[upstreams.here]\nbase_url = 'http://127.0.0.1:1/v1'\napi_key = 'EMPTY'\n"
    own = groq.format("profiles.prod.", "A") + groq.format("profiles.dev.", "C")
    assert loaded(here + own, ENV).upstreams["groq"].key is not None
    with pytest.raises(SettingsError, match=r"upstreams\.groq\.api_key is also the key"):
        loaded(here + own.replace("env:C", "env:B"), ENV)


def test_a_key_in_a_store_is_compared_when_it_is_read(loaded, monkeypatch):
    import keyring

    settings = loaded(profiles("keyring:openrouter/prod", "env:A"), ENV)
    monkeypatch.setattr(keyring, "get_password", lambda *_: OTHER)
    assert settings.key_reference.read().reveal() == OTHER
    monkeypatch.setattr(keyring, "get_password", lambda *_: CANARY)
    with pytest.raises(CredentialsError, match="a key of another profile") as caught:
        settings.key_reference.read()
    assert "canary" not in str(caught.value)
