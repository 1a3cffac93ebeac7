"""A kept Answer as bytes, with a digest over its key and itself.

What a disk or another program has changed is not there.
"""

from __future__ import annotations

import hashlib

import msgspec

from ultrai.domain.kept import KeptAnswer

FORMAT = 1
_DIGEST_BYTES = 16


class _Payload(msgspec.Struct, frozen=True):
    """What is kept. A payload of another `format` is as good as none."""

    format: int
    kept: KeptAnswer


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Payload)


def packed(key: str, kept: KeptAnswer) -> bytes:
    """The bytes; empty for a text that UTF-8 cannot hold."""
    try:
        payload = _ENCODER.encode(_Payload(FORMAT, kept))
    except UnicodeEncodeError:
        return b""
    return _digest(key, payload) + payload


def unpacked(key: str, data: bytes) -> KeptAnswer | None:
    """The Answer; None where it is damaged, or from another version."""
    digest, payload = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if digest != _digest(key, payload):
        return None
    try:
        row = _DECODER.decode(payload)
    except msgspec.DecodeError:
        return None
    return row.kept if row.format == FORMAT else None


def _digest(key: str, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_DIGEST_BYTES, key=key.encode()[:64]).digest()
