"""Lets an `aiohttp.ClientSession` connect through a `MemoryNetwork`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import aiohttp

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace

    from ultrai.testing.network import MemoryNetwork


class MemoryConnector(aiohttp.BaseConnector):
    """Bounds nothing itself, as the connector of `ultrai.upstream.session` does not."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__(limit=0)
        self._network = network

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        try:
            address = (req.url.raw_host or "", req.url.port or 80)
            side = await self._network.open(address, self._factory)
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        return cast("ResponseHandler", side.get_protocol())
