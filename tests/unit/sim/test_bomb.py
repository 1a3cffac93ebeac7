"""A gzip bomb unpacks to exactly as many blanks as it says."""

from __future__ import annotations

import gzip
import zlib

import pytest

from ultrai_sim.bomb import BLOCK, KEPT, bomb_of


@pytest.mark.parametrize("size", [1, 100, len(BLOCK) - 1, len(BLOCK), len(BLOCK) + 1, 5_000_000])
def test_it_unpacks_to_so_many_blanks(size):
    assert gzip.decompress(bomb_of(size)) == b" " * size


def test_the_largest_one_is_small_and_true():
    size = 1_000_000_000
    packed = bomb_of(size)
    assert len(packed) < size // 700
    unpacker, told = zlib.decompressobj(31), 0
    while packed:
        told += len(unpacker.decompress(packed, 16 << 20))
        packed = unpacker.unconsumed_tail
    assert told == size
    assert unpacker.eof, "its sum and its length are those of the blanks"


def test_few_bombs_are_kept():
    for size in range(1, 3 * KEPT):
        bomb_of(size)
    assert bomb_of.cache_info().currsize == KEPT
