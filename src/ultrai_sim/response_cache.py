"""OpenRouter's own cache of whole responses: asked for by header, answered at no cost.

`X-OpenRouter-Cache: true` lets a request be kept and answered from what was kept; `-TTL` says for
how long (1 to 86400 s, 300 by default), `-Clear: true` forgets it first. What counts is the key,
the model, the route, whether it streams, and the body; the order of its properties matters. Only
answers are kept, no refusals. A hit has a new id and an age, all counts of its usage are zero. No
provider is asked for it, so that none can fail; the account's own checks come before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from ultrai_sim.incoming import read_whole

DEFAULT_TTL_S = 300
LONGEST_TTL_S = 86_400
MOST_KEPT = 1000
ASK, TTL, CLEAR = "X-OpenRouter-Cache", "X-OpenRouter-Cache-TTL", "X-OpenRouter-Cache-Clear"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request's headers ask of the cache; ``key`` is where it would be kept."""

    key: bytes
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A generation whose answer, ``content``, may be given again until ``ends``."""

    generation_id: str
    began: float
    ends: float
    content: Any


class ResponseCache:
    """What was kept, by `Wish.key`."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Kept] = {}

    def read_wish(
        self, headers: Mapping[str, str], body: Mapping[str, Any], *, secret: str, route: str
    ) -> Wish | None:
        """What the headers ask; None: nothing. A wish to clear is followed at once."""
        if headers.get(ASK, "").lower() != "true":
            return None
        digest = sha256(f"{secret}|{route}|{body.get('model')}|{body.get('stream')}|".encode())
        digest.update(msgspec.json.encode(body))
        wish = Wish(digest.digest(), _ttl(headers.get(TTL)))
        if headers.get(CLEAR, "").lower() == "true":
            self._kept.pop(wish.key, None)
        return wish

    def find(self, wish: Wish, now: float) -> Kept | None:
        """What is kept and not too old."""
        kept = self._kept.get(wish.key)
        if kept is None or kept.ends <= now:
            return None
        return kept

    def keep(self, wish: Wish, generation_id: str, *, now: float, content: Any = None) -> None:
        """Remember an answer that was given whole."""
        self._kept.pop(wish.key, None)
        if len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[wish.key] = Kept(generation_id, now, now + wish.ttl_s, content)


def headers_of(wish: Wish, kept: Kept | None, *, now: float) -> dict[str, str]:
    """What a response says of the cache."""
    if kept is None:
        return {f"{ASK}-Status": "MISS", TTL: str(wish.ttl_s)}
    return {
        f"{ASK}-Status": "HIT",
        TTL: str(max(0, int(kept.ends - now))),
        f"{ASK}-Age": str(int(now - kept.began)),
        f"{ASK}-Source-Id": kept.generation_id,
    }


def zeroed(value: Any) -> Any:
    """A usage with all its figures zero; what is no figure stays."""
    if isinstance(value, Mapping):
        return {name: zeroed(each) for name, each in value.items()}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return 0


def _ttl(text: str | None) -> int:
    seconds = None if text is None else read_whole(text)
    if seconds is None:
        return DEFAULT_TTL_S
    return min(max(seconds, 1), LONGEST_TTL_S)
