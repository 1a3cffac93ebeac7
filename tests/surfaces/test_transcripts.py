"""What standard output and standard error hold after a Run, as golden files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from tests.surfaces.conftest import Screen
from tests.surfaces.script import Script, cut_stream, degraded_run, rate_limited

from ultrai.cli.render.view import Manner, View
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import Cost, CostState, Failure, FailureKind, Remedy

Golden = Callable[[str, str], None]
ESCAPE = "\x1b"


def play(script: Script, view: View) -> None:
    for event in script.events:
        view.apply(event)
    view.finish(script.report)


def piped(script: Script, manner: Manner | None = None) -> tuple[str, str]:
    out, err = Screen(), Screen()
    play(script, View(out.terminal(), err.terminal(), manner=manner or Manner()))
    return out.getvalue(), err.getvalue()


def watched(script: Script, *, width: int = 80, colour: bool = False) -> str:
    """Both streams on one terminal, in the order of writing."""
    screen = Screen()
    terminal = screen.terminal(width=width, watched=True, colour=colour)
    view = View(terminal, terminal, manner=Manner(), cap_nanos=100_000_000)
    play(script, view)
    return screen.getvalue()


def test_piped_answers_stand_under_headings_in_the_order_of_the_slots(golden: Golden) -> None:
    out, err = piped(degraded_run())
    golden("piped_out.txt", out)
    golden("piped_err.txt", err)


def test_a_single_piped_answer_is_only_its_text() -> None:
    script = Script("openai/gpt-4o").ask(0).first(0).answer(0, "openai/gpt-4o", "Yes.").end()
    out, _ = piped(script)
    assert out == "Yes.\n"


def test_a_terminal_shows_a_stream_then_whole_answers_then_a_summary(golden: Golden) -> None:
    golden("terminal_80.txt", _without_moves(watched(degraded_run())))


def test_a_narrow_terminal_shows_the_same_in_forty_columns(golden: Golden) -> None:
    golden("terminal_40.txt", _without_moves(watched(degraded_run(), width=40)))


def test_without_colour_a_terminal_gets_only_cursor_moves() -> None:
    assert f"{ESCAPE}[3" not in watched(degraded_run())
    assert f"{ESCAPE}[3" in watched(degraded_run(), colour=True)


def test_jsonl_is_every_event_and_ends_with_the_report() -> None:
    script = degraded_run()
    out, err = piped(script, Manner(jsonl=True))
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(script.events)))
    last = lines[-1]
    assert last["type"] == "report"
    assert {k: last[k] for k in script.report.to_dict()} == script.report.to_dict()
    assert err.startswith("[3] google/gemini-2.5-pro failed after 2 attempts")


def test_json_is_the_report_as_one_line() -> None:
    script = degraded_run()
    out, _ = piped(script, Manner(json=True))
    assert out.count("\n") == 1
    assert json.loads(out) == script.report.to_dict()


def test_json_carries_hostile_text_without_harming_a_terminal() -> None:
    text = "a\x1b[2Jb\x9b31mc\u202e\ud800"
    script = Script("m/a").ask(0).answer(0, "m/a", text).end()
    out, _ = piped(script, Manner(json=True))
    assert not set(out) & set("\x1b\x9b\u202e")
    assert json.loads(out)["slots"][0]["answer"]["text"] == text


def test_each_failure_line_ends_with_its_advice() -> None:
    _, err = piped(degraded_run())
    failed = [line for line in err.splitlines() if "failed" in line and "429" in line]
    assert failed
    assert all(line.endswith("come back in 3 s, or add a backup") for line in failed)


def test_withdrawn_text_is_marked_and_the_next_candidate_begins_afresh() -> None:
    script = Script("m/a").ask(0).first(0).text(0, "half of")
    script.fail(0, "m/a", cut_stream()).withdraw(0).ask(0, "m/b").first(0)
    script.text(0, "whole").answer(0, "m/b", "whole").end()
    shown = _without_moves(watched(script))
    before, after = shown.split("[the text above is withdrawn: m/a broke off, cut stream]")
    assert "half of\n" in before
    assert "── m/b (for m/a) ─" in after
    assert "whole\n" in after


def test_an_interrupted_run_prints_what_had_arrived_marked_as_incomplete() -> None:
    script = Script("m/a", "m/b").ask(0).ask(1).first(0).text(0, "Part of a").first(1)
    script.text(1, "Part of b").fail(0, "m/a").fail(1, "m/b")
    script.give_up(0, None, "cancelled").give_up(1, None, "cancelled").end("interrupted")
    out, _ = piped(script)
    assert out == "## m/a (incomplete)\n\nPart of a\n\n## m/b (incomplete)\n\nPart of b\n"
    shown = _without_moves(watched(script))
    assert "Part of a" in shown
    assert "Part of b" in shown


def test_a_slot_that_ends_while_another_streams_is_printed_whole_after_it() -> None:
    script = Script("m/a", "m/b").ask(0).ask(1).first(0).text(0, "a begins ")
    script.answer(1, "m/b", "b is done").text(0, "and ends").answer(0, "m/a", "a begins and ends")
    shown = _without_moves(watched(script.end()))
    assert shown.index("a begins and ends") < shown.index("b is done")


def test_an_answer_longer_than_what_was_streamed_is_completed() -> None:
    script = Script("m/a").ask(0).first(0).text(0, "one ").answer(0, "m/a", "one two").end()
    assert "one two\n" in _without_moves(watched(script))


def test_notices_do_not_stand_in_the_middle_of_an_answer() -> None:
    script = Script("m/a").ask(0).first(0).text(0, "one\n")
    script.note(NoticeCode.COST_ESTIMATED, "the cost is estimated").text(0, "two\n")
    shown = _without_moves(watched(script.answer(0, "m/a", "one\ntwo\n").end()))
    assert "one\ntwo\n" in shown
    assert "note: the cost is estimated" in shown


def test_a_retry_is_told_with_its_wait_and_a_change_of_model_without() -> None:
    script = Script("m/a").ask(0).fail(0, "m/a", rate_limited(Remedy.RETRY), wait_s=2.5)
    script.ask(0).fail(0, "m/a", rate_limited()).ask(0, "m/b").answer(0, "m/b", "x").end()
    _, err = piped(script)
    assert "[1] m/a failed, again in 2.5 s: rate limited (429)" in err
    assert "[1] m/a failed: rate limited (429)" in err
    assert "[1] asking m/b for m/a" in err


def test_a_cancelled_slot_is_told_once_and_by_the_name_that_was_asked() -> None:
    script = Script("m/old", "m/b").ask(0, "m/new").ask(1).answer(1, "m/b", "b")
    script.fail(0, "m/new", cost=Cost(12_700_000, CostState.ESTIMATED))
    script.give_up(0, None, "cancelled").end()
    _, err = piped(script)
    assert [line for line in err.splitlines() if "cancelled" in line] == [
        "[1] m/new cancelled, cost ~$0.0127"
    ]
    shown = _without_moves(watched(script)).split("answered by")[1]
    assert shown.count("cancelled") == 1
    assert "new" in shown
    assert "old" not in shown


def test_a_failed_slot_is_told_with_its_last_attempt_and_in_the_end() -> None:
    script = Script("m/old").ask(0, "m/new").fail(0, "m/new", rate_limited())
    _, err = piped(script.give_up(0, rate_limited()).end("failed"))
    failed = [line for line in err.splitlines() if "failed" in line and "[1]" in line]
    assert [line.partition(":")[0] for line in failed] == [
        "[1] m/new failed",
        "[1] m/new failed after 1 attempt",
    ]


def test_a_slot_that_ends_for_a_reason_of_its_own_says_it() -> None:
    script = Script("m/a", "m/b").ask(0).fail(0, "m/a", rate_limited())
    refused = Failure(FailureKind.REFUSED_BY_BUDGET, message="another could pass the cap")
    script.give_up(0, refused).give_up(1, None, "skipped").end("failed")
    _, err = piped(script)
    assert "[1] m/a failed: refused by budget: another could pass the cap\n" in err
    assert "[2] m/b skipped\n" in err


def _without_moves(text: str) -> str:
    """What is left in the scrollback. A carriage return is always followed by an erased line."""
    rows = [""]
    for piece in re.findall(r"\x1b\[\d?[A-Z]|[^\x1b]+", text):
        if piece == "\x1b[1A":
            rows.pop()
        elif piece in ("\x1b[2K", "\x1b[J"):
            rows[-1] = ""
        else:
            first, *others = piece.replace("\r", "").split("\n")
            rows[-1] += first
            rows.extend(others)
    return "\n".join(rows)
