"""The command line of the simulator: ``python -m ultrai_sim``; ``ultrai sim`` calls `main` too."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from ultrai_sim.catalogue import BUILT_IN, CatalogueError, load_catalogue
from ultrai_sim.scenario import ScenarioError, load_scenario
from ultrai_sim.serving import serve
from ultrai_sim.world import SeenRequest, World

USAGE_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. Bad input is one line on standard error."""
    options = _parse(argv)
    try:
        world = _world(options)
        asyncio.run(_serve(world, options))
    except (ScenarioError, CatalogueError) as error:
        sys.stderr.write(f"ultrai sim: {error}\n")
        return USAGE_ERROR
    except OSError as error:
        reason = error.strerror or error
        where = f"{options.host}:{options.port}"
        sys.stderr.write(f"ultrai sim: cannot listen on {where}: {reason}; try --port 0\n")
        return USAGE_ERROR
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ultrai sim", description="A simulator of OpenRouter's HTTP interface."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8585, help="port to listen on, 0 for any")
    parser.add_argument("--seed", type=int, default=None, help="makes all answers repeatable")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="TOML: models, faults, ...")
    parser.add_argument(
        "--catalogue", metavar="NAME|FILE", help=f"{' or '.join(BUILT_IN)}, or a TOML file"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line per request")
    return parser.parse_args(argv)


def _world(options: argparse.Namespace) -> World:
    world = load_scenario(options.scenario) if options.scenario else World()
    if options.seed is not None:
        world = _fresh(world, seed=options.seed)
    if options.catalogue is None:
        return world
    if options.catalogue in BUILT_IN:
        world.catalogue = options.catalogue
    else:
        try:
            text = Path(options.catalogue).read_text("utf-8")
        except OSError as error:
            message = f"{options.catalogue}: cannot be read: {error.strerror}"
            raise CatalogueError(message) from None
        world.catalogue = load_catalogue(options.catalogue, text=text)
    world.reset()
    return world


def _fresh(world: World, *, seed: int) -> World:
    """The same configuration with another seed; keys made from the seed are made anew."""
    return replace(world, seed=seed)


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
        if options.json:
            world.observers.append(_say_request)
        await stop.wait()


def _say_request(seen: SeenRequest) -> None:
    _say(msgspec.json.encode(seen.to_dict()).decode() + "\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
