"""Draws what was spent with matplotlib: SVG or PNG. Imported late; an extra."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.cli.render.phrases import count, money
from ultrai.cli.render.safety import one_line
from ultrai.domain.errors import SettingsError, UsageError
from ultrai.domain.money import NANOS_PER_USD
from ultrai.policy.charting import OTHERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ultrai.domain.chart import Burn, DayChart

_SHAPES = {".svg": "svg", ".png": "png"}
# Okabe and Ito's colours, which people who see few colours tell apart as well.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
_GREY, _DARK, _RED = "#bbbbbb", "#444444", "#d55e00"
_BUDGETS = 3
_WEEK = 7
_SETTINGS = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#eeeeee",
    "font.size": 8,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "savefig.dpi": 144,
    "svg.fonttype": "none",  # text stays text, to be searched and read aloud
    "svg.hashsalt": "ultrai",  # the same figures make the same file
    "text.parse_math": False,  # a dollar is a dollar
}


def check_plot(path: Path) -> str:
    """What kind of file it is to be. Raises UsageError, or SettingsError without the extra."""
    shape = _SHAPES.get(path.suffix.lower())
    if shape is None:
        raise UsageError(f"--plot {path} is neither SVG nor PNG", hint="end it with .svg or .png")
    if find_spec("matplotlib") is None:
        raise SettingsError(
            "--plot needs the extra 'plot', which is not installed",
            hint="install it with: pip install 'ultrai[plot]'",
        )
    return shape


def draw(chart: DayChart, burns: Sequence[Burn], *, path: Path) -> None:
    """Write the picture. Raises UsageError where the file cannot be written."""
    import matplotlib as mpl

    shape = check_plot(path)
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        # A script that the font lacks is drawn as boxes, and the user can do nothing about it.
        warnings.simplefilter("ignore", UserWarning)
        figure = _figure(chart, burns)
        try:
            figure.savefig(path, format=shape, metadata={"Date": None} if shape == "svg" else None)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(f"cannot write {path}: {reason}", hint="choose another file") from None


def _figure(chart: DayChart, burns: Sequence[Burn]) -> Figure:
    from matplotlib.figure import Figure

    shown = burns[:_BUDGETS]
    rows = 3 if shown else 2
    figure = Figure(figsize=(10, 2.7 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, 1)
    days, answers = figure.add_subfigure(grid[:2]).subplots(2, 1)
    _draw_days(days, chart)
    _draw_answers(answers, chart)
    if shown:
        places = figure.add_subfigure(grid[2]).subplots(1, len(shown), squeeze=False)
        for burn, place in zip(shown, places.flat, strict=True):
            _draw_burn(place, burn)
    if len(burns) > _BUDGETS:
        words = f"{count(len(burns) - _BUDGETS, 'budget')} with more left: 'ultrai budget list'"
        figure.supxlabel(words, fontsize=8, color=_DARK)
    return figure


def _draw_days(axes: Axes, chart: DayChart) -> None:
    """Cost by day, stacked by model, with what is not known on top."""
    days = [datetime.fromisoformat(day) for day in chart.days]
    below = [0] * len(days)
    colours = iter(_COLOURS)
    for model, costs in chart.models.items():
        colour = _GREY if model == OTHERS else next(colours, _GREY)
        axes.bar(days, _usd(costs), 0.8, bottom=_usd(below), color=colour, label=one_line(model))
        below = [a + b for a, b in zip(below, costs, strict=True)]
    unsure = [place for place, nanos in enumerate(chart.unsure) if nanos]
    if unsure:
        axes.bar(
            [days[place] for place in unsure],
            _usd([chart.unsure[place] for place in unsure]),
            0.8,
            bottom=_usd([below[place] for place in unsure]),
            facecolor="none",
            edgecolor=_DARK,
            hatch="////",
            label="not known, at most",
        )
    axes.set_title(f"Cost by day (UTC), known: {money(sum(chart.costs))}")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7)
    _arrange(axes, days)


def _draw_answers(axes: Axes, chart: DayChart) -> None:
    """What an answer cost: a point for each day whose costs are known."""
    days = [datetime.fromisoformat(day) for day in chart.days]
    known = [
        (day, nanos) for day, nanos in zip(days, chart.per_answer, strict=True) if nanos is not None
    ]
    if known:
        times, amounts = zip(*known, strict=True)
        axes.plot(times, _usd(amounts), marker="o", markersize=4, color=_COLOURS[0], clip_on=False)
    else:
        words = "no day has answers whose costs are all known"
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", color=_DARK)
        axes.set_yticks([])
    answers = sum(chart.answers)
    axes.set_title(f"Cost per answer, {answers:,} in all")
    axes.set_ylim(bottom=0)
    _arrange(axes, days)


def _draw_burn(axes: Axes, burn: Burn) -> None:
    """What is left of a Budget up to now, and on at the pace of its period so far."""
    limit = burn.state.budget.limit_nanos
    left = [limit - posted for _, posted in burn.points]
    times = [burn.began, *(moment for moment, _ in burn.points), burn.now]
    now_left = left[-1] if left else limit
    axes.step(times, _usd([limit, *left, now_left]), where="post", color=_COLOURS[0])
    words = "lasts"
    if burn.out_at is not None:
        colour = _RED if burn.is_too_fast else _COLOURS[2]
        axes.plot([burn.now, burn.out_at], _usd([now_left, 0]), "--", color=colour)
        if burn.is_too_fast:
            words = f"until {burn.out_at:%d %b %H:%M}"
    until = burn.ends
    if until is None:
        until = max(burn.out_at or burn.now, burn.now + timedelta(hours=1))
    axes.set_xlim(burn.began, until)
    axes.set_ylim(0, limit / NANOS_PER_USD * 1.05)
    axes.axvline(burn.now, color=_GREY, linewidth=0.8)
    told = f"{money(max(0, now_left))} of {money(limit)} left, {words}"
    axes.set_title(f"{one_line(burn.state.budget.name, limit=40)}\n{told}", fontsize=8)
    _label(axes)


def _arrange(axes: Axes, days: Sequence[datetime]) -> None:
    """A week at least, so that a single day is no wall."""
    from matplotlib.dates import DateFormatter, DayLocator

    margin = timedelta(hours=14)
    first = min(days[0], days[-1] - timedelta(_WEEK - 1))
    axes.set_xlim(first - margin, days[-1] + margin)
    _label(axes)
    if days[-1] - first < timedelta(_WEEK):
        axes.xaxis.set_major_locator(DayLocator())
        axes.xaxis.set_major_formatter(DateFormatter("%d %b"))


def _label(axes: Axes) -> None:
    """Dates below, dollars beside."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter

    locator = AutoDateLocator(minticks=2, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.yaxis.set_major_formatter(FuncFormatter(_dollars))


def _dollars(usd: float, _place: int) -> str:
    return money(round(usd * NANOS_PER_USD))


def _usd(nanos: Sequence[int]) -> list[float]:
    """Dollars to be drawn, which is the one thing that they are exact enough for."""
    return [each / NANOS_PER_USD for each in nanos]
