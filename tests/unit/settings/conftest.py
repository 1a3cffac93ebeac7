"""A folder that is home and working directory, and `load` within it, apart from this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ultrai.settings import Settings, load

Loader = Callable[..., Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """`loaded(toml, environ, **keywords)`: write the file, then load with nothing else around."""

    def run(
        toml: str | bytes | None = None,
        environ: Mapping[str, str] | None = None,
        **keywords: object,
    ) -> Settings:
        if toml is not None:
            data = toml if isinstance(toml, bytes) else toml.encode()
            (tmp_path / "ultrai.toml").write_bytes(data)
        variables = {"HOME": str(tmp_path / "home"), **(environ or {})}
        return load(environ=variables, cwd=tmp_path, **keywords)

    return run
