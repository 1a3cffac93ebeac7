"""`ultrai cost` with its line by day, and the picture that it draws."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.contract.money.command import ultrai
from tests.contract.sim.talking import with_simulator

import ultrai as product
from ultrai.assembly.clock import SystemClock
from ultrai.cli.render import plot
from ultrai.cli.render.plot import check_plot, draw
from ultrai.domain.budget import Budget, BudgetState, Period, Scope
from ultrai.domain.drift import DailySpending
from ultrai.domain.errors import SettingsError
from ultrai.policy.charting import burn_of, chart_of
from ultrai.settings.load import load
from ultrai_sim import World

A, B = "openai/gpt-4o-mini", "deepseek/deepseek-v4-flash"
NOW = datetime.fromisoformat("2026-11-26T12:00:00Z")


class Earlier(SystemClock):
    """The machine's clock, put back by whole days."""

    def __init__(self, days: int) -> None:
        self._back = timedelta(days=days)

    def now(self) -> datetime:
        return super().now() - self._back


def test_days_are_a_line_and_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "cost.svg"

    async def story(sim):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("ULTRAI_HOME", str(tmp_path / "state"))
        monkeypatch.setenv("OPENROUTER_BASE_URL", sim.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", sim.api_key)
        empty = await ultrai(sim, tmp_path, "cost", "--plot", str(picture))
        assert (empty[0], empty[1], picture.exists()) == (0, "", False)
        assert "there is nothing to draw" in empty[2]
        for budget in (("1", "--per", "total"), ("2", "--per", "day", "--tag", "team=x")):
            await ultrai(sim, tmp_path, "budget", "set", *budget)
        for days in (2, 0):
            sim.world.clock.source = lambda days=days: time.time() - days * 86_400
            async with product.open(load(), clock=Earlier(days)) as session:
                await session.ask("hello there", models=[A, B])
        await ultrai(sim, tmp_path, "ask", "-m", A, "hello", "--tag", "team=x")
        shown = await ultrai(sim, tmp_path, "cost", "--plot", str(picture))
        wrong = [
            await ultrai(sim, tmp_path, "cost", "--plot", name)
            for name in ("cost.pdf", str(tmp_path / "nowhere" / "cost.png"))
        ]
        async with product.open(load()) as session:
            burns = await (await session.books()).burns()
        return shown, wrong, burns

    shown, wrong, burns = with_simulator(World(), story)
    assert shown[0] == 0
    assert shown[2] == f"written: {picture}\n"
    last = shown[1].splitlines()[-1]
    assert last.startswith("by day  ")
    assert last[len("by day  ") :][1] == "·", "nothing was asked on the day between"
    assert {A, B, "global-total", "tag-team=x-day"} <= texts(picture)
    for code, out, error in wrong:
        assert code == 2
        assert error.count("\n") == 1
        assert "cost.p" in error
        assert "by day" not in out or "cannot write" in error
    for burn in burns:
        assert burn.points[-1][1] == burn.state.posted_nanos > 0


def texts(path: Path) -> set[str]:
    tree = ET.parse(path)
    return {(node.text or "").strip() for node in tree.iter("{http://www.w3.org/2000/svg}text")}


def drawing(path: Path) -> Path:
    """One day with a cost that is not known, a name that is no formula, more budgets than fit."""
    daily = [
        DailySpending("2026-11-26", "a/$b$ 字", 10**9, 5 * 10**8, unknown=1, answers=1),
        DailySpending("2026-11-25", "c/d", 10**8, answers=4),
    ]
    burns = []
    for number in range(5):
        budget = Budget(f"b{number}", Scope.GLOBAL, "", Period.DAY, number * 10**9)
        state = BudgetState(budget, 10**9, 0, 0, "2026-11-26T00:00:00.000Z")
        burns.append(burn_of(state, [("2026-11-26T09:00", 10**9)], now=NOW))
    draw(chart_of(daily), burns, path=path)
    return path


def test_a_picture_says_what_is_not_known_and_what_was_left_out(tmp_path):
    said = texts(drawing(tmp_path / "a.svg"))
    assert {"a/$b$ 字", "c/d", "not known, at most", "b0", "b1", "b2"} <= said
    assert "Cost by day (UTC), known: $1.10" in said
    assert "$1.00 of $2.00 left, lasts" in said
    assert "$0 of $1.00 left, until 26 Nov 12:00" in said
    assert "2 budgets with more left: 'ultrai budget list'" in said
    assert "b3" not in said


def test_the_same_figures_make_the_same_file(tmp_path):
    for name in ("x.svg", "x.png"):
        first = drawing(tmp_path / name).read_bytes()
        assert drawing(tmp_path / name).read_bytes() == first
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_that_is_known_is_said_in_words(tmp_path):
    path = tmp_path / "a.svg"
    draw(chart_of([DailySpending("2026-11-26", "a/b", 0, 5, unknown=1)]), [], path=path)
    assert "no day has answers whose costs are all known" in texts(path)


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="extra 'plot'") as raised:
        check_plot(Path("a.svg"))
    assert raised.value.hint == "install it with: pip install 'ultrai[plot]'"
