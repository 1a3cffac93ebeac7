"""Tables about money: what they say, and that they fit a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.cli.render.past import history_table
from ultrai.cli.render.table import Line
from ultrai.domain.report import RunStatus, RunSummary

WIDTH = 80


def texts(lines: Sequence[Line]) -> list[str]:
    return ["".join(cell.text for cell in line) for line in lines]


def test_a_run_whose_cost_is_not_wholly_known_has_a_tilde_in_the_history() -> None:
    def run(cost_nanos: int | None, *, known: bool) -> RunSummary:
        at = "2026-11-27T10:00:00.000Z"
        return RunSummary("run_1", at, RunStatus.COMPLETE, "SPEEDY", cost_nanos, "why?", known)

    runs = [run(4_800, known=True), run(4_800, known=False), run(None, known=False)]
    costs = [line.split()[5] for line in texts(history_table(runs, width=WIDTH))[1:]]
    assert costs == ["$0.0000048", "~$0.0000048", "unknown"]
    assert [each.to_dict()["cost_known"] for each in runs] == [True, False, False]
