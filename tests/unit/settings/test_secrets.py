from __future__ import annotations

import os
import traceback

import pytest

from ultrai.domain.errors import CredentialsError, SettingsError
from ultrai.domain.secret import Secret
from ultrai.settings.places import World
from ultrai.settings.secrets import resolve
from ultrai.settings.store_forms import FORMS

CANARY = "sk-or-v1-canary0123456789"


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    return path


def resolved(text, tmp_path, environ=None):
    return resolve(text, world=World(environ or {}, tmp_path), folder=tmp_path)


def test_a_plain_key_loses_the_blanks_around_it(tmp_path):
    assert resolved(f"  {CANARY}\n", tmp_path) == Secret(CANARY)


def test_a_variable_holds_the_key(tmp_path):
    assert resolved("env:MY_KEY", tmp_path, {"MY_KEY": CANARY}) == Secret(CANARY)


@pytest.mark.parametrize("reference", ["file:{}", "FILE:{}", "file://{}", " file:{} "])
def test_a_file_holds_the_key_in_its_only_line(tmp_path, key_file, reference):
    assert resolved(reference.format(key_file), tmp_path) == Secret(CANARY)


def test_a_relative_path_starts_at_the_folder_and_a_tilde_at_home(tmp_path, key_file):
    assert resolved("file:key", tmp_path) == Secret(CANARY)
    assert resolved("file:~/key", tmp_path / "x", {"HOME": str(tmp_path)}) == Secret(CANARY)


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
@pytest.mark.parametrize(("mode", "is_open"), [(0o604, True), (0o602, True), (0o640, False)])
def test_a_file_that_every_user_may_read_or_write_is_refused(tmp_path, key_file, mode, is_open):
    key_file.chmod(mode)
    if not is_open:
        assert resolved(f"file:{key_file}", tmp_path) == Secret(CANARY)
        return
    with pytest.raises(CredentialsError, match="open to every user") as caught:
        resolved(f"file:{key_file}", tmp_path)
    assert f"chmod 600 {key_file}" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"", "is empty"), (b" \n ", "is empty"), (b"\xff\xfe", "holds no text")],
)
def test_a_file_without_a_key_is_refused(tmp_path, key_file, content, cause):
    key_file.write_bytes(content)
    with pytest.raises(CredentialsError, match=cause):
        resolved(f"file:{key_file}", tmp_path)


@pytest.mark.parametrize("target", ["gone", "", ".", "key/x", "a\nb", "a\0b"])
def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path, key_file, target):
    with pytest.raises(CredentialsError) as caught:
        resolved(f"file:{target}", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keyring:me", "keyring: is not followed by a service and a name"),
        ("vault:secret/a", "vault: is not followed by a path and a field"),
        ("aws-sm:", "aws-sm: is not followed by the name or ARN of a secret"),
        ("aws-sm:two words", "aws-sm: is not followed by the name or ARN of a secret"),
        ("aws-kms:not base64!", "aws-kms: is not followed by a ciphertext in base64"),
        ("aws-kms:aaaaa", "aws-kms: is followed by broken base64"),
        ("azure-kv:name", "azure-kv: is not followed by a vault and the name of a secret"),
        ("azure-kv:vault/a_b", "azure-kv: is not followed by a vault and the name of a secret"),
        ("gcp-sm:name", "gcp-sm: is not followed by a project and the name of a secret"),
        ("gcp-sm:UPPER/name", "gcp-sm: is not followed by a project and the name of a secret"),
    ],
)
def test_a_reference_that_can_lead_nowhere_is_told_before_a_store_is_asked(tmp_path, text, told):
    with pytest.raises(CredentialsError, match=told) as caught:
        resolved(text, tmp_path)
    assert caught.value.hint.startswith("write ")


@pytest.mark.parametrize(
    ("scheme", "rest", "parts"),
    [
        ("aws-sm", "prod/ultrai#openrouter", {"id": "prod/ultrai", "field": "openrouter"}),
        (
            "aws-sm",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/key-AbCdEf",
            {"id": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/key-AbCdEf"},
        ),
        ("azure-kv", "team/key", {"vault": "team", "name": "key", "version": None}),
        ("azure-kv", "kv.vault.azure.cn/key/0a1b", {"vault": "kv.vault.azure.cn"}),
        ("gcp-sm", "team-1/key", {"project": "team-1", "name": "key", "version": None}),
        ("gcp-sm", "team-1/key/7", {"project": "team-1", "name": "key", "version": "7"}),
        ("gcp-sm", "projects/p-1/secrets/k/versions/7", {"project": "p-1", "version": "7"}),
        ("gcp-sm", "example.com:p/key", {"project": "example.com:p", "name": "key"}),
        ("keyring", "https://a/b/me", {"service": "https://a/b", "name": "me"}),
        ("vault", "kv/a/b/c#d", {"mount": "kv", "path": "a/b/c", "field": "d"}),
    ],
)
def test_the_parts_of_a_reference(scheme, rest, parts):
    found = FORMS[scheme].match(rest).groupdict()
    assert {name: found[name] for name in parts} == parts


@pytest.mark.parametrize(
    "text",
    [
        f"{CANARY} {CANARY}",
        f"{CANARY}\n{CANARY}",
        f"{CANARY}\x00",
        f"{CANARY}é",
        f"\u200b{CANARY}",
        f"op://{CANARY}",
        f"env:{CANARY}",
        f"env: {CANARY}",
        "env:EMPTY",
        f"aws-sm:{CANARY} {CANARY}",
        f"azure-kv:{CANARY}",
        f"gcp-sm:{CANARY}",
        f"aws-kms:{CANARY}",
        "env:CHAINED",
        CANARY * 400,
    ],
)
def test_no_error_echoes_a_malformed_key(tmp_path, text):
    environ = {"EMPTY": "", "CHAINED": f"file:/{CANARY}"}
    with pytest.raises(CredentialsError) as caught:
        resolved(text, tmp_path, environ)
    told = "".join(traceback.format_exception(caught.value, chain=True)) + caught.value.hint
    assert "canary" not in told


def test_a_world_does_not_show_its_variables(tmp_path):
    assert CANARY not in repr(World({"OPENROUTER_API_KEY": CANARY}, tmp_path))


def test_a_key_in_the_environment_is_taken_and_masked(loaded):
    settings = loaded(None, {"OPENROUTER_API_KEY": CANARY})
    assert settings.key == Secret(CANARY)
    assert CANARY not in repr(settings)


@pytest.mark.parametrize(
    ("reference", "cause"),
    [
        ("env:NOT_SET", "NOT_SET is not set"),
        ("file:gone", "cannot be read"),
        ("aws-sm:", "not followed by the name or ARN"),
        ("two words", "a blank"),
    ],
)
def test_a_key_that_cannot_be_had_fails_only_what_needs_it(loaded, reference, cause):
    settings = loaded(None, {"OPENROUTER_API_KEY": reference})
    assert settings.key is None
    assert settings.key_problem is not None
    assert settings.key_problem.startswith("environment: OPENROUTER_API_KEY: ")
    assert cause in settings.key_problem


def test_only_the_reference_that_wins_is_followed(loaded):
    settings = loaded("openrouter.api_key = 'file:gone'", {"OPENROUTER_API_KEY": CANARY})
    assert (settings.key, settings.key_problem) == (Secret(CANARY), None)


@pytest.mark.parametrize("written", [f"'{CANARY}'", "12345", "true", "['env:A']"])
def test_a_key_written_out_in_a_file_is_refused_without_an_echo(loaded, written):
    with pytest.raises(SettingsError, match=r"openrouter\.api_key must be") as caught:
        loaded(f"openrouter.api_key = {written}")
    told = str(caught.value) + caught.value.hint
    assert "canary" not in told
    assert "12345" not in told


@pytest.mark.parametrize("key", ["openrouter", "upstreams.api_key", "api_key", "openrouter.key"])
def test_a_key_in_the_wrong_place_of_a_file_is_not_echoed(loaded, key):
    with pytest.raises(SettingsError, match=f"{key} ") as caught:
        loaded(f"{key} = '{CANARY}'")
    assert "canary" not in str(caught.value) + caught.value.hint


def test_a_reference_in_a_file_starts_at_that_file(loaded, tmp_path, key_file):
    nested = tmp_path / "nested"
    nested.mkdir()
    (nested / "own.toml").write_text("openrouter.api_key = 'file:../key'")
    assert loaded(config=nested / "own.toml").key == Secret(CANARY)
