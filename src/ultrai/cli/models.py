"""`ultrai models`: the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import NotFound, UpstreamUnavailable, UsageError

if TYPE_CHECKING:
    from ultrai.assembly.facade import UltrAI
    from ultrai.domain.catalog import Catalog, Endpoint

_TIERS = ("free", "budget", "standard", "premium")
_ORDERS = ("price", "name", "window")
_HOW_TO_SEARCH = "'ultrai models WORD' searches the catalogue"


@click.command("models", cls=UltraiCommand)
@click.argument("search", required=False, default="")
@click.option(
    "--tier",
    type=click.Choice(_TIERS, case_sensitive=False),
    help="USD per million output tokens: free 0, budget below 1, standard below 15, premium.",
)
@click.option(
    "--sort",
    "order",
    type=click.Choice(_ORDERS),
    default="name",
    show_default=True,
    help="The order of the list.",
)
@click.option("--refresh", is_flag=True, help="Fetch the catalogue anew first.")
@click.option("--endpoints", metavar="ID", help="Who serves this model, and how well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter for each flag
    wishes: Wishes,
    *,
    search: str,
    tier: str | None,
    order: str,
    refresh: bool,
    endpoints: str | None,
    as_json: bool,
) -> int:
    """List and search the catalogue. SEARCH is matched against ids and names, word by word."""
    from ultrai.cli.running import run_async

    if endpoints is not None:
        if search or tier:
            raise UsageError(
                "--endpoints takes one model and no search", hint="leave SEARCH and --tier out"
            )
        _write_endpoints(endpoints, run_async(_endpoints(wishes, endpoints)), as_json=as_json)
        return 0
    catalog = run_async(_catalog(wishes, refresh=refresh))
    _write_models(catalog, search, tier=tier, order=order, as_json=as_json)
    return 0


async def _catalog(wishes: Wishes, *, refresh: bool) -> Catalog:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.catalog(refresh=refresh)


async def _endpoints(wishes: Wishes, model_id: str) -> Sequence[Endpoint]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        try:
            return await session.endpoints(model_id)
        except NotFound as error:
            raise NotFound(str(error), hint=await _nearest(session, model_id)) from None


async def _nearest(session: UltrAI, model_id: str) -> str:
    """What may be meant, where the catalogue can be had."""
    from ultrai.policy.nearest import did_you_mean

    try:
        catalog = await session.catalog()
    except UpstreamUnavailable:
        return _HOW_TO_SEARCH
    return did_you_mean(model_id, (model.id for model in catalog)) or _HOW_TO_SEARCH


def _write_models(
    catalog: Catalog, search: str, *, tier: str | None, order: str, as_json: bool
) -> None:
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.catalogue import (
        catalogue_date,
        choose_models,
        model_to_dict,
        models_table,
    )
    from ultrai.cli.terminal import standard_error, standard_output

    models = choose_models(catalog, search, tier=tier, order=order)
    if as_json:
        write_json({"models": [model_to_dict(model) for model in models]})
        return
    output = standard_output()
    if models:
        write_lines(output, models_table(models, width=output.table_width))
    write_text(
        standard_error(),
        f"{len(models):,} of {len(catalog):,} models{catalogue_date(catalog)}",
    )


def _write_endpoints(model_id: str, endpoints: Sequence[Endpoint], *, as_json: bool) -> None:
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.catalogue import endpoint_to_dict, endpoints_table
    from ultrai.cli.terminal import standard_error, standard_output

    if as_json:
        rows = [endpoint_to_dict(endpoint) for endpoint in endpoints]
        write_json({"model": model_id, "endpoints": rows})
        return
    output = standard_output()
    if not endpoints:
        write_text(standard_error(), f"nobody is listed as serving {model_id} now")
        return
    write_lines(output, endpoints_table(endpoints, width=output.table_width))
