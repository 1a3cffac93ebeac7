"""`ultrai serve`: the server."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import SettingsError

if TYPE_CHECKING:
    import socket

    from ultrai.server.serving import Place

_MOST_PORT = 65_535
_FILE = click.Path(path_type=Path, dir_okay=False)


class _Flags(TypedDict):
    """What click hands over."""

    host: str
    port: int
    tls_cert: Path | None
    tls_key: Path | None
    behind_proxy: bool
    allow_host: tuple[str, ...]
    allow_origin: tuple[str, ...]
    max_runs: int
    check: bool
    as_json: bool


@click.command("serve", cls=UltraiCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, _MOST_PORT),
    default=8484,
    show_default=True,
    help="Port to listen on; 0 takes any.",
)
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Certificate chain, PEM.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Its private key, PEM.")
@click.option("--behind-proxy", is_flag=True, help="A proxy that speaks TLS stands before it.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A further name of it.")
@click.option("--allow-origin", multiple=True, metavar="URL", help="A web page that may ask.")
@click.option(
    "--max-runs",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="Runs at once; more are told to come back (503).",
)
@click.option("--check", is_flag=True, help="Say whether it could serve so, and end.")
@click.option("--json", "as_json", is_flag=True, help="The log, or with --check its result.")
@click.pass_obj
def command(wishes: Wishes, /, **flags: Unpack[_Flags]) -> int:
    """Serve cocktails and models to every client that speaks OpenAI's format.

    Once it listens it prints its address, one line. SIGTERM or Ctrl-C lets requests under way end;
    a second one does not. Where other machines can reach it, it wants access keys, and TLS or a
    proxy that has it. Needs the extra 'server'.
    """
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error

    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise SettingsError(
            "serving needs the extra 'server', which is not installed",
            hint="install it with: pip install 'ultrai[server]'",
        )
    from ultrai.server.logs import set_up_logs
    from ultrai.server.serving import allow_many_connections, check_place, listen

    settings = wishes.load_settings()
    if find_spec("prometheus_client") is not None:
        wishes.settings = replace(settings, metrics=True)
    place = _place(flags)
    check_place(place, has_keys=not place.is_local and run_async(_has_keys(wishes)))
    with listen(place) as bound:
        if flags["check"]:
            url = place.url_of(bound)
            source = None if settings.source is None else str(settings.source)
            if flags["as_json"]:
                write_json({"url": url, "settings": source})
            else:
                write_text(standard_error(), f"good: {url}, {source or 'no settings file'}")
            return 0
        allow_many_connections()
        set_up_logs(as_json=flags["as_json"] or not sys.stderr.isatty())
        run_async(_serve(wishes, bound, place=place))
    return 0


def _place(flags: _Flags) -> Place:
    from ultrai.server.serving import Place

    return Place(
        host=flags["host"],
        port=flags["port"],
        certificate=flags["tls_cert"],
        private_key=flags["tls_key"],
        behind_proxy=flags["behind_proxy"],
        hosts=flags["allow_host"],
        origins=flags["allow_origin"],
        most_runs=flags["max_runs"],
    )


async def _has_keys(wishes: Wishes) -> bool:
    """Whether there is an access key that is valid."""
    from ultrai.cli.session import open_session

    async with open_session(wishes) as session:
        desk = await session.access()
        return any(key.is_valid(desk.now()) for key in await desk.keys())


async def _serve(wishes: Wishes, bound: socket.socket, *, place: Place) -> None:
    from ultrai.cli.session import open_session
    from ultrai.cli.terminal import flush_output, standard_output
    from ultrai.server.serving import Serving

    def ready(url: str) -> None:
        standard_output().write(f"{url}\n")
        flush_output()

    async with open_session(wishes) as session:
        serving = Serving(session, bound, place=place)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, serving.stop)
        await serving.run(ready=ready)
