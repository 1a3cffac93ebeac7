"""Makes the HTTP clients of all upstreams. Imported late: it loads the HTTP library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ultrai import __version__
from ultrai.assembly.key_ring import KeyRing
from ultrai.assembly.tuned import LOCAL
from ultrai.domain.secret import Secret
from ultrai.local.runtime import Endpoint as LocalEndpoint
from ultrai.settings.model import OPENROUTER, Settings
from ultrai.upstream.client import HttpUpstream
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.key_source import KeySource

if TYPE_CHECKING:
    import aiohttp

USER_AGENT = f"ultrai/{__version__}"


@dataclass(frozen=True, slots=True)
class Clients:
    """What the clients of a process share."""

    settings: Settings
    session: aiohttp.ClientSession
    now: Callable[[], datetime]
    keys: KeyRing
    wire_log: Callable[[str], None] | None = None

    def openrouter(self) -> HttpUpstream:
        """The main upstream, told which application asks."""
        attribution = self.settings.attribution
        headers = {"HTTP-Referer": attribution.referer, "X-OpenRouter-Title": attribution.title}
        return self._client(
            UpstreamConfig(
                name=OPENROUTER,
                base_url=self.settings.base_url,
                key=self.settings.key,
                key_source=self.keys.of(self.settings.key_reference, known=self.settings.key),
                headers={name: value for name, value in headers.items() if value},
                proxy=self.settings.proxy,
                is_openrouter=True,
                wire_log=self.wire_log,
                user_agent=USER_AGENT,
            )
        )

    def with_key(self, key: Secret) -> HttpUpstream:
        """The main upstream, asked with another key."""
        return self._plain(key)

    def manager(self) -> HttpUpstream:
        """The main upstream, asked with the management key of the settings."""
        settings = self.settings
        source = self.keys.of(settings.management_key_reference, known=settings.management_key)
        return self._plain(settings.management_key, source, manages_keys=True)

    def _plain(
        self, key: Secret | None, source: KeySource | None = None, *, manages_keys: bool = False
    ) -> HttpUpstream:
        settings = self.settings
        return self._client(
            UpstreamConfig(
                name=OPENROUTER,
                base_url=settings.base_url,
                key=key,
                key_source=source,
                proxy=settings.proxy,
                is_openrouter=True,
                manages_keys=manages_keys,
                wire_log=self.wire_log,
                user_agent=USER_AGENT,
            )
        )

    def further(self, name: str) -> HttpUpstream:
        """Another server with OpenAI's format, from the settings."""
        upstream = self.settings.upstreams[name]
        return self._client(
            UpstreamConfig(
                name=name,
                base_url=upstream.base_url,
                key=upstream.key,
                key_source=self.keys.of(upstream.key_reference, known=upstream.key),
                prefix=upstream.prefix,
                proxy=upstream.proxy,
                free=upstream.free,
                wire_log=self.wire_log,
                user_agent=USER_AGENT,
            )
        )

    def embedded(self, endpoint: LocalEndpoint) -> HttpUpstream:
        """The server of one embedded model."""
        return self._client(
            UpstreamConfig(
                name=LOCAL,
                base_url=endpoint.base_url,
                key=endpoint.api_key,
                # llama.cpp's server drops idle connections, and a request on a dropped one is lost.
                headers={"Connection": "close"},
                free=True,
                wire_log=self.wire_log,
                user_agent=USER_AGENT,
            )
        )

    def _client(self, config: UpstreamConfig) -> HttpUpstream:
        return HttpUpstream(
            config,
            self.session,
            now=self.now,
            connect_timeout_s=self.settings.connect_timeout_s,
        )
