"""`ultrai local`: the embedded models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiGroup, Wishes
from ultrai.domain.errors import UsageError

if TYPE_CHECKING:
    from ultrai.local.models import LocalModel

_BYTES_PER_MB = 1_000_000


@click.group("local", cls=UltraiGroup)
def command() -> None:
    """Fetch, list and remove the embedded models: small demo models that need no key."""


@command.command("pull")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--all", "all_models", is_flag=True, help="Every model, not only LOCAL's.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Take the files from this folder; no network.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end.")
@click.pass_obj
def pull(
    wishes: Wishes,
    *,
    models: tuple[str, ...],
    all_models: bool,
    folder: Path | None,
    as_json: bool,
) -> int:
    """Fetch weights; without MODEL those of the cocktail LOCAL. Broken-off pulls are resumed."""
    from ultrai.cli.output import write_json
    from ultrai.cli.pulling import pull_models
    from ultrai.cli.terminal import standard_error
    from ultrai.local.models import LOCAL_MODELS, default_models, find_model

    if all_models and models:
        raise UsageError("--all and names exclude each other", hint="choose one of them")
    chosen = tuple(find_model(name) for name in models) or default_models()
    if all_models:
        chosen = LOCAL_MODELS
    home = wishes.load_settings().home
    paths = pull_models(chosen, home=home, terminal=standard_error(), source=folder)
    if as_json:
        pulled = [{"id": m.id, "path": str(p)} for m, p in zip(chosen, paths, strict=True)]
        write_json({"pulled": pulled})
    return 0


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(wishes: Wishes, *, as_json: bool) -> int:
    """List the embedded models and whether their weights are here."""
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.palette import Style
    from ultrai.cli.render.table import Cell, Column, lay_out
    from ultrai.cli.terminal import standard_output
    from ultrai.local.models import LOCAL_MODELS
    from ultrai.local.weights import is_installed

    home = wishes.load_settings().home
    rows = [(model, is_installed(model, home)) for model in LOCAL_MODELS]
    if as_json:
        write_json({"models": [_to_dict(model, is_here=here) for model, here in rows]})
        return 0
    columns = (
        Column(""),
        Column("model", flexible=True),
        Column("weights"),
        Column("size", "right"),
        Column("window", "right", rank=3),
        Column("what", rank=1),
        Column("licence", rank=2),
    )
    cells = [
        [
            Cell("✓" if here else "–", Style.GOOD if here else Style.DIM),
            Cell(model.id),
            Cell("here" if here else "not pulled"),
            Cell(f"{model.size_bytes // _BYTES_PER_MB:,} MB"),
            Cell(f"{model.context_length:,}"),
            Cell(model.label if model.default else f"{model.label}, opt-in"),
            Cell(model.licence),
        ]
        for model, here in rows
    ]
    output = standard_output()
    write_lines(output, lay_out(columns, cells, width=output.table_width, header=True))
    return 0


@command.command("remove")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def remove(wishes: Wishes, *, models: tuple[str, ...], as_json: bool) -> int:
    """Remove the weights of these models."""
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.terminal import standard_error
    from ultrai.local import weights
    from ultrai.local.models import find_model

    home = wishes.load_settings().home
    chosen = [find_model(name) for name in models]
    freed = [(model, weights.remove(model, home)) for model in chosen]
    if as_json:
        write_json({"removed": [{"id": m.id, "freed_bytes": size} for m, size in freed]})
        return 0
    for model, size in freed:
        words = f"removed, {size // _BYTES_PER_MB:,} MB freed" if size else "was not here"
        write_text(standard_error(), f"{model.id}: {words}")
    return 0


def _to_dict(model: LocalModel, *, is_here: bool) -> dict[str, object]:
    return {
        "id": model.id,
        "title": model.title,
        "label": model.label,
        "installed": is_here,
        "default": model.default,
        "size_bytes": model.size_bytes,
        "context_length": model.context_length,
        "licence": model.licence,
    }
