"""The gallery of scenarios: what a run meets in each, from second to second.

python -m tests.simulation.gallery            print docs/scenarios.md as it should be
python -m tests.simulation.gallery --write    write it

Every run is real: the engine and its client against the scenario, in memory and on virtual time, so
that what the page shows is the same on every machine. A test fails when it drifts.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from random import Random

from tests.simulation.serving import ADDRESS, BASE_URL, served

from ultrai.assembly.facade import UltrAI
from ultrai.assembly.opening import Pieces
from ultrai.cli.render.phrases import money
from ultrai.domain.ask import Ask
from ultrai.domain.cocktail import Cocktail, Slot
from ultrai.domain.query import Message, Sampling
from ultrai.domain.report import Report
from ultrai.domain.secret import Secret
from ultrai.settings.model import Settings
from ultrai.testing import FixedClock, run_in_virtual_time
from ultrai.testing.network import MemoryNetwork
from ultrai.upstream.session import open_session
from ultrai_sim import World, load_scenario
from ultrai_sim.scenario import gallery

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"
PANEL = (
    Slot("openai/gpt-4o", ("openai/gpt-4o-mini", "mistralai/mistral-large")),
    Slot("google/gemini-2.5-flash", ("deepseek/deepseek-chat", "openai/gpt-4o-mini")),
    Slot("mistralai/mistral-large", ("meta-llama/llama-3.3-70b-instruct",)),
)
FREE = (
    Slot("nvidia/nemotron-3.5-lightning:free", ("openai/gpt-4o-mini",)),
    Slot("google/gemma-4-31b-it:free", ("mistralai/mistral-large",)),
    Slot("cohere/north-mini-code:free", ("deepseek/deepseek-chat",)),
)
# When questions are asked, in seconds after the start.
MOMENTS = {
    "outage-and-recovery": (0, 6, 40),
    "brown-out": (0, 5, 10),
    "flapping": (0, 3, 6),
    "price-change": (0, 30),
    "out-of-credit": (0, 5),
}
LESSONS = {
    "outage-and-recovery": "Fail within the deadline while it lasts, answer again when it is over.",
    "brown-out": "Retry what may be retried, a little, and go to a backup.",
    "provider-down": "Let others serve the same model; else answer from another, and say so.",
    "rate-limited": "Wait as long as was asked, never less.",
    "out-of-credit": "Stop asking at once; keep what has arrived; say that credit is needed.",
    "slow-first-token": "Do not take comments for life: wait for text as long as was set.",
    "cut-streams": "Never show half an answer as a whole one; count what it cost.",
    "flapping": "Do not hammer; a backup elsewhere is quicker than hoping.",
    "free-tier-exhausted": "Do not retry before the reset; go to a backup.",
    "price-change": "Report what was charged, not what the catalogue said.",
    "retired-models": "Go to a backup at once; no retry can help.",
    "hostile-bytes": "Read every byte as it comes, and give the same text.",
}


def meet(name: str) -> list[tuple[float, Report]]:
    """The runs against one scenario, with the second in which each was asked."""
    with tempfile.TemporaryDirectory(prefix="ultrai-gallery-") as home:
        return run_in_virtual_time(_meet(name, Path(home)))


async def _meet(name: str, home: Path) -> list[tuple[float, Report]]:
    clock = FixedClock()
    world = load_scenario(Path(name))
    world = World(
        **{field: getattr(world, field) for field in _CONFIGURED},
        clock=lambda: clock.now().timestamp(),
    )
    network = MemoryNetwork()
    panel = FREE if name == "free-tier-exhausted" else PANEL
    settings = Settings(
        home=home,
        key=Secret(world.api_key),
        base_url=BASE_URL,
        history=False,
        cocktails=(Cocktail("PANEL", panel, source="gallery"),),
    )
    ask = Ask(
        messages=(Message("user", "What is a tide? In one sentence."),),
        cocktail="PANEL",
        sampling=Sampling(max_tokens=300),
    )
    runs = []
    async with served(world) as server:
        network.listen(ADDRESS, server)
        async with open_session(connector=network.connector()) as session:
            pieces = Pieces(clock, Random(1).random, session, inline=True)
            async with UltrAI(settings, pieces) as ultrai:
                loop = asyncio.get_running_loop()
                began = loop.time()
                for moment in MOMENTS.get(name, (0,)):
                    await asyncio.sleep(max(0.0, began + moment - loop.time()))
                    asked = loop.time() - began
                    runs.append((asked, await (await ultrai.start(ask)).report()))
    return runs


_CONFIGURED = (
    "seed",
    "catalogue",
    "models",
    "faults",
    "latency",
    "paces",
    "changes",
    "account",
    "keys",
    "says",
    "usage_dialect",
    "comments",
    "tokens_per_frame",
    "generation_lag_s",
)


def page() -> str:
    """The page, whole."""
    lines = [
        "# Scenarios",
        "",
        "Twelve bad days that every client should survive. `ultrai sim --scenario NAME` plays one",
        "(`--scenario list` lists them), and [a file of your own](simulator.md#scenarios) may say",
        "the same and more. Below each: what a good client does, and what UltrAI makes of it when",
        "it asks three models with backups. Every run was made; times are virtual seconds. `make",
        "matrix` writes this page, and a test fails when it is no longer what the code does.",
        "",
    ]
    for name, what in gallery().items():
        lines += _section(name, what)
    return "\n".join(lines)


def _section(name: str, what: str) -> list[str]:
    text = (resources.files("ultrai_sim") / "scenarios" / f"{name}.toml").read_text("utf-8")
    body = text.partition("\n")[2].strip()
    lines = [f"## {name}", "", what, "", f"*A good client:* {LESSONS[name]}", ""]
    lines += ["```toml", body, "```", "", "<!-- output: made by make matrix -->", "```text"]
    for number, (moment, report) in enumerate(meet(name)):
        lines += [""] if number else []
        lines += _told(moment, report)
    return [*lines, "```", ""]


def _told(moment: float, report: Report) -> list[str]:
    took = f"after {(report.elapsed_ms or 0) / 1000:.1f} s"
    head = f"asked at {moment:.0f} s: {report.status.value} {took}"
    cost = money(report.cost_nanos) if report.cost_known else f"at most {money(report.cost_nanos)}"
    lines = [f"{head}, {cost}, exit code {report.exit_code}"]
    for slot in report.slots:
        kinds = [a.failure.kind.value for a in slot.attempts if a.failure is not None]
        runs = [(kind, len(list(same))) for kind, same in groupby(kinds)]
        failed = [kind if count == 1 else f"{kind} ×{count}" for kind, count in runs]
        how = f"answered by {slot.answered_by}" if slot.answer is not None else "no answer"
        after = f" after {', '.join(failed)}" if failed else ""
        lines.append(f"  {slot.primary}: {how}{after}")
    return lines


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
