"""The command line of the simulator: ``python -m ultrai_sim``; ``ultrai sim`` calls `main` too."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import NoReturn

import msgspec

from ultrai_sim.board import Board
from ultrai_sim.catalogue import BUILT_IN, Catalogue, CatalogueError, load_catalogue
from ultrai_sim.checking import describe, doubts
from ultrai_sim.reading import NotTOML
from ultrai_sim.real_catalogue import is_json, read_listing
from ultrai_sim.scenario import ScenarioError, gallery, load_scenario
from ultrai_sim.serving import serve
from ultrai_sim.world import SeenRequest, World

USAGE_ERROR = 2
REDRAW_S = 0.5
WIDTH = 80


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. Bad input is one line on standard error."""
    options = _parse(argv)
    if "list" in (str(options.scenario), str(options.check)):
        _say(_gallery_lines())
        return 0
    try:
        if options.check is not None:
            options.scenario = options.check
            world = _world(options)
            _say(f"{options.check} is good: {describe(world)}\n")
            sys.stderr.write("".join(f"ultrai sim: {line}\n" for line in doubts(world)))
            return 0
        world = _world(options)
        asyncio.run(_serve(world, options))
    except (ScenarioError, CatalogueError) as error:
        sys.stderr.write(f"ultrai sim: {error}\n")
        return USAGE_ERROR
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "the port is taken; try --port 0" if taken else error.strerror or error
        where = f"{options.host}, port {options.port}"
        sys.stderr.write(f"ultrai sim: cannot listen on {where}: {reason}\n")
        return USAGE_ERROR
    return 0


def _gallery_lines() -> str:
    """The scenarios that come along, each with what it does, in lines of 80 at most."""
    shelf = gallery()
    wide = max(map(len, shelf)) + 2
    return "".join(
        fill(what, WIDTH, initial_indent=f"{name:{wide}s}", subsequent_indent=" " * wide) + "\n"
        for name, what in shelf.items()
    )


class _OneLine(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        name = message.removeprefix("unrecognized arguments: ")
        hint = "see 'ultrai sim --help'"
        if name in gallery():
            hint = f"did you mean --scenario {name}?"
        self.exit(USAGE_ERROR, f"ultrai sim: {message}; {hint}\n")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            message = f"expected a whole number from {least} to {most}, not {text!r}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return read


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _OneLine(
        prog="ultrai sim",
        description="A simulator of OpenRouter's HTTP interface.",
        epilog=f"Scenarios that come along: {', '.join(gallery())}.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=_whole(0, 65_535), default=8585, help="port to listen on, 0 for any")
    add("--seed", type=_whole(0, 2**63), default=None, help="makes all answers repeatable")
    add(
        "--scenario",
        type=Path,
        metavar="NAME|FILE",
        help="one that comes along, or a TOML file; 'list' lists them",
    )
    add("--check", type=Path, metavar="NAME|FILE", help="say whether a scenario is good, and end")
    add("--catalogue", metavar="NAME|FILE", help=f"{' or '.join(BUILT_IN)}, or a TOML file")
    add("--json", action="store_true", help="one JSON line per request")
    return parser.parse_args(argv)


def _world(options: argparse.Namespace) -> World:
    world = load_scenario(options.scenario) if options.scenario else World()
    if options.seed is not None:
        world = replace(world, seed=options.seed)  # keys made from the seed are made anew
    if options.catalogue is None:
        return world
    if options.catalogue in BUILT_IN:
        world.catalogue = options.catalogue
    else:
        try:
            text = Path(options.catalogue).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            message = f"{options.catalogue}: cannot be read: {reason}"
            if Path(options.catalogue).parent == Path() and not Path(options.catalogue).suffix:
                names = " and ".join(BUILT_IN)
                message = f"{options.catalogue}: no catalogue is called so; there are {names}"
            raise CatalogueError(message) from None
        world.catalogue = _catalogue(options.catalogue, text)
    world.reset()
    return world


def _catalogue(name: str, text: str) -> Catalogue:
    """A file of models: TOML of our own, or a real answer of `/models`."""
    if is_json(text):
        return read_listing(name, text)
    try:
        return load_catalogue(name, text=text)
    except NotTOML as error:
        message = f"{name}:{error.line}: neither TOML nor JSON: {error}"
        raise CatalogueError(message) from None


async def _serve(world: World, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with serve(world, host=options.host, port=options.port) as simulator:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        _say(
            f"export OPENROUTER_BASE_URL={simulator.base_url}\n"
            f"export OPENROUTER_API_KEY={simulator.api_key}\n"
        )
        board = Board(world, simulator.base_url)
        world.observers.append(board.observe)
        if options.json:
            world.observers.append(_Teller())
            await stop.wait()
        elif sys.stdout.isatty():
            await _show(board, stop)
        else:
            await stop.wait()
        sys.stderr.write(f"{board.summary()}\n")


async def _show(board: Board, stop: asyncio.Event) -> None:
    """Draw the board twice a second until it is to stop; what it drew is wiped at the end."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.live import Live  # noqa: PLC0415

    console = Console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not stop.is_set():
            live.update(board.render(console.height), refresh=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), REDRAW_S)


class _Teller:
    """Writes a line for each request, for as long as somebody reads them."""

    def __init__(self) -> None:
        self._is_read = True

    def __call__(self, seen: SeenRequest) -> None:
        """Tell of one request; a reader that is gone must not disturb those that ask."""
        if not self._is_read:
            return
        try:
            _say(msgspec.json.encode(seen.to_dict()).decode() + "\n")
        except BrokenPipeError:
            self._is_read = False
            # What is still buffered has nowhere to go, at the end of the process neither.
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - lives as long as we do
            sys.stderr.write("ultrai sim: nobody reads the lines any more; it goes on serving\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
