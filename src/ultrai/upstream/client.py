"""The adapter: one upstream, as the engine's `Upstream` port wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ultrai.domain.attempt import Account, AttemptRequest
from ultrai.domain.catalog import Endpoint, Model
from ultrai.domain.errors import CredentialsError
from ultrai.domain.generation import Generation
from ultrai.domain.outcome import Failure, FailureKind, Received
from ultrai.upstream.accounts import read_account
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.discovery import list_endpoints, list_models
from ultrai.upstream.exchange import Exchange
from ultrai.upstream.generations import read_generation
from ultrai.upstream.incoming import Observer
from ultrai.upstream.key_management import KeyManagement
from ultrai.upstream.keyholder import UNAUTHORIZED, Keyholder
from ultrai.upstream.lookup import Lookup

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpUpstream", "UpstreamConfig"]


class HttpUpstream:
    """Speaks to one server over a session that the caller opened and closes.

    `now` tells the time when a response does not (for `Retry-After` dates); `lookup_timeout_s`
    bounds every request that is not an Attempt.
    """

    def __init__(
        self,
        config: UpstreamConfig,
        session: aiohttp.ClientSession,
        *,
        now: Callable[[], datetime] | None = None,
        connect_timeout_s: float = 10.0,
        lookup_timeout_s: float = 30.0,
    ) -> None:
        self._config = config
        self._holder = Keyholder(config)
        self._session = session
        self._now = now
        self._lookup = Lookup(
            self._holder, session, connect_s=connect_timeout_s, total_s=lookup_timeout_s
        )

    @property
    def name(self) -> str:
        """Its name in settings, Catalog and Reports."""
        return self._config.name

    async def send(self, request: AttemptRequest, observer: Observer) -> Received:
        """Make one Attempt. Whatever the world does is in the value; only cancellation raises.

        A request that is refused for its key is made once more if the key has been replaced since:
        what was refused so was neither answered nor billed.
        """
        try:
            config = await self._holder.current()
        except CredentialsError as error:
            return Received(failure=Failure(FailureKind.AUTH, _told(error)))
        received = await self._exchange(config, request, observer=observer)
        if received.failure is None or received.failure.status != UNAUTHORIZED:
            return received
        renewed = await self._holder.after_denial(config)
        if renewed is None:
            return received
        return await self._exchange(renewed, request, observer=observer)

    async def _exchange(
        self, config: UpstreamConfig, request: AttemptRequest, *, observer: Observer
    ) -> Received:
        exchange = Exchange(
            config, self._session, request=request, observer=observer, now=self._now
        )
        return await exchange.run()

    async def list_models(self) -> Sequence[Model]:
        """The current listing. Raises UpstreamUnavailable."""
        return await list_models(self._config, self._lookup)

    async def list_endpoints(self, model_id: str) -> Sequence[Endpoint]:
        """Who serves the model and how well. Raises UpstreamUnavailable, or its ModelNotListed."""
        return await list_endpoints(self._config, self._lookup, model_id=model_id)

    async def read_generation(self, generation_id: str) -> Generation | None:
        """What one generation cost; None: not known (yet). Raises UpstreamUnavailable."""
        return await read_generation(self._config, self._lookup, generation_id=generation_id)

    @property
    def keys(self) -> KeyManagement:
        """The upstream's keys, where this client's own is a management key."""
        return KeyManagement(self._lookup)

    async def read_account(self) -> Account | None:
        """What the key may do; None without a key or where there is no such notion."""
        return await read_account(self._config, self._lookup)


def _told(error: CredentialsError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)
