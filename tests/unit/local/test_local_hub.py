"""The model's home over HTTP: resuming, refusing what is not the file, never hanging."""

from __future__ import annotations

import threading
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request

import pytest

from ultrai.local.hub import Hub, Response
from ultrai.local.models import LocalModel
from ultrai.local.origins import OriginError


class Reply:
    """A scripted response: some bytes, then its end or an error."""

    def __init__(
        self, body: bytes, *, status: int = 200, length: int | None = None, error: bool = False
    ) -> None:
        self.status = status
        self.closed = threading.Event()
        self._body = body
        self._length = len(body) if length is None else length
        self._error = error

    def getheader(self, name: str, default: str = "") -> str:
        return str(self._length) if name == "Content-Length" else default

    def read1(self, n: int) -> bytes:
        chunk, self._body = self._body[: min(n, 1000)], self._body[min(n, 1000) :]
        if not chunk and self._error:
            raise ConnectionResetError(104, "Connection reset by peer")
        return chunk

    def close(self) -> None:
        self.closed.set()


class Server:
    """Answers with the given replies in turn, and remembers the requests."""

    def __init__(self, *replies: Reply | Exception) -> None:
        self.requests: list[Request] = []
        self._replies = list(replies)

    def __call__(self, request: Request, _timeout_s: float) -> Response:
        self.requests.append(request)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def nobody(_done_bytes: int) -> None:
    """Nobody watches."""


def test_the_file_is_asked_for_at_its_pinned_revision(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    server, part = Server(Reply(weights)), tmp_path / "part"
    Hub(send=server).fill(model, part, seen=nobody)
    assert part.read_bytes() == weights
    (request,) = server.requests
    assert request.full_url == "https://huggingface.co/maker/tiny/resolve/abc123/tiny.gguf"
    assert request.get_header("Range") is None


def test_a_part_that_is_there_is_completed_with_a_range(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    part = tmp_path / "part"
    part.write_bytes(weights[:300])
    server, seen = Server(Reply(weights[300:], status=206)), list[int]()
    Hub(send=server).fill(model, part, seen=seen.append)
    assert part.read_bytes() == weights
    assert server.requests[0].get_header("Range") == "bytes=300-"
    assert seen == sorted(seen)
    assert seen[-1] == len(weights)


def test_a_server_that_ignores_the_range_makes_it_start_over(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"x" * 300)
    Hub(send=Server(Reply(weights))).fill(model, part, seen=nobody)
    assert part.read_bytes() == weights


def test_a_broken_transfer_is_taken_up_again_where_it_broke(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    part = tmp_path / "part"
    server = Server(
        Reply(weights[:2000], length=len(weights), error=True),
        Reply(weights[2000:2500], status=206, length=len(weights) - 2000),
        Reply(weights[2500:], status=206),
    )
    Hub(send=server).fill(model, part, seen=nobody)
    assert part.read_bytes() == weights
    ranges = [request.get_header("Range") for request in server.requests]
    assert ranges == [None, "bytes=2000-", "bytes=2500-"]


def test_a_transfer_that_brings_nothing_is_given_up(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    server = Server(Reply(b"", length=len(weights), error=True))
    with pytest.raises(OriginError, match="broke off after 0 bytes"):
        Hub(send=server).fill(model, tmp_path / "part", seen=nobody)


def test_an_answer_of_another_length_is_refused_before_a_byte_is_written(
    tmp_path: Path, model: LocalModel
) -> None:
    reply = Reply(b"<html>sign in to this network</html>")
    with pytest.raises(OriginError, match="offered 36 bytes where 10240 were expected"):
        Hub(send=Server(reply)).fill(model, tmp_path / "part", seen=nobody)
    assert reply.closed.is_set()
    assert not (tmp_path / "part").exists()


@pytest.mark.parametrize(
    ("make_error", "words"),
    [
        (lambda: HTTPError("https://x", 404, "Not Found", Message(), None), "HTTP 404"),
        (lambda: URLError(OSError(-3, "Temporary failure in name resolution")), "Temporary"),
        (lambda: URLError(TimeoutError("_ssl.c:990")), "timed out"),
    ],
)
def test_a_home_that_cannot_be_reached_says_why(
    tmp_path: Path, model: LocalModel, make_error: Callable[[], Exception], words: str
) -> None:
    with pytest.raises(OriginError, match=words):
        Hub(send=Server(make_error())).fill(model, tmp_path / "part", seen=nobody)


def test_a_home_that_never_answers_is_left_behind_and_its_late_answer_closed(
    tmp_path: Path, model: LocalModel, weights: bytes
) -> None:
    blocked, late = threading.Event(), Reply(weights)

    def send(_request: Request, _timeout_s: float) -> Response:
        blocked.wait(10)
        return late

    with pytest.raises(OriginError, match="no answer within"):
        Hub(send=send, head_timeout_s=0.01).fill(model, tmp_path / "part", seen=nobody)
    blocked.set()
    assert late.closed.wait(10)
