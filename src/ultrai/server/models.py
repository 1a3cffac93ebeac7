"""`GET /v1/models`: every cocktail as a model, then every model of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ultrai.assembly.facade import UltrAI
from ultrai.domain.catalog import Catalog, Model
from ultrai.domain.cocktail import AUTO, Cocktail
from ultrai.domain.errors import ModelNotFound, UpstreamUnavailable
from ultrai.server.exchange import Exchange
from ultrai.server.parsing import PREFIX


class Models:
    """Answers what may stand in `model`."""

    def __init__(self, session: UltrAI) -> None:
        self._session = session

    async def list(self, exchange: Exchange) -> None:
        """All of them."""
        rows = await self._rows(exchange)
        await exchange.answer_json(200, {"object": "list", "data": rows})

    async def show(self, exchange: Exchange) -> None:
        """One of them. Raises ModelNotFound."""
        wanted = exchange.parameter("model")
        for row in await self._rows(exchange):
            if str(row["id"]).casefold() == wanted.casefold():
                await exchange.answer_json(200, row)
                return
        raise ModelNotFound(f"there is no model {wanted!r}", hint="list them with GET /v1/models")

    async def _rows(self, exchange: Exchange) -> Sequence[dict[str, object]]:
        """Those that the access key may ask."""
        rows = await self._all()
        key = exchange.key
        return rows if key is None else [row for row in rows if key.allows(str(row["id"]))]

    async def _all(self) -> Sequence[dict[str, object]]:
        catalog = await self._catalog()
        cocktails = [_cocktail(each, catalog) for each in self._session.book]
        auto: dict[str, object] = {**_row(AUTO), "ultrai": {"cocktail": AUTO}}
        return [*cocktails, auto, *map(_model, catalog)]

    async def _catalog(self) -> Catalog:
        """What can be asked; nothing where no listing is to be had, for cocktails are asked so."""
        try:
            return await self._session.catalog(keyless=False)
        except UpstreamUnavailable:
            return Catalog()


def _row(name: str) -> dict[str, object]:
    return {"id": f"{PREFIX}{name.lower()}", "object": "model", "created": 0, "owned_by": "ultrai"}


def _cocktail(cocktail: Cocktail, catalog: Catalog) -> dict[str, object]:
    primaries = [catalog.get(slot.primary) for slot in cocktail.slots]
    windows = [m.context_length for m in primaries if m is not None and m.context_length]
    about = {
        "cocktail": cocktail.name,
        "slots": [{"primary": s.primary, "backups": list(s.backups)} for s in cocktail.slots],
        "synthesis": cocktail.synthesis,
        "quorum": cocktail.quorum,
    }
    row = _row(cocktail.name)
    return {**row, "context_length": min(windows, default=None), "ultrai": about}


def _model(model: Model) -> dict[str, object]:
    row: dict[str, object] = {
        "id": model.id,
        "object": "model",
        "created": model.created or 0,
        "owned_by": model.provider,
        "name": model.name,
        "context_length": model.context_length,
        "supported_parameters": sorted(model.supported_parameters),
    }
    if model.prices is not None:
        rates = model.prices.base
        row["pricing"] = {"prompt": _plain(rates.prompt), "completion": _plain(rates.completion)}
    return row


def _plain(price: Decimal) -> str:
    return format(price, "f")
