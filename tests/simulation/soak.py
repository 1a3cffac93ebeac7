"""The command line of the simulation: one world told, or thousands and what they covered.

python -m tests.simulation.soak --seed 7          one world, told event by event
python -m tests.simulation.soak --worlds 10000    the soak; exit 1 on any violation

What a soak must cover, it counts: a soak of 10,000 worlds or more fails when a kind of failure, a
remedy, a fault or a crash point was met less than 20 times.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.breakage import ASIDE
from tests.simulation.invariants import PRESSED, pressed, violations
from tests.simulation.stage import Play, play_seed
from tests.simulation.telling import tell
from tests.simulation.worlds import ACTIONS, CRASH_POINTS

from ultrai.domain.outcome import CostState, FailureKind, Remedy
from ultrai_sim.faults import KINDS

ENOUGH = 20
FULL_SOAK = 10_000
BATCH = 50


@dataclass
class Coverage:
    """How often what was met, by group."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, group: str, names: Iterable[str]) -> None:
        self.counts.setdefault(group, Counter()).update(names)

    def merge(self, other: Mapping[str, Mapping[str, int]]) -> None:
        for group, counts in other.items():
            self.counts.setdefault(group, Counter()).update(counts)

    def lacking(self) -> list[str]:
        """What was met less than `ENOUGH` times, of what must be."""
        return [
            f"{group}: {name} ({self.counts.get(group, Counter())[name]})"
            for group, names in MUST.items()
            for name in names
            if self.counts.get(group, Counter())[name] < ENOUGH
        ]


MUST: Mapping[str, Sequence[str]] = {
    "failure": [kind.value for kind in FailureKind],
    "remedy": [remedy.value for remedy in Remedy],
    "fault": list(KINDS),
    "crash point": CRASH_POINTS,
    "action": ACTIONS,
    "cost state": [state.value for state in CostState],
    "pressed": PRESSED,
    "fault aside": ASIDE,
}


def cover(play: Play) -> Coverage:
    """What this world met."""
    coverage = Coverage()
    for seen in play.world.requests:
        route = seen.path.rsplit("/", 1)[-1]
        if route == "completions":
            coverage.add("fault", seen.faults)
        elif seen.faults:
            coverage.add("fault aside", [route])
    if play.died_at is not None:
        coverage.add("crash point", [play.died_at])
    coverage.add("cost state", play.books[-1].corrections.elements())
    coverage.add("pressed", pressed(play))
    for asked in play.asked:
        if asked.question.action and asked.ended != "error":
            coverage.add("action", [asked.question.action])
        coverage.add(
            "refusal before anything is sent",
            ["none" if asked.error is None else type(asked.error).__name__],
        )
        report = asked.report or asked.stored
        if report is None:
            continue
        coverage.add("status", [report.status.value])
        coverage.add("notice", [notice.code.value for notice in report.notices])
        for slot in report.slots:
            if slot.failure is not None:
                coverage.add("failure", [slot.failure.kind.value])
            failures = [a.failure for a in slot.attempts if a.failure is not None]
            coverage.add("failure", [failure.kind.value for failure in failures])
            coverage.add("remedy", [f.remedy.value for f in failures if f.remedy is not None])
            coverage.add("cost state", [a.cost.state.value for a in slot.attempts])
    return coverage


def judge(seed: int) -> tuple[list[str], Coverage]:
    """Play a world: what is wrong with it, and what it covered."""
    try:
        play = play_seed(seed)
    except Exception as error:  # noqa: BLE001 - a world that cannot be played is a finding
        return [f"the world broke off: {type(error).__name__}: {error}"], Coverage()
    return violations(play), cover(play)


def judge_batch(seeds: range) -> tuple[dict[int, list[str]], dict[str, Counter[str]], float]:
    """Several worlds: those with violations, the coverage, and the CPU seconds they took."""
    _spare_what_is_loaded()
    began_s = time.process_time()
    wrong: dict[int, list[str]] = {}
    coverage = Coverage()
    for seed in seeds:
        found, covered = judge(seed)
        coverage.merge(covered.counts)
        if found:
            wrong[seed] = found
    return wrong, coverage.counts, time.process_time() - began_s


def _spare_what_is_loaded() -> None:
    """Modules stay for good: the collector need not look through them again and again."""
    if gc.get_freeze_count():
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0: nothing wrong; 1: a violation, or too little was covered."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, help="play this world and tell it")
    parser.add_argument("--worlds", type=int, default=1000, help="how many worlds (1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(argv)
    if options.worlds < 1 or options.jobs < 1 or options.first < 0 or (options.seed or 0) < 0:
        parser.error("expected N of 1 or more, and SEED of 0 or more")
    if options.seed is not None:
        return _one(options.seed)
    return _many(range(options.first, options.first + options.worlds), options.jobs)


def _one(seed: int) -> int:
    play = play_seed(seed)
    found = violations(play)
    sys.stdout.write(f"{tell(play)}\n")
    for problem in found:
        sys.stdout.write(f"VIOLATION {problem}\n")
    if not found:
        sys.stdout.write("no violation\n")
    sys.stdout.write(f"trace {play.trace()}\n")
    return 1 if found else 0


def _many(seeds: range, jobs: int) -> int:
    coverage = Coverage()
    wrong: dict[int, list[str]] = {}
    cpu_s, began_s, done = 0.0, time.perf_counter(), 0
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    with ProcessPoolExecutor(jobs) as pool:
        for found, counts, took_s in pool.map(judge_batch, batches):
            coverage.merge(counts)
            wrong |= found
            cpu_s += took_s
            done = min(done + BATCH, len(seeds))
            for seed, problems in found.items():
                line = f"seed {seed}: {problems[0]}   make simulate SEED={seed}\n"
                sys.stdout.write(line)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{done} of {len(seeds)} worlds")
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    _tell_coverage(coverage)
    rate = len(seeds) / cpu_s
    wall_s = time.perf_counter() - began_s
    sys.stdout.write(
        f"{len(seeds)} worlds, {len(wrong)} with a violation; {rate:.1f} worlds per second of one "
        f"core, {wall_s:.0f} s in all\n"
    )
    lacking = coverage.lacking() if len(seeds) >= FULL_SOAK else []
    for name in lacking:
        sys.stdout.write(f"met less than {ENOUGH} times: {name}\n")
    return 1 if wrong or lacking else 0


def _tell_coverage(coverage: Coverage) -> None:
    for group, counts in sorted(coverage.counts.items()):
        sys.stdout.write(f"\n{group}\n")
        for name in sorted({*counts, *MUST.get(group, ())}):
            sys.stdout.write(f"  {counts[name]:8d}  {name}\n")
    sys.stdout.write("\n")


if __name__ == "__main__":
    sys.exit(main())
