from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ultrai.domain.errors import SettingsError
from ultrai.domain.secret import Secret
from ultrai.settings import Settings, load
from ultrai.settings.load import file_to_edit


def test_without_anything_every_setting_has_its_default(loaded, tmp_path):
    assert loaded() == Settings(home=tmp_path / "home" / ".local" / "state" / "ultrai")


def test_each_place_wins_over_those_before_it(loaded):
    toml = "concurrency = 2\n[profiles.dev]\nconcurrency = 3\n"
    assert loaded().concurrency == 50
    assert loaded(toml).concurrency == 2
    assert loaded(toml, {"ULTRAI_ENV": "dev"}).concurrency == 3
    environ = {"ULTRAI_ENV": "dev", "ULTRAI_CONCURRENCY": "4"}
    assert loaded(toml, environ).concurrency == 4
    assert loaded(toml, environ, flags={"concurrency": 5}).concurrency == 5


def test_a_flag_that_was_not_given_changes_nothing(loaded):
    assert loaded("deadline_s = 7", flags={"deadline_s": None}).deadline_s == 7.0


def test_a_profile_overrides_single_keys_of_a_table(loaded):
    toml = """
        [openrouter]
        base_url = "https://one.example/v1"
        api_key = "env:ONE"
        [profiles.dev.openrouter]
        api_key = "env:TWO"
    """
    settings = loaded(toml, {"ULTRAI_ENV": "dev", "ONE": "key-one", "TWO": "key-two"})
    assert settings.base_url == "https://one.example/v1"
    assert settings.key == Secret("key-two")
    assert settings.environment == "dev"


def test_the_word_none_takes_back_what_was_set(loaded):
    toml = "deadline_s = 5\nquorum = 2\npace_per_minute = 9\n[profiles.dev]\nquorum = 'none'\n"
    settings = loaded(
        toml,
        {"ULTRAI_ENV": "dev", "ULTRAI_PACE_PER_MINUTE": "none"},
        flags={"deadline_s": "none"},
    )
    assert (settings.quorum, settings.deadline_s, dict(settings.pace_per_minute)) == (
        None,
        None,
        {},
    )


def test_a_profile_that_the_file_lacks_is_an_error_that_names_the_nearest(loaded):
    with pytest.raises(SettingsError, match="has no profile 'stagign'") as caught:
        loaded("[profiles.staging]\nconcurrency = 3", {"ULTRAI_ENV": "stagign"})
    assert "staging" in caught.value.hint
    with pytest.raises(SettingsError, match="has no profile"):
        loaded("[profiles]", {"ULTRAI_ENV": "dev"})


def test_a_profile_without_a_file_or_without_any_profiles_is_only_a_name(loaded):
    assert loaded(None, {"ULTRAI_ENV": "dev"}).environment == "dev"
    assert loaded("concurrency = 2", {"ULTRAI_ENV": "dev"}).environment == "dev"


def test_a_mistyped_key_in_a_profile_that_is_not_chosen_is_still_an_error(loaded):
    with pytest.raises(SettingsError, match=r"profiles\.prod\.concurency is not a setting"):
        loaded("[profiles.prod]\nconcurency = 3")


def test_the_file_here_hides_the_users_own_and_config_hides_both(loaded, tmp_path):
    of_user = tmp_path / "home" / ".config" / "ultrai" / "ultrai.toml"
    of_user.parent.mkdir(parents=True)
    of_user.write_text("concurrency = 2")
    named = tmp_path / "other.toml"
    named.write_text("concurrency = 4")
    assert (loaded().concurrency, loaded().source) == (2, of_user)
    assert loaded("concurrency = 3").concurrency == 3
    assert loaded(config=named).concurrency == 4
    assert loaded(config=Path("other.toml")).source == named


def test_the_users_file_is_looked_for_under_xdg_config_home_if_that_is_absolute(tmp_path):
    folder = tmp_path / "config" / "ultrai"
    folder.mkdir(parents=True)
    (folder / "ultrai.toml").write_text("concurrency = 2")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environ = {"HOME": str(elsewhere), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert load(environ=environ, cwd=elsewhere).concurrency == 2
    relative = {"HOME": str(elsewhere), "XDG_CONFIG_HOME": "../config"}
    assert load(environ=relative, cwd=elsewhere).concurrency == 50


def test_a_config_file_that_does_not_exist_is_an_error(loaded, tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read: No such file"):
        loaded(config=tmp_path / "gone.toml")


def test_a_dangling_link_or_a_folder_in_place_of_the_file_is_not_passed_over(loaded, tmp_path):
    (tmp_path / "ultrai.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="No such file"):
        loaded()
    (tmp_path / "ultrai.toml").unlink()
    (tmp_path / "ultrai.toml").mkdir()
    with pytest.raises(SettingsError, match="Is a directory"):
        loaded()


@pytest.fixture
def somebody():
    """Root may read everything, so as root the test is nobody for a while."""
    ourselves = os.geteuid()
    if ourselves == 0:
        os.seteuid(65534)
    yield
    os.seteuid(ourselves)


@pytest.mark.usefixtures("somebody")
def test_a_file_without_permission_is_an_error(loaded):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "closed.toml"
        file.write_text("")
        file.chmod(0)
        with pytest.raises(SettingsError, match="Permission denied"):
            loaded(config=file)


def test_a_syntax_error_names_file_and_line(loaded, tmp_path):
    with pytest.raises(SettingsError) as caught:
        loaded("concurrency = 2\ndeadline_s 3\n")
    assert str(tmp_path / "ultrai.toml") in str(caught.value)
    assert "line 2" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"# \xff\n", "line 1 is not UTF-8"),
        (b"a = 1\n\xe9 = 2", "line 2 is not UTF-8"),
        (b"#" * ((1 << 20) + 1), "larger than 1 MiB"),
        (b"quorum = " + b"9" * 5000, "too many digits"),
        (b"quorum = 0x" + b"f" * 5000, "quorum must be"),
        (b"cocktails = " + b"[" * 5000, "levels deep"),
        (b"cocktails = " + b"[" * 30 + b"]" * 30, "levels deep"),
        (b"cocktails" + b".a" * 30 + b" = 1", "levels deep"),
    ],
)
def test_what_is_no_settings_file_is_one_clear_line(loaded, data, cause):
    with pytest.raises(SettingsError, match=cause) as caught:
        loaded(data)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_and_windows_line_breaks_do_no_harm(loaded):
    assert loaded(b"\xef\xbb\xbfconcurrency = 2\r\nquorum = 1\r\n").concurrency == 2


@pytest.mark.parametrize(
    ("toml", "key", "nearest"),
    [
        ("concurency = 3", "concurency", "concurrency"),
        ("deadline = 3", "deadline", "deadline_s"),
        ("base_url = 'https://x.example'", "base_url", "openrouter.base_url"),
        ("[openrouter]\napi_keys = 'env:A'", "openrouter.api_keys", "api_key"),
        ("[upstreams.a]\nbase = 'https://x.example'", "upstreams.a.base", "base_url"),
        ("[attribution]\nreferrer = 'x'", "attribution.referrer", "referer"),
        ("environment = 'dev'", "environment", "valid keys"),
        ("'a\\nb' = 1", r"'a\\nb'", "valid keys"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_file_key_and_the_nearest(
    loaded, tmp_path, toml, key, nearest
):
    with pytest.raises(SettingsError) as caught:
        loaded(toml)
    assert str(caught.value) == f"{tmp_path / 'ultrai.toml'}: {key} is not a setting"
    assert nearest in caught.value.hint


@pytest.mark.parametrize("name", ["openrouter", "upstreams", "cocktails", "profiles"])
def test_a_value_in_place_of_a_table_is_an_error(loaded, name):
    with pytest.raises(SettingsError, match=f"{name} must be a table$"):
        loaded(f"{name} = 3")


def test_an_unknown_flag_is_an_error(loaded):
    with pytest.raises(SettingsError, match="flags: deadline is not a setting"):
        loaded(flags={"deadline": 3})


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("ULTRAI_DEADLINE", "ULTRAI_DEADLINE_S"),
        ("ULTRAI_DATABASE_URI", "ULTRAI_DATABASE_URL"),
        ("ULTRAI_VALKEY", "ULTRAI_VALKEY_URL"),
        ("ULTRAI_MAX_ATTEMPT", "ULTRAI_MAX_ATTEMPTS"),
        ("ULTRAI_API_KEY", "OPENROUTER_API_KEY"),
        ("ULTRAI_PROFILE", "ULTRAI_ENV"),
    ],
)
def test_a_variable_that_looks_like_a_slip_of_the_pen_is_an_error(loaded, variable, meant):
    with pytest.raises(SettingsError, match=variable) as caught:
        loaded(None, {variable: "1"})
    assert caught.value.hint == f"did you mean {meant}?"


@pytest.mark.parametrize("variable", ["ULTRAI_HOST", "ULTRAI_PORT", "ULTRAI_CRASH_AT", "ULTRAI_X"])
def test_variables_of_other_tools_are_left_alone(loaded, variable):
    assert loaded(None, {variable: "1"}) == loaded()


def test_an_empty_variable_is_not_set(loaded):
    environ = {"OPENROUTER_API_KEY": " ", "ULTRAI_DEADLINE_S": "", "ULTRAI_VALKEY_URL": ""}
    assert loaded(None, environ) == loaded()


def test_the_state_directory_comes_from_flag_variable_file_or_xdg(loaded, tmp_path):
    home = tmp_path / "home"
    assert loaded(None, {"XDG_STATE_HOME": "/state"}).home == Path("/state/ultrai")
    assert loaded(None, {"XDG_STATE_HOME": "state"}).home == home / ".local/state/ultrai"
    assert loaded("home = 'here'").home == tmp_path / "here"
    assert loaded("home = '~/here'").home == home / "here"
    assert loaded("home = 'here'", {"ULTRAI_HOME": "/there"}).home == Path("/there")
    assert loaded(flags={"home": Path("/flag")}).home == Path("/flag")


def test_without_any_home_the_error_says_what_to_set(tmp_path, monkeypatch):
    def nobody() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(SettingsError, match="no home directory"):
        load(environ={}, cwd=tmp_path)
    assert load(environ={"ULTRAI_HOME": "/there"}, cwd=tmp_path).home == Path("/there")


@pytest.mark.parametrize(
    ("variable", "value", "cause"),
    [
        ("ULTRAI_VALKEY_URL", "http://canary@h", "must start with valkey://"),
        ("ULTRAI_DATABASE_URL", "mysql://u:canary@h/d", "must start with sqlite:///"),
        ("ULTRAI_SYNTHESIS", "fuse", "is not available yet"),
    ],
)
def test_what_is_not_available_yet_is_refused_and_not_echoed(loaded, variable, value, cause):
    with pytest.raises(SettingsError, match=f"environment: {variable} .*{cause}") as caught:
        loaded(None, {variable: value})
    assert "canary" not in str(caught.value)


def test_an_sqlite_address_is_kept(loaded):
    settings = loaded("database_url = 'sqlite:////tmp/x.db'")
    assert settings.database_url == "sqlite:////tmp/x.db"


def test_the_file_to_edit_is_the_one_in_force_else_the_users(tmp_path):
    environ = {"HOME": str(tmp_path)}
    of_user = tmp_path / ".config" / "ultrai" / "ultrai.toml"
    assert file_to_edit(environ=environ, cwd=tmp_path) == of_user
    (tmp_path / "ultrai.toml").touch()
    assert file_to_edit(environ=environ, cwd=tmp_path) == tmp_path / "ultrai.toml"


def test_the_environment_of_the_process_is_the_default(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ULTRAI_CONCURRENCY", "7")
    assert load().concurrency == 7


def test_a_working_directory_that_is_gone_is_one_clear_line(monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        with pytest.raises(SettingsError, match="working directory cannot be used"):
            load(environ={"HOME": "/"})
    finally:
        monkeypatch.chdir(tmp_path)


def test_a_server_of_postgresql_may_be_named_and_its_password_does_not_show(loaded):
    settings = loaded("database_url = 'postgresql://u:canary@h/d'")
    assert settings.database_url == "postgresql://u:canary@h/d"
    assert "canary" not in repr(settings)
