"""`ultrai ask`: the main job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from ultrai.cli.question import QuestionFlags, make_ask, question_options
from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import UsageError

if TYPE_CHECKING:
    from ultrai.cli.render.view import Manner


class _AskFlags(QuestionFlags):
    """What click hands over."""

    as_json: bool
    as_jsonl: bool
    plain: bool
    no_stream: bool


@click.command("ask", cls=UltraiCommand)
@question_options
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON object.")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Every event as a line of JSON.")
@click.option("--plain", is_flag=True, help="No colour and no redrawing.")
@click.option("--no-stream", is_flag=True, help="Ask for whole answers instead of streams.")
@click.pass_obj
def command(wishes: Wishes, /, **flags: Unpack[_AskFlags]) -> int:
    """Ask a cocktail of models, or models by name.

    PROMPT absent or '-' reads standard input. Answers go to standard output, everything else to
    standard error.

    Exit codes: 0 every slot answered, 2 bad usage, 3 at least one slot unanswered, 4 no answer,
    5 refused by the cap, 6 credentials or credit, 130 interrupted.
    """
    from ultrai.cli.asking import carry_out
    from ultrai.cli.render.view import Manner

    if flags["as_json"] and flags["as_jsonl"]:
        raise UsageError("--json and --jsonl exclude each other", hint="choose one of them")
    manner: Manner = Manner(json=flags["as_json"], jsonl=flags["as_jsonl"], plain=flags["plain"])
    streaming = False if flags["no_stream"] else None
    return carry_out(wishes, replace(make_ask(flags, wishes), streaming=streaming), manner=manner)
