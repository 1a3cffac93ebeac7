"""What is remembered of the past: the latest of it, in bounds of number and of bytes.

A simulator that serves for days under load must not grow. So the oldest is forgotten first, and
what is large (a request's body, an answer's text) counts by its size. The newest is always kept.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from ultrai_sim.generations import Generation
    from ultrai_sim.world import SeenRequest

MOST_KEPT = 10_000
MOST_BYTES_KEPT = 64 * 1024 * 1024
"""Of requests, and as many of generations; what Python adds to them comes on top."""


class Requests(Sequence["SeenRequest"]):
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._kept: deque[SeenRequest] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def __iter__(self) -> Iterator[SeenRequest]:
        """From the oldest to the newest."""
        return iter(self._kept)

    @overload
    def __getitem__(self, place: int) -> SeenRequest: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[SeenRequest]: ...

    def __getitem__(self, place: int | slice) -> SeenRequest | Sequence[SeenRequest]:
        """The oldest is at 0, the newest at -1."""
        return list(self._kept)[place] if isinstance(place, slice) else self._kept[place]

    def add(self, seen: SeenRequest) -> None:
        """Keep one more."""
        self._kept.append(seen)
        self._bytes += seen.size
        self._trim()

    def weigh(self, seen: SeenRequest, raw: bytes) -> None:
        """Let a request have its body, which counts unless the request is forgotten already."""
        seen.raw = raw
        if seen in self:
            seen.size += len(raw)
            self._bytes += len(raw)
            self._trim()

    def __contains__(self, seen: object) -> bool:
        """Whether it is kept: their numbers follow each other without a gap."""
        if not self._kept:
            return False
        place = getattr(seen, "n", 0) - self._kept[0].n
        return 0 <= place < len(self._kept) and self._kept[place] is seen

    def _trim(self) -> None:
        kept = self._kept
        while len(kept) > 1 and (len(kept) > MOST_KEPT or self._bytes > MOST_BYTES_KEPT):
            self._bytes -= kept.popleft().size


class Generations:
    """The latest generations by their ids."""

    def __init__(self) -> None:
        # Of a plain dict the first is ever harder to find, the more were taken off before.
        self._kept: OrderedDict[str, Generation] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def get(self, generation_id: str) -> Generation | None:
        """The one of that id, if it is still known."""
        return self._kept.get(generation_id)

    def add(self, generation: Generation) -> None:
        """Keep one more."""
        kept = self._kept
        kept[generation.line.generation_id] = generation
        self._bytes += generation.size
        while len(kept) > 1 and (len(kept) > MOST_KEPT or self._bytes > MOST_BYTES_KEPT):
            self._bytes -= kept.popitem(last=False)[1].size
