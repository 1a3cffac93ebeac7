"""What an access key looks like to its owner: `ultrai-ID-SECRET`.

The id finds the row, so that a wrong secret costs one comparison, in constant time, whatever it is.
The secret has 256 bits of chance: a plain SHA-256 of it cannot be searched.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from ultrai.domain.access import AccessKey

_PREFIX = "ultrai-"
_LONGEST = 200
_NOBODY = "0" * 64


def token_of(key_id: str, secret: str) -> str:
    """The text that is handed out once."""
    return f"{_PREFIX}{key_id}-{secret}"


def id_in(token: str) -> str:
    """The id in a token; "" where it is none of ours."""
    if not token.startswith(_PREFIX) or len(token) > _LONGEST:
        return ""
    return token.removeprefix(_PREFIX).partition("-")[0]


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode()).hexdigest()


def is_token_of(token: str, key: AccessKey | None) -> bool:
    """Whether the token is that key's. Takes as long for no key at all."""
    digest = _NOBODY if key is None else key.digest
    return hmac.compare_digest(digest, digest_of(token)) and key is not None
