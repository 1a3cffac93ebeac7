"""Samples of CPU and wall time, taken in turns.

The machine is noisy and the noise drifts, so rivals are measured one after the other in every
round, the order turned by one each time; a figure is the median over the rounds, a ratio the
median of the rounds' own ratios. CPU is that of the whole process, all threads. Everybody's garbage
is collected before each sample and the collector is off during it, for all alike.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds for one piece of work."""

    cpu_s: float
    wall_s: float


async def take(work: Work, repeats: int) -> Sample:
    """The mean of `repeats` pieces of work, one after another."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            await work()
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    finally:
        gc.enable()
        gc.unfreeze()
    return Sample(cpu_s / repeats, wall_s / repeats)


async def interleave(
    rivals: Mapping[str, Work], *, rounds: int, repeats: int
) -> dict[str, list[Sample]]:
    """Samples of each rival, one per round, after a round that does not count."""
    names = list(rivals)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for each in range(rounds + 1):
        turn = each % len(names)
        for name in names[turn:] + names[:turn]:
            sample = await take(rivals[name], repeats)
            if each:
                samples[name].append(sample)
    return samples


def median_cpu_s(samples: list[Sample]) -> float:
    """Seconds."""
    return median(sample.cpu_s for sample in samples)


def median_wall_s(samples: list[Sample]) -> float:
    """Seconds."""
    return median(sample.wall_s for sample in samples)


def ratio(ours: list[float], floor: list[float]) -> float:
    """The median of the rounds' ratios."""
    return median(a / b for a, b in zip(ours, floor, strict=True))
