"""`ultrai serve`: the server."""

from __future__ import annotations

import asyncio
import signal
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from ultrai.cli.wishes import UltraiCommand, Wishes
from ultrai.domain.errors import SettingsError

if TYPE_CHECKING:
    import socket

_MOST_PORT = 65_535


@click.command("serve", cls=UltraiCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, _MOST_PORT),
    default=8484,
    show_default=True,
    help="Port to listen on; 0 takes any.",
)
@click.option("--check", is_flag=True, help="Say whether it could serve so, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --check: one JSON object.")
@click.pass_obj
def command(wishes: Wishes, *, host: str, port: int, check: bool, as_json: bool) -> int:
    """Serve cocktails and models to every client that speaks OpenAI's format.

    Once it listens it prints its address, one line. SIGTERM or Ctrl-C lets requests under way end;
    a second one does not. Needs the extra 'server'.
    """
    from ultrai.cli.output import write_json, write_text
    from ultrai.cli.running import run_async
    from ultrai.cli.terminal import standard_error

    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise SettingsError(
            "serving needs the extra 'server', which is not installed",
            hint="install it with: pip install 'ultrai[server]'",
        )
    from ultrai.server.serving import Place, check_place, listen, url_of

    place = Place(host, port)
    check_place(place)
    settings = wishes.load_settings()
    with listen(place) as bound:
        if check:
            source = None if settings.source is None else str(settings.source)
            if as_json:
                write_json({"url": url_of(bound), "settings": source})
            else:
                write_text(
                    standard_error(), f"good: {url_of(bound)}, {source or 'no settings file'}"
                )
            return 0
        run_async(_serve(wishes, bound))
    return 0


async def _serve(wishes: Wishes, bound: socket.socket) -> None:
    from ultrai.cli.session import open_session
    from ultrai.cli.terminal import flush_output, standard_output
    from ultrai.server.serving import Serving

    def ready(url: str) -> None:
        standard_output().write(f"{url}\n")
        flush_output()

    async with open_session(wishes) as session:
        serving = Serving(session, bound)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, serving.stop)
        await serving.run(ready=ready)
