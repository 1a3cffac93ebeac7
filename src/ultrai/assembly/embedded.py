"""The embedded models as one more upstream: ids `local/…`, served on loopback, billed by nobody.

Every model has a server of its own, loaded on first use; the same HTTP client drives them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from ultrai.domain.attempt import Account, AttemptRequest
from ultrai.domain.catalog import Endpoint, Model, Prices, Rates
from ultrai.domain.errors import UltraiError
from ultrai.domain.generation import Generation
from ultrai.domain.outcome import Failure, FailureKind, Received
from ultrai.engine.ports import Observer, Upstream
from ultrai.local.catalogue import LocalListing, local_listings
from ultrai.local.runtime import Endpoint as LocalEndpoint
from ultrai.local.runtime import LocalRuntime
from ultrai.local.weights import installed

LOCAL = "local"


class EmbeddedUpstream:
    """Fits `engine.ports.Upstream`; `connect` makes a client for one running model."""

    def __init__(
        self, home: Path, runtime: LocalRuntime, *, connect: Callable[[LocalEndpoint], Upstream]
    ) -> None:
        self._home = home
        self._runtime = runtime
        self._connect = connect
        self._clients: dict[str, tuple[LocalEndpoint, Upstream]] = {}

    @property
    def name(self) -> str:
        """Always `local`."""
        return LOCAL

    async def send(self, request: AttemptRequest, observer: Observer) -> Received:
        """Load the model if it does not run (any more), then ask it."""
        try:
            # The slots of a run ask in the same turn of the loop: let all of them be heard before
            # the processors are shared out. Each then waits for its own model alone.
            self._runtime.reserve([request.model])
            await asyncio.sleep(0)
            endpoints = await self._runtime.start([request.model])
        except UltraiError as error:
            message = f"{error} ({error.hint})" if error.hint else str(error)
            failure = Failure(FailureKind.MODEL_UNAVAILABLE, message)
            return Received(failure=failure, sent=False)
        client = self._client(request.model, endpoints[request.model])
        return await client.send(request, observer)

    def _client(self, model_id: str, endpoint: LocalEndpoint) -> Upstream:
        """The client for a model's server; a new one where a died server was started again."""
        known = self._clients.get(model_id)
        if known is None or known[0] != endpoint:
            known = self._clients[model_id] = (endpoint, self._connect(endpoint))
        return known[1]

    async def list_models(self) -> Sequence[Model]:
        """Those whose weights are on the disk."""
        here = {model.id for model in installed(self._home)}
        return tuple(_model(row) for row in local_listings() if row.id in here)

    async def list_endpoints(self, model_id: str) -> Sequence[Endpoint]:
        """This machine serves each of them, and measures itself in Health instead."""
        del model_id
        return ()

    async def read_generation(self, generation_id: str) -> Generation | None:
        """Nothing is billed."""
        del generation_id
        return None

    async def read_account(self) -> Account | None:
        """There is none."""
        return None


def _model(row: LocalListing) -> Model:
    return Model(
        id=row.id,
        name=row.name,
        upstream=LOCAL,
        context_length=row.context_length,
        max_completion_tokens=row.max_completion_tokens,
        prices=Prices(Rates(prompt=row.price_usd, completion=row.price_usd)),
        supported_parameters=row.supported_parameters,
        tokenizer=row.tokenizer,
        input_modalities=("text",),
        output_modalities=("text",),
    )
