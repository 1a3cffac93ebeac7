"""A live board for a terminal: requests, models, faults, the bill."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ultrai_sim.world import SeenRequest, World

MOST_MODELS = 12
LAST = 6
_KEPT = 200
_GOOD = 400
_UNKNOWN_KEY = 401
_ROOMY = 24
_SHOWN = Decimal("0.000001")


@dataclass
class _Tally:
    """What was seen of one model."""

    served: int = 0
    failed: int = 0
    millis: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))


class Board:
    """Counts what is observed; ``render`` shows it."""

    def __init__(self, world: World, address: str) -> None:
        self._world = world
        self._address = address
        self._models: dict[str, _Tally] = {}
        self._faults: Counter[str] = Counter()
        self._last: deque[SeenRequest] = deque(maxlen=LAST)
        self._began = world.clock()
        self._strangers = 0
        self.requests = 0

    def observe(self, seen: SeenRequest) -> None:
        """A request is over."""
        self.requests += 1
        self._faults.update(seen.faults)
        self._last.append(seen)
        self._strangers = self._strangers + 1 if seen.status == _UNKNOWN_KEY else 0
        if seen.model is None:
            return
        tally = self._models.setdefault(seen.model, _Tally())
        if seen.status is not None and seen.status < _GOOD and seen.outcome == "complete":
            tally.served += 1
        else:
            tally.failed += 1
        if seen.finished_at is not None:
            tally.millis.append((seen.finished_at - seen.started_at) * 1000)

    def summary(self) -> str:
        """The one line that is left when it ends."""
        faults = sum(self._faults.values())
        return (
            f"{_count(self.requests, 'request')} came, {_count(faults, 'fault')} fired, "
            f"billed ${self._billed()} in {self._seconds():.0f} s"
        )

    def render(self, height: int = _ROOMY) -> RenderableType:
        """The board as it stands, in at most so many lines; the head always has its two."""
        from rich.console import Group  # noqa: PLC0415 - only a terminal needs it
        from rich.text import Text  # noqa: PLC0415

        head = Text()
        head.append(" ultrai sim ", style="reverse")
        head.append(f" {self._address}\n")
        head.append(
            f" {_count(self.requests, 'request')} · {self._world.in_flight} in flight · "
            f"billed ${self._billed()} · {self._seconds():.0f} s"
        )
        if self._strangers:
            head.append(
                f"\n The last {_count(self._strangers, 'request')} had no key of this simulator: "
                "paste its export lines again",
                style="yellow",
            )
        lines = max(0, height - (4 if self._strangers else 3))
        requests = min(len(self._last), lines // 3)
        models = max(0, lines - requests - (2 if self._faults else 1) - 1)
        parts: list[RenderableType] = [head]
        if models:
            parts.append(self._models_table(min(models, MOST_MODELS)))
        if lines:
            parts.append(self._footer(requests))
        return Group(*parts)

    def _models_table(self, most: int) -> RenderableType:
        from rich.table import Table  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, expand=False, padding=(0, 1))
        table.add_column(" model", no_wrap=True, overflow="ellipsis", max_width=44)
        for name in ("served", "failed", "p50"):
            table.add_column(name, justify="right", no_wrap=True)
        ranked = sorted(self._models.items(), key=lambda item: -(item[1].served + item[1].failed))
        for model, tally in ranked[:most]:
            typical = f"{median(tally.millis):,.0f} ms" if tally.millis else "–"
            failed = f"[red]{tally.failed}[/red]" if tally.failed else "0"
            table.add_row(f" {model}", str(tally.served), failed, typical)
        if len(ranked) > most:
            table.add_row(f" and {len(ranked) - most} more", "", "", "")
        return table

    def _footer(self, requests: int) -> RenderableType:
        from rich.text import Text  # noqa: PLC0415

        text = Text(no_wrap=True, overflow="ellipsis")
        if self._faults:
            fired = ", ".join(f"{kind} ×{n}" for kind, n in self._faults.most_common(5))
            text.append(f" faults: {fired}\n", style="yellow")
        for seen in list(self._last)[len(self._last) - requests :]:
            status = "–" if seen.status is None else str(seen.status)
            what = seen.model or f"{seen.method} {seen.path.removeprefix('/api/v1')}"
            text.append(f" {seen.n:5d}  {status}  {seen.outcome:11s}  {what}\n", style="dim")
        text.right_crop(1)  # the end of the last line
        return text

    def _billed(self) -> str:
        return f"{self._world.money.used.quantize(_SHOWN).normalize():f}"

    def _seconds(self) -> float:
        return max(0.0, self._world.clock() - self._began)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
