"""The fault matrix: what the user sees of every fault, streamed or not, alone or with a backup.

python -m tests.simulation.matrix            print docs/fault-matrix.md as it should be
python -m tests.simulation.matrix --write    write it

Every row is run: the real engine and client against the simulator, in memory and on virtual time,
so that the figures are the same on every machine. `test_matrix` fails when the page is not what the
code does. A new kind of fault in the simulator's vocabulary gets its rows by itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from tests.simulation.breakage import STATUSES
from tests.simulation.serving import ADDRESS, BASE_URL, served

from ultrai.assembly.facade import UltrAI
from ultrai.assembly.opening import Pieces
from ultrai.domain.ask import Ask
from ultrai.domain.cocktail import Cocktail, Slot
from ultrai.domain.query import Message, Sampling
from ultrai.domain.report import Report
from ultrai.domain.secret import Secret
from ultrai.policy.fallback import RULES
from ultrai.settings.model import Settings
from ultrai.testing import FixedClock, run_in_virtual_time
from ultrai.testing.network import MemoryNetwork
from ultrai.upstream.session import open_session
from ultrai_sim import Catalogue, Fault, Latency, Model, World
from ultrai_sim.faults import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "fault-matrix.md"
MODELS = ("acme/one", "acme/two")
# A fault that would go on for ever at no cost in time is given a pace.
PACED = {
    "endless": {"every_s": 0.05},
    "huge_line": {"size": 300_000},
    "slow": {"head_s": 2, "first_token_s": 5, "per_token_s": 0.1},
}
AVAILABILITY = {"code": "model_deprecated", "retryable": False, "requested_models": [MODELS[0]]}
# Options that make another fault of a kind: they have rows of their own behind the kind's.
VARIANTS: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]] = {
    "status": (
        ("429, come back in 2 s", {"status": 429, "retry_after": 2}),
        ("429, come back in 60 s", {"status": 429, "retry_after": 60}),
        ("429, come back on a date", {"status": 429, "retry_after_date_s": 5}),
        ("503, come back in an absurd time", {"status": 503, "retry_after": "1e9"}),
        ("503, code null", {"status": 503, "code": "null"}),
        ("503, code in words", {"status": 503, "code": "overloaded"}),
        ("404, with availability", {"status": 404, "availability": AVAILABILITY}),
    ),
    "error_in_200": (("code 429", {"status": 429}), ("code 400", {"status": 400})),
    "error_first_event": (("code 429", {"status": 429}), ("code null", {"code": "null"})),
    "error_mid_stream": (("dialect of 2025", {"dialect": "2025"}), ("code 429", {"status": 429})),
    "cut": (
        ("at the head", {"at": "head"}),
        ("at the start", {"at": "start"}),
        ("before the usage", {"at": "usage"}),
        ("before [DONE]", {"at": "done"}),
        ("in mid-chunk", {"how": "incomplete"}),
    ),
    "reset": (("before the usage", {"at": "usage"}), ("before [DONE]", {"at": "done"})),
    "stall_before_text": (("in silence", {"comments": False}),),
    "stall_mid_text": (
        ("in silence", {"comments": False}),
        ("for 20 s", {"seconds": 20}),
        ("before the usage", {"at": "usage"}),
        ("before [DONE]", {"at": "done"}),
    ),
    "body": (
        ("200, empty", {"status": 200}),
        ("200, no JSON", {"status": 200, "text": "no"}),
        ("200, half an object", {"status": 200, "text": '{"choices": ['}),
        ("200, null", {"status": 200, "text": "null"}),
        ("200, HTML", {"status": 200, "text": "<html>", "content_type": "text/html"}),
        ("500, no JSON", {"status": 500, "text": "no"}),
    ),
}
# What may strike before the first text as well as after it is shown in both places.
PHASED = frozenset({"stall_mid_text", "cut", "reset", "error_mid_stream", "choice_error"})


@dataclass(frozen=True)
class Row:
    """One fault in one form, met alone and with a backup."""

    fault: str
    streamed: bool
    alone: Report
    backed: Report


def faults() -> Iterator[tuple[str, Fault]]:
    """Every kind of the vocabulary, with its name in the table; statuses and places apart."""
    for kind in KINDS:
        options = PACED.get(kind, {})
        if kind == "status":
            for status in STATUSES:
                yield f"status {status}", Fault(kind=kind, model=MODELS[0], status=status)
        elif kind in PHASED and "after" in KINDS[kind]:
            yield f"{kind}, before text", Fault(kind=kind, model=MODELS[0], after=0)
            yield f"{kind}, after text", Fault(kind=kind, model=MODELS[0], after=2)
        else:
            yield kind, Fault(kind=kind, model=MODELS[0], **options)
        for name, more in VARIANTS.get(kind, ()):
            yield f"{kind}, {name}", Fault(kind=kind, model=MODELS[0], **more)


def rows() -> Iterator[Row]:
    """The whole matrix."""
    for name, fault in faults():
        for streamed in (True, False):
            alone = meet(fault, streamed=streamed, backups=())
            backed = meet(fault, streamed=streamed, backups=MODELS[1:])
            yield Row(name, streamed, alone, backed)


def meet(fault: Fault, *, streamed: bool, backups: Sequence[str]) -> Report:
    """One question to the model that the fault hits."""
    with tempfile.TemporaryDirectory(prefix="ultrai-matrix-") as home:
        return run_in_virtual_time(_meet(fault, Path(home), streamed=streamed, backups=backups))


async def _meet(fault: Fault, home: Path, *, streamed: bool, backups: Sequence[str]) -> Report:
    clock = FixedClock()
    world = World(
        seed=1,
        catalogue=Catalogue([Model(id=each, name=each, canonical=each) for each in MODELS]),
        faults=(fault,),
        latency=Latency(head_s=0.1, first_token_s=0.4, per_token_s=0.01),
        says={"*": " ".join(["and so on"] * 20)},
        clock=lambda: clock.now().timestamp(),
    )
    network = MemoryNetwork()
    settings = Settings(
        home=home,
        key=Secret(world.api_key),
        base_url=BASE_URL,
        history=False,
        cocktails=(Cocktail("ROUND", (Slot(MODELS[0], tuple(backups)),), source="matrix"),),
    )
    ask = Ask(
        messages=(Message("user", "What happens?"),),
        cocktail="ROUND",
        sampling=Sampling(max_tokens=200),
        streaming=streamed,
    )
    async with served(world) as server:
        network.listen(ADDRESS, server)
        async with open_session(connector=network.connector()) as session:
            pieces = Pieces(clock, Random(1).random, session, inline=True)
            async with UltrAI(settings, pieces) as ultrai:
                return await (await ultrai.start(ask)).report()


def page() -> str:
    """The page, whole."""
    head = [
        "# Fault matrix",
        "",
        "What you see when something goes wrong upstream. Every row was run: the engine and its",
        "HTTP client against the [simulator](simulator.md), which breaks in this way on every",
        "request to one model. *Alone*: that model without backups. *Backed*: with one backup,",
        "which is well. Times are virtual seconds, costs are what the",
        "[report](reference-report.md) says. `make matrix` writes this page; a test fails when it",
        "is no longer what the code does.",
        "",
        "`~` stands before a cost that is estimated, because the upstream gave no figure;",
        "`mid` behind a failure: text had begun, or its stream was being read.",
        "",
        "| fault | form | failure | remedies | alone | backed |",
        "|---|---|---|---|---|---|",
    ]
    lines = [_line(row) for row in _watched(rows())]
    return "\n".join([*head, *lines, "", *_advice(), ""])


def _watched(made: Iterator[Row]) -> Iterator[Row]:
    """The same rows, counted for somebody who waits for them at a terminal."""
    done = 0
    for row in made:
        done += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\rfault matrix: {done} rows")
        yield row
    if done and sys.stderr.isatty():
        sys.stderr.write("\n")


def _line(row: Row) -> str:
    cells = (
        f"`{row.fault}`",
        "stream" if row.streamed else "one piece",
        _failures(row.alone),
        _remedies(row.alone),
        _result(row.alone),
        _result(row.backed),
    )
    return f"| {' | '.join(cells)} |"


def _failures(report: Report) -> str:
    kinds = []
    for attempt in report.slots[0].attempts:
        if attempt.failure is not None:
            mid = " mid" if attempt.failure.phase.value == "mid_stream" else ""
            kinds.append(f"{attempt.failure.kind.value}{mid}")
    last = report.slots[0].failure
    if last is not None and not any(last.kind.value in kind for kind in kinds):
        kinds.append(last.kind.value)
    return ", ".join(dict.fromkeys(kinds)) or "none"


def _remedies(report: Report) -> str:
    remedies = [
        attempt.failure.remedy.value.replace("_", " ")
        for attempt in report.slots[0].attempts
        if attempt.failure is not None and attempt.failure.remedy is not None
    ]
    runs = [(name, len(list(same))) for name, same in groupby(remedies)]
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in runs) or "-"


def _result(report: Report) -> str:
    slot = report.slots[0]
    told = report.status.value
    if slot.answer is not None:
        told = "answered" if slot.answered_by == MODELS[0] else "backup answers"
        told += ", truncated" if slot.answer.truncated else ""
    tries = len(slot.attempts)
    attempts = "1 attempt" if tries == 1 else f"{tries} attempts"
    return f"{told}; {attempts}, {(report.elapsed_ms or 0) / 1000:.1f} s, {_cost(report)}"


def _cost(report: Report) -> str:
    cost = report.slots[0].cost
    amount = "?" if cost.nanos is None else f"${cost.to_dict()['cost_usd']}"
    return amount if cost.state.is_known else f"~{amount}"


def _advice() -> list[str]:
    lines = ["## What to do", "", "| failure | advice |", "|---|---|"]
    return lines + [f"| `{kind.value}` | {rule.advice} |" for kind, rule in RULES.items()]


def main(argv: Sequence[str]) -> int:
    """Print the page, or write it."""
    text = page()
    if "--write" in argv:
        PAGE.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
