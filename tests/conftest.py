"""What every test gets: an environment of its own, the same on every machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Noisy machines make slow examples, and a slow example is no finding; a failure must repeat.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, print_blob=False)
hypothesis.settings.load_profile("house")

_FOREIGN_PREFIXES = ("OPENROUTER_", "ULTRAI_", "XDG_")
_FOREIGN_NAMES = frozenset(
    {
        "ALL_PROXY",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
        "FTP_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LINES",
        "NO_COLOR",
        "NO_PROXY",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "PY_COLORS",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--live",
        action="store_true",
        help="also run the tests that ask the real upstream (needs OPENROUTER_API_KEY; costs)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: asks the real upstream; only with --live")
    config.addinivalue_line("markers", "terminal: drives a real terminal; needs tmux")
    config.addinivalue_line("markers", "weights: runs a real embedded model; needs its weights")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--live"):
        return
    live = [item for item in items if item.get_closest_marker("live")]
    config.hook.pytest_deselected(items=live)
    items[:] = [item for item in items if not item.get_closest_marker("live")]


def _is_foreign(name: str) -> bool:
    upper = name.upper()
    return upper.startswith(_FOREIGN_PREFIXES) or upper in _FOREIGN_NAMES


@pytest.fixture(autouse=True)
def _environment_of_its_own(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No key, proxy, colour wish or file of the person who runs the tests reaches a test.

    HOME, the XDG directories, ULTRAI_HOME and the working directory (`./ultrai.toml`) lie in
    `tmp_path/home`. A `live` test keeps its key.
    """
    keeps_key = request.node.get_closest_marker("live") is not None
    for name in list(os.environ):
        if _is_foreign(name) and not (keeps_key and name.startswith("OPENROUTER_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local" / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local" / "share"))
    monkeypatch.setenv("ULTRAI_HOME", str(home / "ultrai"))
