"""`ultrai plan`: what `ask` would do, without doing it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import click

from ultrai.cli.question import QuestionFlags, make_ask, question_options
from ultrai.cli.wishes import UltraiCommand, Wishes

if TYPE_CHECKING:
    from ultrai.domain.ask import Ask
    from ultrai.domain.plan import Plan


class _PlanFlags(QuestionFlags):
    """What click hands over."""

    as_json: bool


@click.command("plan", cls=UltraiCommand)
@question_options
@click.option("--json", "as_json", is_flag=True, help="The plan as one JSON object.")
@click.pass_obj
def command(wishes: Wishes, /, **flags: Unpack[_PlanFlags]) -> int:
    """Say who would be asked, what fits, what it may cost and how long it may take.

    Takes the flags of 'ask'. Sends no question and spends nothing.
    """
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.plan_table import plan_lines
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output

    ask = make_ask(flags, wishes)
    plan = run_async(_plan(wishes, ask))
    if flags["as_json"]:
        write_json(plan.to_dict())
        return 0
    output = standard_output()
    cap = ask.max_cost_nanos
    write_lines(output, plan_lines(plan, cap_nanos=cap, width=output.table_width))
    return 0


async def _plan(wishes: Wishes, ask: Ask) -> Plan:
    from ultrai.cli.past import run_id_of
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        if ask.resume is not None:
            ask = replace(ask, resume=await run_id_of(session, ask.resume))
        return await session.plan(ask)
