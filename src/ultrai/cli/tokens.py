"""`ultrai tokens`: how many tokens a text makes, model by model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes

if TYPE_CHECKING:
    from ultrai.domain.document import Document
    from ultrai.domain.overview import TokenRow


@click.command("tokens", cls=UltraiCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="ID",
    help="For exactly this model; repeatable. Without it, for those that the cocktails ask first.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, file by file.")
@click.pass_obj
def command(
    wishes: Wishes, *, files: tuple[Path, ...], models: tuple[str, ...], as_json: bool
) -> int:
    """Say how many tokens the files make, model by model. Sends nothing.

    FILE '-' reads standard input. 'tokens' is the estimate, corrected by what the model counted of
    earlier prompts ('learned', in per cent of the estimate); 'planned' is that with the margin of
    its tokenizer's family, which is what a window must hold.
    """
    from ultrai.cli.files import read_texts
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.token_table import files_words, token_table
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error, standard_output

    documents = read_texts(files, most_mb=wishes.load_settings().max_file_mb)
    rows = run_async(_tokens(wishes, documents, models=models))
    if as_json:
        write_json(
            {
                "files": [_size(document) for document in documents],
                "models": [row.to_dict() for row in rows],
            }
        )
        return 0
    output = standard_output()
    write_lines(output, token_table(rows, width=output.table_width))
    write_text(standard_error(), files_words(documents))
    return 0


async def _tokens(
    wishes: Wishes, documents: Sequence[Document], *, models: Sequence[str]
) -> Sequence[TokenRow]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.tokens([document.text for document in documents], models)


def _size(document: Document) -> dict[str, object]:
    size = len(document.text.encode("utf-8", "surrogatepass"))
    return {"name": document.name, "bytes": size, "characters": len(document.text)}
