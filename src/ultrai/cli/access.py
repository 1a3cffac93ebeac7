"""`ultrai access`: the keys to a server of our own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from ultrai.cli.wishes import GroupThatActs, Wishes
from ultrai.domain.errors import UsageError

if TYPE_CHECKING:
    from ultrai.domain.access import AccessKey, NewAccess

_PERIODS = ("hour", "day", "week", "month", "total")
_SCOPES = ("ask", "read", "metrics")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([hd])")
_HOURS = {"h": 1, "d": 24}
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


class _Flags(TypedDict):
    """What click hands over for `create`."""

    name: str
    expires: str | None
    allow: tuple[str, ...]
    limit: str | None
    period: str
    rate: int | None
    scope: tuple[str, ...]
    as_json: bool


@click.group("access", cls=GroupThatActs, invoke_without_command=True)
@_json
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> int:
    """Make, list and revoke the keys to 'ultrai serve'; alone: list them.

    As soon as there is one, the server wants one of everybody. Only a hash of it is kept.
    """
    return _list(context.obj, as_json=as_json) if context.invoked_subcommand is None else 0


@command.command("create")
@click.argument("name")
@click.option("--expires", metavar="SPAN", help="30d, 12h, or a moment: 2027-12-31T23:59:59Z.")
@click.option(
    "--allow",
    multiple=True,
    metavar="MODEL",
    help="Only this cocktail (ultrai/premium) or model; 'openai/*' for all that begin so.",
)
@click.option("--limit", metavar="USD", help="Ceiling on what it may spend.")
@click.option(
    "--per",
    "period",
    type=click.Choice(_PERIODS, case_sensitive=False),
    default="total",
    show_default=True,
    help="When its ceiling starts anew, in UTC.",
)
@click.option("--rate", type=click.IntRange(1, 100_000), help="Most runs in any 60 seconds.")
@click.option(
    "--scope",
    multiple=True,
    type=click.Choice(_SCOPES, case_sensitive=False),
    default=("ask",),
    show_default=True,
    help="ask; read: everybody's runs; metrics.",
)
@_json
@click.pass_obj
def create(wishes: Wishes, /, **flags: Unpack[_Flags]) -> int:
    """Make a key. Its value is shown this once, on standard output."""
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error, standard_output

    key, token = run_async(_create(wishes, _wanted(flags)))
    if flags["as_json"]:
        write_json({**key.to_dict(), "key": token})
        return 0
    write_text(standard_error(), f"{key.name} ({key.id}); this is the only time its value is shown")
    write_text(standard_output(), token)
    return 0


@command.command("ls")
@_json
@click.pass_obj
def ls(wishes: Wishes, *, as_json: bool) -> int:
    """List all keys, also those that are revoked or have expired."""
    return _list(wishes, as_json=as_json)


def _list(wishes: Wishes, *, as_json: bool) -> int:
    from ultrai.cli.running import run_async

    keys, now = run_async(_keys(wishes))
    _show(keys, now=now, as_json=as_json)
    return 0


@command.command("revoke")
@click.argument("key")
@_json
@click.pass_obj
def revoke(wishes: Wishes, *, key: str, as_json: bool) -> int:
    """Let KEY, an id or a name, open nothing more; servers heed it within seconds."""
    from ultrai.cli.running import run_async

    revoked, now = run_async(_revoke(wishes, key))
    _show([revoked], now=now, as_json=as_json)
    return 0


def _show(keys: Sequence[AccessKey], *, now: str, as_json: bool) -> None:
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.access import access_table
    from ultrai.cli.terminal import standard_error, standard_output

    if as_json:
        write_json({"keys": [{**key.to_dict(), "valid": key.is_valid(now)} for key in keys]})
    elif not keys:
        write_text(standard_error(), "no access keys; make one with 'ultrai access create NAME'")
    else:
        output = standard_output()
        write_lines(output, access_table(keys, now=now, width=output.table_width))


def _wanted(flags: _Flags) -> NewAccess:
    from ultrai.domain.access import AccessScope, NewAccess
    from ultrai.domain.money import parse_usd

    name = flags["name"].strip()
    if not name or not name.isprintable() or len(name) > 100:  # noqa: PLR2004 - one short line
        raise UsageError("a key's name is one short line of text")
    try:
        limit = None if flags["limit"] is None else parse_usd(flags["limit"])
    except ValueError as error:
        raise UsageError(str(error)) from None
    return NewAccess(
        name=name,
        scopes=tuple(AccessScope(scope) for scope in dict.fromkeys(flags["scope"])),
        models=flags["allow"],
        per_minute=flags["rate"],
        expires_at=flags["expires"],
        limit_nanos=limit,
        per=flags["period"],
    )


def _moment(text: str, *, now: str) -> str:
    """The stamp that a span from now, or a moment, means."""
    from ultrai.domain.stamp import stamp

    present = datetime.fromisoformat(now)
    span = _SPAN.fullmatch(text.strip().lower())
    try:
        if span is not None:
            moment = present + timedelta(hours=int(span[1]) * _HOURS[span[2]])
        else:
            moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        hint = "write 30d, 12h, or 2027-12-31T23:59:59Z"
        raise UsageError(f"{text!r} is no span and no moment", hint=hint) from None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    if moment <= present:
        raise UsageError(f"{text} is over already")
    return stamp(moment)


async def _create(wishes: Wishes, wanted: NewAccess) -> tuple[AccessKey, str]:
    from dataclasses import replace

    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        desk = await session.access()
        if wanted.expires_at is not None:
            moment = _moment(wanted.expires_at, now=desk.now())
            wanted = replace(wanted, expires_at=moment)
        return await desk.create(wanted)


async def _keys(wishes: Wishes) -> tuple[Sequence[AccessKey], str]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        desk = await session.access()
        return await desk.keys(), desk.now()


async def _revoke(wishes: Wishes, name: str) -> tuple[AccessKey, str]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        desk = await session.access()
        return await desk.revoke(name), desk.now()
