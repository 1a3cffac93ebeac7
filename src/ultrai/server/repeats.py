"""`Idempotency-Key`: the same request under the same key is one Run, and has one answer.

While the first goes on the others wait for it, and it is cancelled when all of them have left.
A request that could not begin leaves nothing behind: sent again, it is tried again. The memory is
this process's own, for a day at most; what it forgets is asked anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from ultrai.domain.report import RunStatus
from ultrai.server.live import LiveRun
from ultrai.server.problems import Problem, Refused, bad_request

HEADER = b"idempotency-key"
MOST_KEPT = 2000
KEPT_S = 86_400.0
_LONGEST_KEY = 255


@dataclass(slots=True)
class Repeat:
    """What is known under one key."""

    digest: bytes
    until_s: float
    starting: asyncio.Task[LiveRun]


class Repeats:
    """The keys of this process, by their owner."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str | None, str], Repeat] = OrderedDict()

    def find(self, owner: str | None, key: str, *, digest: bytes) -> asyncio.Task[LiveRun] | None:
        """The Run under that key. Raises Refused where it was another request's."""
        if not 0 < len(key) <= _LONGEST_KEY:
            raise bad_request(f"Idempotency-Key must have 1 to {_LONGEST_KEY} characters")
        known = self._known.get((owner, key))
        if known is None or known.until_s < asyncio.get_running_loop().time():
            return None
        if known.digest != digest:
            message = "this Idempotency-Key was another request's"
            raise Refused(Problem(422, "idempotency_key_reused", message))
        return None if _was_abandoned(known.starting) else known.starting

    def keep(
        self, owner: str | None, key: str, *, digest: bytes, starting: asyncio.Task[LiveRun]
    ) -> None:
        """Remember a Run that is being started."""
        until_s = asyncio.get_running_loop().time() + KEPT_S
        self._known[owner, key] = Repeat(digest, until_s, starting)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)

        def forget(task: asyncio.Task[LiveRun]) -> None:
            if task.cancelled() or task.exception() is not None:
                self._known.pop((owner, key), None)

        starting.add_done_callback(forget)


def _was_abandoned(starting: asyncio.Task[LiveRun]) -> bool:
    """Whether everybody left before it had an end: who comes back means it anew."""
    if not starting.done() or starting.cancelled() or starting.exception() is not None:
        return False
    ended = starting.result().ended
    if not ended.done() or ended.cancelled() or ended.exception() is not None:
        return ended.cancelled()
    return ended.result().status is RunStatus.INTERRUPTED


def digest_of(path: str, body: bytes) -> bytes:
    """What makes two requests the same."""
    return sha256(path.encode() + b"\0" + body).digest()
