"""Keyholder: the configuration of an upstream with the key of this moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ultrai.domain.secret import Secret
from ultrai.upstream.config import UpstreamConfig

UNAUTHORIZED: Final = 401


class Keyholder:
    """Hands out `config`, whose key comes from its source, where it has one."""

    def __init__(self, config: UpstreamConfig) -> None:
        self.config = config
        self._source = config.key_source

    async def current(self) -> UpstreamConfig:
        """What to ask with now. Raises CredentialsError when the key cannot be had."""
        if self._source is None:
            return self.config
        return self._with(await self._source.current())

    async def after_denial(self, denied: UpstreamConfig) -> UpstreamConfig | None:
        """What to ask with instead, where the key of `denied` was refused and has been replaced."""
        if self._source is None or denied.key is None:
            return None
        key = await self._source.refresh_after_denial(denied.key)
        return None if key is None else self._with(key)

    def _with(self, key: Secret) -> UpstreamConfig:
        if key is not self.config.key:
            self.config = replace(self.config, key=key)
        return self.config
