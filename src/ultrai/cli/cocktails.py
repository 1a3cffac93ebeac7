"""`ultrai cocktails`: the recipes there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiGroup, Wishes
from ultrai.domain.errors import NotFound

if TYPE_CHECKING:
    from ultrai.cli.render.recipes import RecipeBook
    from ultrai.settings.model import Settings


@click.group("cocktails", cls=UltraiGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> int:
    """List the cocktails, or show one with what is corrected and superseded in it."""
    if context.invoked_subcommand is not None:
        return 0
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.recipes import cocktail_to_dict, cocktails_table
    from ultrai.cli.terminal import standard_output

    book = _book(context.ensure_object(Wishes).load_settings())
    if as_json:
        write_json({"cocktails": [cocktail_to_dict(c, book) for c in book.cocktails]})
        return 0
    output = standard_output()
    write_lines(output, cocktails_table(book, width=output.table_width))
    return 0


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(wishes: Wishes, *, name: str, as_json: bool) -> int:
    """Show one cocktail: its slots, their backups, and what is noted about the ids."""
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.recipes import cocktail_lines, cocktail_to_dict
    from ultrai.cli.terminal import standard_output

    book = _book(wishes.load_settings())
    cocktail = book.cocktails.find(name)
    if cocktail is None:
        names = ", ".join(book.cocktails.names)
        raise NotFound(f"there is no cocktail {name!r}", hint=f"there are: {names}")
    if as_json:
        write_json(cocktail_to_dict(cocktail, book))
        return 0
    output = standard_output()
    write_lines(output, cocktail_lines(cocktail, book, width=output.table_width))
    return 0


def _book(settings: Settings) -> RecipeBook:
    from ultrai.cli.render.recipes import RecipeBook
    from ultrai.settings.cocktails import shipped_file

    shipped = shipped_file()
    return RecipeBook(
        cocktails=shipped.book.merged(settings.cocktails),
        corrections=shipped.corrections.merged(settings.corrections),
        successions=shipped.successions.merged(settings.successions),
    )
