"""`ultrai keys`: the upstream's keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from ultrai.cli.wishes import AmountCommand, GroupThatActs, Wishes
from ultrai.domain.errors import CredentialsError, UsageError

if TYPE_CHECKING:
    from ultrai.assembly.key_desk import Rotation
    from ultrai.domain.attempt import Account
    from ultrai.domain.upstream_key import NewKey, UpstreamKey

_RESETS = ("daily", "weekly", "monthly", "none")
_GRACE_S = 30.0
_NO_LIMIT = "none"

_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
_limit = click.option("--limit", metavar="USD", help="Ceiling on what it may spend.")
_reset = click.option(
    "--reset",
    type=click.Choice(_RESETS, case_sensitive=False),
    help="When its ceiling starts anew.",
)
_to_file = click.option(
    "--to-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Put the new key there (mode 600) and do not show it.",
)


class _NewKeyFlags(TypedDict):
    """What click hands over for `create`."""

    name: str
    limit: str | None
    reset: str | None
    expires: str | None
    to_file: Path | None
    as_json: bool


class _RotateFlags(TypedDict):
    """What click hands over for `rotate`."""

    key: str
    to_file: Path | None
    grace_s: float
    delete_old: bool
    as_json: bool


@click.group("keys", cls=GroupThatActs, invoke_without_command=True)
@_json
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> int:
    """Check, make, limit and rotate the upstream's keys; alone: check the one in use.

    All but 'check' need a management key: OPENROUTER_MANAGEMENT_KEY, or management_key in the
    settings. KEY is a key's name, or the beginning of its hash.
    """
    return _check(context.obj, as_json=as_json) if context.invoked_subcommand is None else 0


@command.command("check")
@_json
@click.pass_obj
def check(wishes: Wishes, *, as_json: bool) -> int:
    """Show what the key in use has spent and may still, and its free requests of today."""
    return _check(wishes, as_json=as_json)


def _check(wishes: Wishes, *, as_json: bool) -> int:
    from ultrai.cli.output import write_json, write_lines
    from ultrai.cli.render.keys import account_lines, account_to_dict
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_output

    account = run_async(_account(wishes))
    if account is None:
        raise CredentialsError("no key is set", hint="set OPENROUTER_API_KEY")
    if as_json:
        write_json(account_to_dict(account))
        return 0
    output = standard_output()
    write_lines(output, account_lines(account, width=output.table_width))
    return 0


@command.command("list")
@_json
@click.pass_obj
def list_(wishes: Wishes, *, as_json: bool) -> int:
    """List all keys of the account."""
    from ultrai.cli.running import run_async

    _show(run_async(_keys(wishes)), as_json=as_json)
    return 0


@command.command("create")
@click.argument("name")
@_limit
@_reset
@click.option("--expires", metavar="MOMENT", help="Such as 2027-12-31T23:59:59Z.")
@_to_file
@_json
@click.pass_obj
def create(wishes: Wishes, /, **flags: Unpack[_NewKeyFlags]) -> int:
    """Make a key. Its value is shown this once."""
    from ultrai.cli.running import run_async

    asked = {"name": flags["name"], **_limits(flags["limit"], flags["reset"])}
    if flags["expires"] is not None:
        asked["expires_at"] = flags["expires"]
    made = run_async(_create(wishes, asked, place=flags["to_file"]))
    _hand_out(made, to_file=flags["to_file"], as_json=flags["as_json"])
    return 0


@command.command("limit", cls=AmountCommand)
@click.argument("key")
@click.argument("usd")
@_reset
@_json
@click.pass_obj
def limit(wishes: Wishes, *, key: str, usd: str, reset: str | None, as_json: bool) -> int:
    """Set what KEY may spend; 'none' takes the ceiling away."""
    from ultrai.cli.running import run_async

    _show([run_async(_change(wishes, key, asked=_limits(usd, reset)))], as_json=as_json)
    return 0


@command.command("disable")
@click.argument("key")
@_json
@click.pass_obj
def disable(wishes: Wishes, *, key: str, as_json: bool) -> int:
    """Let KEY ask nothing more, until it is enabled."""
    from ultrai.cli.running import run_async

    _show([run_async(_change(wishes, key, asked={"disabled": True}))], as_json=as_json)
    return 0


@command.command("enable")
@click.argument("key")
@_json
@click.pass_obj
def enable(wishes: Wishes, *, key: str, as_json: bool) -> int:
    """Let KEY ask again."""
    from ultrai.cli.running import run_async

    _show([run_async(_change(wishes, key, asked={"disabled": False}))], as_json=as_json)
    return 0


@command.command("delete")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@_json
@click.pass_obj
def delete(wishes: Wishes, *, key: str, yes: bool, as_json: bool) -> int:
    """Take KEY away for good."""
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error

    error = standard_error()
    if not yes:
        if not error.is_terminal:
            raise UsageError("nobody can be asked whether that is meant", hint="give --yes")
        click.confirm(f"delete the key {key} for good?", abort=True, err=True)
    gone = run_async(_delete(wishes, key))
    if as_json:
        write_json({"deleted": gone.hash, "name": gone.name})
    else:
        write_text(error, f"{gone.name} ({gone.hash[:12]}) is gone")
    return 0


@command.command("rotate")
@click.argument("key")
@_to_file
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(0, 86_400),
    default=_GRACE_S,
    show_default=True,
    metavar="SECONDS",
    help="How long requests with the old key may still take.",
)
@click.option("--delete-old", is_flag=True, help="Delete the old key instead of disabling it.")
@_json
@click.pass_obj
def rotate(wishes: Wishes, /, **flags: Unpack[_RotateFlags]) -> int:
    """Replace KEY by a new one with the same limits, without a failed request.

    The new key is made, put into the file or shown, and tried; requests with the old one may end;
    then the old one is disabled. What breaks off in between leaves both keys working, and says so.
    """
    from ultrai.cli.exits import NO_ANSWER
    from ultrai.cli.output import write_text
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error

    error = standard_error()
    done = run_async(_rotate(wishes, flags))
    if not done.is_done:
        write_text(error, done.left)
        return NO_ANSWER
    verb = "deleted" if flags["delete_old"] else "disabled"
    write_text(error, f"the old key {done.retired.name} ({done.retired.hash[:12]}) is {verb}")
    return 0


def _limits(usd: str | None, reset: str | None) -> dict[str, object]:
    from ultrai.domain.money import format_usd, parse_usd

    asked: dict[str, object] = {}
    if usd is not None and usd.lower() == _NO_LIMIT:
        asked["limit"] = None
    elif usd is not None:
        try:
            asked["limit"] = float(format_usd(parse_usd(usd)))
        except ValueError as error:
            raise UsageError(str(error), hint="for example: 5.00, or none") from None
    if reset is not None:
        asked["limit_reset"] = None if reset.lower() == _NO_LIMIT else reset.lower()
    return asked


async def _account(wishes: Wishes) -> Account | None:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await session.account()


async def _keys(wishes: Wishes) -> Sequence[UpstreamKey]:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        return await (await session.key_desk()).list_keys()


async def _create(wishes: Wishes, asked: dict[str, object], *, place: Path | None) -> NewKey:
    from ultrai.assembly.key_desk import check_place
    from ultrai.cli.output import write_lines
    from ultrai.cli.render.table import paragraph
    from ultrai.cli.session import open_session
    from ultrai.cli.terminal import standard_error

    if place is not None:
        check_place(place)
    error = standard_error()

    def warn(text: str) -> None:
        write_lines(error, paragraph(f"note: {text}", width=error.table_width))

    async with open_session(wishes) as session:
        return await (await session.key_desk()).create(asked, warn=warn)


async def _change(wishes: Wishes, key: str, *, asked: dict[str, object]) -> UpstreamKey:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        desk = await session.key_desk()
        return await desk.management.change((await desk.find(key)).hash, asked)


async def _delete(wishes: Wishes, key: str) -> UpstreamKey:
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        desk = await session.key_desk()
        found = await desk.find(key)
        await desk.management.delete(found.hash)
        return found


async def _rotate(wishes: Wishes, flags: _RotateFlags) -> Rotation:
    from ultrai.assembly.key_desk import check_place, write_key
    from ultrai.cli.output import write_text
    from ultrai.cli.session import open_session
    from ultrai.cli.terminal import flush_output, standard_error, standard_output

    grace_s, place = flags["grace_s"], flags["to_file"]
    if place is not None:
        check_place(place)

    def hand_over(made: NewKey) -> None:
        # Now, not at the end: while the old key still works, the new one can be put in place.
        if place is not None:
            write_key(place, made.value)
        if place is not None or flags["as_json"]:
            _hand_out(made, to_file=place, as_json=flags["as_json"], is_written=True)
            flush_output()
            return
        told = f"the new key of {flags['key']}, shown this once; put it where the old one is:"
        write_text(standard_error(), told)
        standard_output().write(f"{made.value.reveal()}\n")

    async def wait() -> None:
        if grace_s:
            told = f"the new key works; waiting {grace_s:g} s for the old one"
            write_text(standard_error(), told)
            await asyncio.sleep(grace_s)

    async with open_session(wishes) as session:
        desk = await session.key_desk()
        old = await desk.find(flags["key"])
        return await desk.rotate(
            old, hand_over=hand_over, wait=wait, delete_old=flags["delete_old"]
        )


def _hand_out(
    made: NewKey, *, to_file: Path | None, as_json: bool, is_written: bool = False
) -> None:
    """The one place where a key's value is written: where its maker asked for it."""
    from ultrai.assembly.key_desk import write_key
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.terminal import standard_error, standard_output

    if to_file is not None and not is_written:
        try:
            write_key(to_file, made.value)
        except UsageError as error:
            lost = f"the key {made.key.name} was made, and its value is lost: {error}"
            hint = f"delete it: ultrai keys delete {made.key.hash[:12]}"
            raise UsageError(lost, hint=hint) from None
    value = None if to_file is not None else made.value.reveal()
    if as_json:
        file = None if to_file is None else str(to_file)
        write_json({**made.key.to_dict(), "key": value, "file": file})
        return
    where = f"in {to_file}" if to_file is not None else "shown this once"
    write_text(standard_error(), f"{made.key.name} ({made.key.hash[:12]}) was made; it is {where}")
    if value is not None:
        standard_output().write(f"{value}\n")


def _show(keys: Sequence[UpstreamKey], *, as_json: bool) -> None:
    from ultrai.cli.output import write_json, write_lines, write_text
    from ultrai.cli.render.keys import keys_table
    from ultrai.cli.terminal import standard_error, standard_output

    output = standard_output()
    if as_json:
        write_json({"keys": [key.to_dict() for key in keys]})
    elif keys:
        write_lines(output, keys_table(keys, width=output.table_width))
    else:
        write_text(standard_error(), "the account has no keys; 'ultrai keys create NAME' makes one")
