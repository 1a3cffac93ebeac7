"""`ultrai sim`: the simulator of the upstream."""

from __future__ import annotations

import click

from ultrai.cli.wishes import UltraiCommand


@click.command(
    "sim",
    cls=UltraiCommand,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Run a simulator of the upstream until interrupted."""
    # The simulator shares nothing with ultrai, not even the way its flags are read.
    from ultrai_sim.__main__ import main

    try:
        return main(list(arguments))
    except SystemExit as end:  # its own --help, its own complaint about a flag
        return end.code if isinstance(end.code, int) else 2
