"""Carries out an Ask: weights first where embedded models are asked, then the Run, then the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ultrai.cli.alert_lines import alert_lines
from ultrai.cli.exits import INTERRUPTED
from ultrai.cli.past import run_id_of
from ultrai.cli.render.view import Manner, View
from ultrai.cli.running import Ladder, follow, run_async
from ultrai.cli.session import open_session
from ultrai.cli.terminal import standard_error, standard_output
from ultrai.cli.weights import bring_weights

if TYPE_CHECKING:
    from ultrai.cli.wishes import Wishes
    from ultrai.domain.ask import Ask


def carry_out(wishes: Wishes, ask: Ask, *, manner: Manner) -> int:
    """Run the Ask, show it, and return the exit code."""
    # A strip that is drawn over and a log of the wire would destroy each other.
    plain = manner.plain or wishes.debug
    output = standard_output(plain=plain)
    error = standard_error(plain=plain)
    bring_weights(wishes.load_settings(), ask, terminal=error)
    view = View(output, error, manner=manner, cap_nanos=ask.max_cost_nanos)
    with alert_lines():
        return run_async(_ask(wishes, ask, view=view))


async def _ask(wishes: Wishes, ask: Ask, *, view: View) -> int:
    with Ladder() as ladder:
        try:
            async with open_session(wishes) as session:
                if ask.resume is not None:
                    ask = replace(ask, resume=await run_id_of(session, ask.resume))
                handle = await session.start(ask)
                report = await follow(handle, view, ladder=ladder)
                view.finish(report)
                return report.exit_code
        except BaseException:
            if ladder.interrupted:
                view.remark("interrupted before anything was sent")
                return INTERRUPTED
            raise
        finally:
            view.close()
