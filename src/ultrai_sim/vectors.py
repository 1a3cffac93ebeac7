"""Embedding vectors: the same for the same text and model, near for texts that share words.

Each word, and the head of each longer word, pulls a few coordinates its own way; common words pull
less. A little noise of the whole text fills the rest, so that no vector is sparse or zero.
"""

from __future__ import annotations

import math
import re
import struct
from collections import defaultdict
from collections.abc import Mapping
from hashlib import blake2b, shake_256

WORD = re.compile(r"[^\W_]+")
SMALL_WORDS = re.compile(
    "an?|and|are|as|at|be|by|do|for|from|how|i|in|is|it|of|on|or|that|the|this|to|was|what|with"
)
HEAD = 4
PULLS = 12
SMALL_WEIGHT = 0.15
HEAD_WEIGHT = 0.6
NOISE = 0.02
MOST_SHORT = 32_768


def vector_of(text: str, *, salt: str, size: int) -> list[float]:
    """A unit vector of ``size`` coordinates; ``salt`` tells models apart."""
    raw = shake_256(f"{salt}\x1f{text}".encode("utf-8", "replace")).digest(2 * size)
    scale = NOISE / MOST_SHORT
    vector = [scale * number for number in struct.unpack(f"<{size}h", raw)]
    for feature, weight in _features(text).items():
        digest = blake2b(f"{salt}\x1f{feature}".encode("utf-8", "replace"), digest_size=4 * PULLS)
        for pull in struct.unpack(f"<{PULLS}I", digest.digest()):
            vector[(pull >> 1) % size] += weight if pull & 1 else -weight
    return _unit(vector)


def shortened(vector: list[float], size: int) -> list[float]:
    """The first coordinates of a vector, as a unit vector again."""
    return vector if size == len(vector) else _unit(vector[:size])


def _features(text: str) -> Mapping[str, float]:
    weights: defaultdict[str, float] = defaultdict(float)
    for word in WORD.findall(text.lower()):
        weights[word] += SMALL_WEIGHT if SMALL_WORDS.fullmatch(word) else 1.0
        if len(word) > HEAD:
            weights[f"{word[:HEAD]}*"] += HEAD_WEIGHT
    return {feature: math.sqrt(weight) for feature, weight in weights.items()}


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]
