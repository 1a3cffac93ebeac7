"""Alerts to a webhook, signed as https://www.standardwebhooks.com asks."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import aiohttp

from ultrai.domain.alert import Alert
from ultrai.domain.errors import CredentialsError
from ultrai.signals.kept import Kept, read
from ultrai.signals.threads import on_a_thread

if TYPE_CHECKING:
    from ultrai.domain.secret import Secret

_PREFIX: Final = "whsec_"
_MOST_READ = 4096
_LEAST_BAD = 300


@dataclass(frozen=True, slots=True)
class Webhook:
    """Fits `engine.ports.AlertSink`. `problem`: why it has no address or no secret."""

    session: aiohttp.ClientSession
    now: Callable[[], datetime]
    address: Secret | None
    secret: Kept = None
    proxy: str | None = None
    problem: str | None = None
    user_agent: str = "ultrai"

    async def deliver(self, alert: Alert) -> str | None:
        """Any 2xx is an arrival; redirects are not followed. The address is never echoed."""
        if self.problem is not None or self.address is None:
            return self.problem or "it has no address"
        body = json.dumps(alert.to_dict(), ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json", "User-Agent": self.user_agent}
        try:
            headers |= await self._signed(alert, body)
            async with self.session.post(
                self.address.reveal(),
                data=body,
                headers=headers,
                proxy=self.proxy,
                allow_redirects=False,
            ) as response:
                await response.content.read(_MOST_READ)
                is_fine = response.status < _LEAST_BAD
                return None if is_fine else f"it answered {response.status}"
        except CredentialsError as error:
            return str(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"it cannot be reached: {type(error).__name__}"

    async def _signed(self, alert: Alert, body: bytes) -> dict[str, str]:
        at = str(int(self.now().timestamp()))
        headers = {"webhook-id": alert.id, "webhook-timestamp": at}
        kept = self.secret
        if kept is not None:
            secret = await on_a_thread(lambda: read(kept), name="ultrai-secret")
            headers["webhook-signature"] = sign(
                secret.reveal(), body, alert_id=alert.id, timestamp=at
            )
        return headers


def sign(secret: str, body: bytes, *, alert_id: str, timestamp: str) -> str:
    """`v1,` and the HMAC-SHA256 over `ID.TIMESTAMP.BODY`, in base64.

    A secret that begins with `whsec_` is base64 behind that; any other is its own bytes.
    """
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            key = secret.encode()
    digest = hmac.new(key, f"{alert_id}.{timestamp}.".encode() + body, sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
