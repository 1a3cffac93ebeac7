import pytest

from ultrai.upstream.sniff import BodyKind, sniff

SSE = "text/event-stream"


@pytest.mark.parametrize(
    ("beginning", "content_type", "kind"),
    [
        (b"data: {}", SSE, BodyKind.STREAM),
        (b": note", SSE, BodyKind.STREAM),
        (b"anything", SSE, BodyKind.STREAM),
        (b'{"id":1}', SSE, BodyKind.JSON),
        (b'{"id":1}', "application/json", BodyKind.JSON),
        (b"\n\n  {", "application/json", BodyKind.JSON),
        (b"\xef\xbb\xbf{", "application/json", BodyKind.JSON),
        (b"data: {}", "text/plain", BodyKind.STREAM),
        (b": note", "application/json", BodyKind.STREAM),
        (b"event: x", "", BodyKind.STREAM),
        (b"<!doctype html>", SSE, BodyKind.HTML),
        (b"<html>", "text/html", BodyKind.HTML),
        (b"Service down", "text/plain", BodyKind.OTHER),
        (b"idle", "text/plain", BodyKind.OTHER),
        (b"d", "text/plain", None),
        (b"", SSE, None),
        (b" \n", "application/json", None),
    ],
)
def test_the_first_bytes_decide_and_the_content_type_breaks_ties(beginning, content_type, kind):
    assert sniff(beginning, content_type) is kind


def test_at_the_end_nothing_is_left_open():
    assert sniff(b" ", SSE, at_end=True) is BodyKind.EMPTY
    assert sniff(b"dat", "text/plain", at_end=True) is BodyKind.OTHER
