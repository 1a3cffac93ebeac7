"""`ultrai alerts`: who is told about money and keys, and what there is to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ultrai.cli.exits import NO_ANSWER
from ultrai.cli.wishes import GroupThatActs, Wishes

if TYPE_CHECKING:
    from ultrai.domain.alert import Parcel, Standing
    from ultrai.engine.alerting import Delivery
    from ultrai.settings.alert_sinks import AlertSettings

Sinks = Mapping[str, tuple[str, str]]
Found = tuple[Sequence["Standing"], Sequence[tuple["Parcel", str]]]

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group("alerts", cls=GroupThatActs, invoke_without_command=True)
@_json
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> int:
    """List what is watched, and test who is told; alone: list.

    The table [alerts] of the settings turns alerts on, and names webhooks, mail addresses and
    programs. They are looked after at the end of every run and by 'ultrai reconcile'.
    """
    return _list(context.obj, as_json=as_json) if context.invoked_subcommand is None else 0


@command.command("list")
@_json
@click.pass_obj
def list_(wishes: Wishes, *, as_json: bool) -> int:
    """Show what is watched and how it stands, who is told, and what waits to be delivered.

    Asks the upstream about the key; tells nobody anything.
    """
    return _list(wishes, as_json=as_json)


@command.command("test")
@_json
@click.pass_obj
def test(wishes: Wishes, *, as_json: bool) -> int:
    """Send a test alert to everybody who is to be told.

    Exit codes: 0 it reached all, 4 it did not, or nobody is to be told.
    """
    from ultrai.cli.alert_lines import alert_lines
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.alerts import deliveries_lines, delivery_to_dict
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output

    sinks = _sinks(_alerts(wishes))
    with alert_lines():
        deliveries = run_async(_test(wishes))
    if as_json:
        write_json({"deliveries": [delivery_to_dict(each, sinks) for each in deliveries]})
    else:
        output = standard_output()
        write_lines(output, deliveries_lines(deliveries, sinks, width=output.table_width))
    has_arrived = bool(deliveries) and all(each.problem is None for each in deliveries)
    return 0 if has_arrived else NO_ANSWER


def _list(wishes: Wishes, *, as_json: bool) -> int:
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.alerts import alerts_lines, alerts_to_dict
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output

    alerts = _alerts(wishes)
    sinks, rules = _sinks(alerts), alerts.rules
    found, waiting = run_async(_look(wishes))
    if as_json:
        write_json(alerts_to_dict(found, waiting, sinks=sinks, rules=rules))
        return 0
    output = standard_output()
    width = output.table_width
    write_lines(output, alerts_lines(found, waiting, sinks=sinks, rules=rules, width=width))
    return 0


def _alerts(wishes: Wishes) -> AlertSettings:
    from ultrai.settings.alerts import alerts_off

    settings = wishes.load_settings()
    if settings.alerts is None:
        raise alerts_off(settings.source)
    return settings.alerts


def _sinks(alerts: AlertSettings) -> Sinks:
    from ultrai.assembly.alarms import sinks_of

    log = {"log": ("log", "ultrai.alerts")} if alerts.log else {}
    return {**log, **sinks_of(alerts)}


async def _look(wishes: Wishes) -> Found:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        alarm = await session.alarm()
        return await alarm.look(now_everything=True), await alarm.waiting()


async def _test(wishes: Wishes) -> Sequence[Delivery]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await (await session.alarm()).test()
