"""The key occurs nowhere, however hard an upstream tries to have it written down."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import traceback
from pathlib import Path

import pytest
from tests.contract.product.asking import A, B, C, D, E, opened
from tests.contract.product.command import Ended, command
from tests.contract.product.upstream import (
    KEY,
    Upstream,
    ending,
    frame,
    refusal,
    row,
    running,
    says,
    streamed,
    whole,
)

from ultrai.domain.errors import UltraiError

BEARER = f"Bearer {KEY}"
TAIL = KEY[-24:]


def cut(text, size):
    return [text[i : i + size] for i in range(0, len(text), size)]


SPEAKER = [frame(piece) for piece in cut(f"your key is {KEY}, {BEARER}.", 3)]
THINKER = [frame("", reasoning=piece) for piece in cut(f"hm {KEY}", 1)]
CALL = {"index": 0, "id": KEY, "function": {"name": KEY, "arguments": json.dumps({"k": KEY})}}


def echoing() -> Upstream:
    """An upstream that says the key wherever it can say anything."""
    echo = refusal(
        500,
        f"who is {BEARER}?",
        f"X-Echo: {KEY}",
        f"X-Generation-Id: gen-{KEY}",
        metadata={"raw": f'{{"authorization": "{BEARER}"}}', "provider_name": KEY},
    )
    named = [frame(KEY, model=f"acme/{KEY}"), frame(finish=KEY)]
    upstream = Upstream(
        {
            A: [echo, streamed(*SPEAKER, *THINKER, *ending(), headers=[f"X-Generation-Id: {KEY}"])],
            B: [streamed(*SPEAKER, *THINKER)],
            C: [streamed(*named, *ending())],
            D: [streamed(frame("", tool_calls=[CALL]), *ending())],
            E: [streamed(frame("", refusal=f"not for {KEY}"), *ending())],
        }
    )
    upstream.rows = [row(model, name=f"{model} {KEY}") for model in (A, B, C, D, E)]
    for number, play in enumerate(
        (
            whole("502 Bad", f"<html>{BEARER}</html>".encode(), kind="text/html"),
            whole("200 OK", f"{KEY} is no JSON".encode()),
            whole("200 OK", json.dumps({"choices": [], "error": {"message": KEY}}).encode()),
            streamed(f": {KEY}\n\n".encode(), f"data: {KEY}\n\n".encode()),
            whole("302 Found", b"", f"Location: https://x.example/{KEY}"),
            refusal(429, f"{KEY}", metadata={"headers": {"Retry-After": KEY}}),
            refusal(400, "x" * 250 + KEY * 40),
            refusal(400, KEY, code=KEY),
        )
    ):
        model = f"acme/evil-{number}"
        upstream.plays[model] = [play]
        upstream.rows.append(row(model))
    return upstream


def all_models(upstream):
    return [str(listed["id"]) for listed in upstream.rows]


def traces_in(data: bytes) -> list[bytes]:
    forms = [KEY.encode(), TAIL.encode(), base64.b64encode(KEY.encode())[:40]]
    return [form for form in forms if form in data]


def leaks_under(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if traces_in(path.read_bytes())]


def test_the_canary_would_be_seen():
    assert traces_in(f"x{KEY}".encode())
    assert traces_in(KEY[3:].encode())


def test_report_events_and_files_do_not_hold_the_key(tmp_path):
    upstream = echoing()

    async def run():
        async with opened(upstream, tmp_path, {"max_attempts": 2}) as product:
            models = all_models(upstream)
            events = [event async for event in product.stream("ping", models=models)]
            report = events[-1].report
            stored = await product.events(report.id)
            while_open = leaks_under(tmp_path)
            names = [repr(model) for model in await product.catalog()]
            secrets = repr(product.settings) + str(product.settings)
        return events, report, stored, while_open, names, secrets

    events, report, stored, while_open, names, secrets = asyncio.run(run())
    assert report.slots[0].answer is not None
    assert "your key is" in report.slots[0].answer.text
    written = json.dumps([event.to_dict() for event in events]) + repr(events)
    assert traces_in(written.encode()) == []
    assert traces_in((json.dumps(report.to_dict()) + repr(report)).encode()) == []
    assert traces_in(repr(stored).encode()) == []
    assert traces_in(secrets.encode()) == []
    assert while_open == []
    assert leaks_under(tmp_path) == []
    assert traces_in("".join(names).encode()) == []


@pytest.mark.parametrize("flags", [("--json",), ("--jsonl",), ("--plain",), ("--debug", "--plain")])
def test_the_command_line_does_not_print_the_key(flags):
    upstream = echoing()

    async def run() -> list[Ended]:
        async with running(upstream):
            named = [part for model in all_models(upstream) for part in ("-m", model)]
            ended = [await command(upstream, "ask", "ping", *flags, *named)]
            if flags == ("--json",):
                run_id = ended[0].json["id"]
                ended += [
                    await command(upstream, *look)
                    for look in (("show", run_id), ("export", run_id), ("models", "acme"))
                ]
        return ended

    for ended in asyncio.run(run()):
        assert traces_in((ended.out + ended.err).encode()) == []
        assert ended.out + ended.err
    assert leaks_under(Path(os.environ["ULTRAI_HOME"])) == []


def test_nor_a_key_that_stands_in_a_file_and_is_read_anew(tmp_path):
    """Also one that is refused, and so looked for once more."""
    place = tmp_path / "key"
    place.write_text(KEY)
    place.chmod(0o600)
    upstream = echoing()
    models = all_models(upstream)
    upstream.plays["acme/denied"] = [refusal(401, f"who is {BEARER}?")]
    upstream.rows.append(row("acme/denied"))

    async def run() -> list[Ended]:
        async with running(upstream):
            named = [part for model in models for part in ("-m", model)]
            return [
                await command(
                    upstream,
                    *("ask", "ping", "--debug", "--plain", *asked),
                    env={"OPENROUTER_API_KEY": f"file:{place}"},
                )
                for asked in (named, ("-m", "acme/denied"))
            ]

    asked, denied = asyncio.run(run())
    assert denied.code == 6
    for ended in (asked, denied):
        assert "POST" in ended.err
        assert traces_in((ended.out + ended.err).encode()) == []
    assert leaks_under(Path(os.environ["ULTRAI_HOME"])) == []


def test_errors_that_are_raised_do_not_hold_the_key(tmp_path):
    upstream = Upstream(listing=refusal(401, f"no {BEARER}"))

    async def run():
        async with opened(upstream, tmp_path) as product:
            with pytest.raises(UltraiError) as unlisted:
                await product.catalog(refresh=True)
            with pytest.raises(UltraiError) as endless:
                await product.endpoints(A)
            with pytest.raises(UltraiError) as refused:
                await product.ask("ping", models=[A], max_cost_usd="0.1")
        return [unlisted.value, endless.value, refused.value]

    for error in asyncio.run(run()):
        words = "".join(traceback.format_exception(error)) + repr(error) + error.hint
        assert traces_in(words.encode()) == []


def test_debug_shows_a_wire_log_with_the_key_masked():
    upstream = Upstream({A: [refusal(400, f"bad {BEARER}")], B: [says(f"hello {KEY}")]})
    upstream.listed(A, B)

    async def run():
        async with running(upstream):
            return await command(upstream, "--debug", "ask", "ping", "-m", A, "-m", B)

    ended = asyncio.run(run())
    assert "POST" in ended.err
    assert traces_in((ended.out + ended.err).encode()) == []
    assert ended.code == 3


def test_a_key_in_the_prompt_is_the_users_own_affair_but_the_answer_is_whole(tmp_path):
    """Only the key is masked: text around it, and text that merely begins like it, is kept."""
    begins = KEY[:20]
    upstream = Upstream({A: [says(f"before {begins} after")]})

    async def run():
        async with opened(upstream, tmp_path) as product:
            return await product.ask("ping", models=[A])

    report = asyncio.run(run())
    assert report.slots[0].answer.text == f"before {begins} after"
