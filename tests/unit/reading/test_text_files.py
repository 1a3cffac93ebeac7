"""Plain text and code: encodings, and everything that is no text."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ultrai.reading import snapshot
from ultrai.reading.reader import Reader
from ultrai.reading.reading import Format, Limits, Trouble, Unreadable

SAMPLE = "Straße, naïve, 東京, Привет\nsecond line\n"


def read(path: Path, limits: Limits | None = None) -> str:
    with Reader(limits) as reader:
        reading = reader.read(path)
    assert reading.format is Format.TEXT
    return reading.text


def refusal(path: Path, limits: Limits | None = None) -> Unreadable:
    with Reader(limits) as reader, pytest.raises(Unreadable) as caught:
        reader.read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"],
)
def test_text_is_decoded_by_its_mark_or_its_zeros(tmp_path: Path, encoding: str) -> None:
    text = SAMPLE if encoding not in ("utf-16-le", "utf-16-be") else "int main(void);\n"
    mark = "\ufeff" if encoding == "utf-32-be" else ""
    path = tmp_path / "sample.txt"
    path.write_bytes((mark + text).encode(encoding))
    assert read(path) == text


def test_line_ends_become_plain(tmp_path: Path) -> None:
    path = tmp_path / "dos.txt"
    path.write_bytes(b"one\r\ntwo\r\n")
    assert read(path) == "one\ntwo\n"


def test_a_page_that_is_shown_as_code_stays_code(tmp_path: Path) -> None:
    path = tmp_path / "template.py"
    path.write_text('PAGE = "<html><body>x</body></html>"\n')
    assert read(path).startswith("PAGE = ")


def test_another_encoding_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(b"first\nna\xefve\n")
    error = refusal(path)
    assert error.trouble is Trouble.ENCODING
    assert "byte 0xEF in line 2" in str(error)
    assert "iconv" in error.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a PNG image"),
        (b"\x7fELF\x02\x01\x01", "is a program"),
        (b"\x1f\x8b\x08\0", "is a gzip archive"),
        (b"SQLite format 3\0rest", "is an SQLite database"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "Office file"),
        (b"plain start\0\x01\x02\x03", "is binary"),
        (b"\0\xff\xfe\xfd", "is binary"),
        (bytes(range(1, 32)) * 20, "is binary"),
    ],
)
def test_what_is_binary_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "thing.txt"
    path.write_bytes(data)
    error = refusal(path)
    assert error.trouble is Trouble.BINARY
    assert words in str(error)


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "nothing.md"
    path.write_bytes(data)
    assert refusal(path).trouble is Trouble.EMPTY


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.txt").trouble is Trouble.MISSING


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).trouble is Trouble.FOLDER


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    error = refusal(path)
    assert error.trouble is Trouble.NOT_A_FILE
    assert "a pipe" in str(error)


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        assert refusal(Path("socket")).trouble is Trouble.NOT_A_FILE


def test_a_device_is_refused() -> None:
    assert refusal(Path("/dev/zero")).trouble is Trouble.NOT_A_FILE


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "link"
    path.symlink_to("nowhere")
    assert refusal(path).trouble is Trouble.MISSING


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(1_000_000_000)
    error = refusal(path)
    assert error.trouble is Trouble.TOO_LARGE
    assert "larger than 64 MB: 1,000 MB" in str(error)
    assert "max_file_mb" in error.hint


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "full.txt"
    path.write_bytes(b"x" * 1000)
    assert len(read(path, Limits(file_bytes=1000))) == 1000
    path.write_bytes(b"x" * 1001)
    assert refusal(path, Limits(file_bytes=1000)).trouble is Trouble.TOO_LARGE


class _Writer:
    """Stands in for the system's `fstat`: someone writes to the file just before the second."""

    def __init__(self, path: Path, times: int) -> None:
        self._path = path
        self._left = times
        self.calls = 0

    def __call__(self, number: int) -> os.stat_result:
        self.calls += 1
        is_second = self.calls % 2 == 0
        if is_second and self._left:
            self._left -= 1
            with self._path.open("a") as file:
                file.write("more\n")
        return os.stat(number)


def test_a_file_that_changed_once_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.txt"
    path.write_text("start\n")
    monkeypatch.setattr(snapshot.os, "fstat", _Writer(path, 1))
    assert read(path) == "start\nmore\n"


def test_a_file_that_keeps_changing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.txt"
    path.write_text("start\n")
    writer = _Writer(path, 99)
    monkeypatch.setattr(snapshot.os, "fstat", writer)
    error = refusal(path)
    assert error.trouble is Trouble.CHANGING
    assert writer.calls == 4
