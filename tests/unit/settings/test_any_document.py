"""Whatever a settings file holds, the outcome is Settings or an UltraiError."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from ultrai.domain.errors import UltraiError
from ultrai.settings import Settings, load
from ultrai.settings.layers import OPEN_TABLES, PLACES, TABLES
from ultrai.settings.schema import SCALARS
from ultrai.settings.statements import quoted

OWN = ["upstreams.up", "cocktails.C", "profiles.dev", "profiles.dev.upstreams.up"]
KEYS = st.sampled_from([*SCALARS, *PLACES, *TABLES, *OPEN_TABLES, "profiles", "slots", "a/b", "*"])
PATHS = st.one_of(
    st.sampled_from([*SCALARS, *PLACES, *TABLES, *OPEN_TABLES, *OWN]),
    st.sampled_from([f"{prefix}{name}" for prefix in ("", "profiles.dev.") for name in SCALARS]),
    st.sampled_from([f"{name}.{key}" for name, keys in TABLES.items() for key in keys]),
    st.sampled_from([f"upstreams.up.{key}" for key in TABLES["upstreams"]]),
    st.sampled_from([f"cocktails.C.{key}" for key in ("slots", "quorum", "synthesis", "'a/b'")]),
    st.sampled_from(["pace_per_minute.'*'", "pace_per_minute.'a/b'", "cocktails.c.slots"]),
    st.lists(KEYS | st.text(max_size=5), min_size=1, max_size=4).map(
        lambda parts: ".".join(map(quoted, parts))
    ),
)
SCALAR_VALUES = st.one_of(
    st.booleans().map(lambda value: "true" if value else "false"),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(lambda value: repr(value) if "." in repr(value) else "nan"),
    st.text(max_size=20).map(quoted),
    st.sampled_from(
        ["'none'", "'env:A'", "'file:x'", "'https://a.example'", "'a/b*2'", "1e999999999"]
    ),
    st.sampled_from(["1979-05-27", "07:32:00", "0x" + "f" * 4000, "'http://[::1]'", "'x.json'"]),
)
VALUES = st.recursive(
    SCALAR_VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]"),
        st.dictionaries(KEYS.map(quoted), inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{k} = {v}" for k, v in table.items()) + "}"
        ),
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(PATHS, VALUES, max_size=4).map(
    lambda table: "\n".join(f"{key} = {value}" for key, value in table.items())
)


def assert_is_one_line(found: Settings | UltraiError) -> None:
    if isinstance(found, UltraiError):
        assert "\n" not in str(found) + found.hint


def outcome(data: bytes, folder: Path) -> Settings | UltraiError:
    (folder / "ultrai.toml").write_bytes(data)
    environ = {"HOME": str(folder), "ULTRAI_ENV": "dev", "A": "key"}
    try:
        return load(environ=environ, cwd=folder)
    except UltraiError as error:
        return error


@given(DOCUMENTS)
@example("attribution = {title = '\ud7ff'}")
@example("upstreams = {'' = {base_url = 'http://[::1]'}}")
@example("cocktails = {'' = {}}")
def test_any_document_gives_settings_or_an_error_of_one_line(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()
    assert_is_one_line(outcome(text.encode("utf-8", "replace"), folder))


@given(st.binary(max_size=60))
def test_any_bytes_give_settings_or_an_error_of_one_line(tmp_path_factory, data):
    assert_is_one_line(outcome(data, tmp_path_factory.getbasetemp()))
