"""Keys that a reference names, as the ledger and several upstreams see them."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from pathlib import Path

import keyring
import pytest
from tests.contract.money.references import loaded

from ultrai.assembly.key_ring import KeyRing
from ultrai.domain.errors import CredentialsError
from ultrai.settings.model import OPENROUTER, Settings, UpstreamSettings

KEY = "sk-or-v1-0123456789abcdef"
REFERENCE = "keyring:openrouter/me"


def shared(tmp_path: Path) -> Settings:
    """OpenRouter and another upstream with one reference, spelled in two ways."""
    settings = loaded(tmp_path, REFERENCE)
    again = loaded(tmp_path, " KEYRING: openrouter/me ").key_reference
    other = UpstreamSettings("other", "http://127.0.0.1:1/v1", key_reference=again)
    return dataclasses.replace(settings, upstreams={"other": other, "open": other_without_key()})


def other_without_key() -> UpstreamSettings:
    return UpstreamSettings("open", "http://127.0.0.1:1/v1")


def test_two_upstreams_with_one_reference_read_it_once(tmp_path, monkeypatch):
    reads = []
    may_answer = threading.Event()

    def get_password(*asked: str) -> str:
        reads.append(asked)
        assert may_answer.wait(60)
        return KEY

    monkeypatch.setattr(keyring, "get_password", get_password)
    settings = shared(tmp_path)

    async def story():
        ring = KeyRing(settings)
        looking = asyncio.create_task(ring.missing({OPENROUTER, "other", "open", "local"}))
        caches = [
            ring.of(settings.key_reference, known=None),
            ring.of(settings.upstreams["other"].key_reference, known=None),
        ]
        waiting = asyncio.gather(*(cache.current() for cache in caches for _ in range(20)))
        await asyncio.sleep(0)
        may_answer.set()
        return await looking, {key.reveal() for key in await waiting}, caches

    missing, keys, caches = asyncio.run(story())
    assert missing == {}
    assert keys == {KEY}
    assert caches[0] is caches[1]
    assert reads == [("openrouter", "me")]


def test_a_reference_that_leads_nowhere_is_missing_for_all_that_share_it(tmp_path, monkeypatch):
    monkeypatch.setattr(keyring, "get_password", lambda *_: None)

    async def story():
        return await KeyRing(shared(tmp_path)).missing({OPENROUTER, "other", "open"})

    missing = asyncio.run(story())
    assert sorted(missing) == [OPENROUTER, "other"]
    assert isinstance(missing["other"], CredentialsError)
    assert "keeps nothing for openrouter/me" in str(missing["other"])


def test_the_ledger_knows_a_kept_key_by_its_reference_and_any_other_by_itself(
    tmp_path, monkeypatch
):
    """So that the budget of a key goes on when the key is replaced where it is kept."""
    text = "[budgets.key]\nlimit_usd = 5\nscope = 'key'"
    (tmp_path / "ultrai.toml").write_text(text)
    monkeypatch.setattr(keyring, "get_password", lambda *_: pytest.fail("nobody asked for it"))
    kept, same = loaded(tmp_path, REFERENCE), loaded(tmp_path, "KEYRING:openrouter/me")
    assert kept.key_identity is not None
    assert kept.key_identity.startswith("ref-")
    assert kept.key_identity == same.key_identity
    assert kept.budgets[0].subject == kept.key_identity
    here, there = (
        loaded(tmp_path, "vault:secret/a#b", VAULT_ADDR=address).key_identity
        for address in ("http://here", "http://there")
    )
    assert here != there
    place = tmp_path / "key"
    place.write_text(KEY)
    place.chmod(0o600)
    filed = loaded(tmp_path, f"file:{place}")
    assert filed.key is not None
    assert filed.key_identity == filed.budgets[0].subject != filed.key.fingerprint
    place.write_text(f"{KEY}-new")
    assert loaded(tmp_path, "file:key").key_identity == filed.key_identity
    plain = loaded(tmp_path, KEY)
    assert plain.key is not None
    assert plain.key_identity == plain.key.fingerprint == plain.budgets[0].subject
