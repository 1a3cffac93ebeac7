"""What the pages list is what there is: kinds, codes, events, fields, flags, links."""

from __future__ import annotations

import importlib.util
import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pytest
from tests.docs.pages import PAGES, ROOT, anchors, links, name_of, names, rows, spans

import ultrai
from ultrai.cli import exits
from ultrai.domain import errors
from ultrai.domain.event import EventType
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import Answer, CostState, Failure, FailureKind, ToolCall, Usage
from ultrai.domain.report import AttemptReport, Partial, Report, RunStatus, SlotReport
from ultrai.policy.fallback import RULES, Retries
from ultrai.policy.health import COOL_DOWN_S, FAILURES_TO_OPEN
from ultrai.settings import Settings
from ultrai_sim.faults import KINDS

KINDS_OF_FAILURE = {kind.value for kind in FailureKind}
EXIT_CODES = {
    exits.DONE,
    exits.USAGE,
    exits.DEGRADED,
    exits.NO_ANSWER,
    exits.OVER_BUDGET,
    exits.CREDENTIALS,
    exits.BUG,
    exits.INTERRUPTED,
    exits.READER_GONE,
}


def test_the_failure_table_of_the_readme_has_every_kind() -> None:
    listed = [name for row in rows("README.md", "what the world did") for name in names(row[1])]
    assert sorted(listed) == sorted(KINDS_OF_FAILURE)


def test_the_failure_table_agrees_with_the_rules() -> None:
    table = {names(row[0])[0]: row for row in rows("docs/failures.md", "kind")}
    assert set(table) == KINDS_OF_FAILURE
    how_often = {
        Retries.NONE: "no retry",
        Retries.ONCE: "one retry",
        Retries.ONCE_CHANGED: "one retry with",
        Retries.UP_TO_MAX: "retry",
    }
    what_then = {
        "next_candidate": "next",
        "stop_upstream": "stop the upstream",
        "give_up_slot": "give up the slot",
    }
    for kind, rule in RULES.items():
        row = table[kind.value]
        assert row[2].startswith(how_often[rule.retries]), kind
        assert row[3].startswith(what_then[rule.then.value]), kind


def test_all_notices_cost_states_and_exit_codes_are_listed() -> None:
    def first(header: str) -> list[str]:
        return [row[0].strip("`") for row in rows("docs/failures.md", header)]

    assert set(first("code")) == {code.value for code in NoticeCode}
    assert set(first("`cost_state`")) == {state.value for state in CostState}
    assert {int(code) for code in first("exit")} == EXIT_CODES


def test_the_readme_names_the_exit_codes_of_a_run() -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    sentence = re.search(r"The command ends with (.+?interrupted)\.", text)
    assert sentence is not None
    documented = {int(code) for code in re.findall(r"\b\d+\b", sentence[1])}
    assert documented == EXIT_CODES - {exits.BUG, exits.READER_GONE}


def test_the_timers_and_the_circuit_are_as_documented() -> None:
    defaults = {field.name: field.default for field in fields(Settings)}
    for row in rows("docs/failures.md", "setting"):
        default = defaults[names(row[0])[0]]
        assert default is None or row[1].startswith(f"{default:g} s"), row
    text = (ROOT / "docs/failures.md").read_text(encoding="utf-8")
    assert f"{FAILURES_TO_OPEN} failures in a row is not tried first for {COOL_DOWN_S:g} s" in text


def test_the_table_of_exceptions_is_complete() -> None:
    table = rows("docs/reference-python.md", "exception in `ultrai.domain.errors`")
    listed = {names(row[0])[0]: (names(row[1])[0], int(row[2])) for row in table}
    kinds = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__bases__ != ()]
    kinds = [c for c in kinds if issubclass(c, errors.UltraiError) and c is not errors.UltraiError]
    assert listed == {c.__name__: (c.code, exits.exit_code_of(c("…"))) for c in kinds}


def test_every_public_name_and_every_keyword_is_in_the_python_reference() -> None:
    page = ROOT / "docs/reference-python.md"
    text = " ".join(spans(page))
    for name in ultrai.__all__:
        assert re.search(rf"\b{name}\b", text), name
    table = rows("docs/reference-python.md", "keyword of `ask` and `stream`")
    documented = [name for row in table for name in names(row[0])]
    keywords = [name for name in inspect.signature(ultrai.UltrAI.ask).parameters if name != "self"]
    assert sorted(documented) == sorted(keywords)


def test_every_public_method_is_in_the_python_reference() -> None:
    text = (ROOT / "docs/reference-python.md").read_text(encoding="utf-8")
    for name in vars(ultrai.UltrAI):
        if not name.startswith("_"):
            assert re.search(rf"\bu\.{name}\b|`{name}`", text), name


def _keys(shape: object) -> Iterator[str]:
    if isinstance(shape, Mapping):
        for key, value in shape.items():
            yield str(key)
            yield from _keys(value)
    elif isinstance(shape, Sequence) and not isinstance(shape, str):
        for value in shape:
            yield from _keys(value)


def test_every_field_of_the_report_and_every_event_is_in_its_reference() -> None:
    failure = Failure(FailureKind.NETWORK, "…")
    attempt = AttemptReport(1, "a/b", "…", failure=failure, usage=Usage(), partial=Partial("…"))
    answer = Answer("…", tool_calls=(ToolCall("…", "…", "…"),))
    slot = SlotReport(0, "a/b", answer=answer, usage=Usage(), failure=failure, attempts=(attempt,))
    report = Report("run_…", RunStatus.COMPLETE, None, "…", {}, slots=(slot,))
    text = " ".join(spans(ROOT / "docs/reference-report.md"))
    for name in {*_keys(report.to_dict()), *(kind.value for kind in EventType)}:
        assert re.search(rf"\b{name}\b", text), name


def test_every_fault_of_the_simulator_is_listed_with_its_options() -> None:
    listed = {name: row for row in rows("docs/simulator.md", "kind") for name in names(row[0])}
    assert set(listed) == set(KINDS)
    for kind, options in KINDS.items():
        assert options <= set(names(listed[kind][2])), kind


def test_the_reference_of_the_command_line_is_as_the_commands_are() -> None:
    path = ROOT / "scripts" / "render_cli_reference.py"
    spec = importlib.util.spec_from_file_location("render_cli_reference", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = script.PAGE.read_text(encoding="utf-8")
    assert written == script.render(), "run: python scripts/render_cli_reference.py"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page: Path) -> None:
    for span in spans(page):
        if re.fullmatch(r"(src|docs|examples|tests|scripts)/[\w./-]+", span):
            assert (ROOT / span).exists(), span


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_can_be_reached(page: Path) -> None:
    start = ROOT / "README.md"
    reached, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for target in links(here):
            there = (here.parent / target.partition("#")[0]).resolve()
            if there.suffix == ".md" and there.exists() and there not in reached:
                reached.add(there)
                waiting.append(there)
    assert page in reached


def test_every_promise_of_the_production_page_names_what_shows_it() -> None:
    found = list(rows("docs/production.md", "promise"))
    assert len(found) == 14
    for promise, _, shown in found:
        paths = re.findall(r"`(tests/[\w/.]+)`", shown)
        assert [path for path in paths if not (ROOT / path).is_file()] == [], promise
        commands = re.findall(r"`((?:make|ultrai) [\w ]+)`", shown)
        assert paths or commands or "](" in shown, promise


def test_every_mutation_has_its_row() -> None:
    table = tomllib.loads((ROOT / "scripts" / "mutations.toml").read_text("utf-8"))
    told = [names(row[0])[0] for row in rows("docs/mutation-check.md", "mutation")]
    assert told == [each["name"] for each in table["mutations"]]
