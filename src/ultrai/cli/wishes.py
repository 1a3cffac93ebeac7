"""What holds for every command: which settings file, and whether to say more of errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ultrai.settings.model import Settings

_BELOW_ZERO = re.compile(r"-\$?\.?\d")


@dataclass(slots=True)
class Wishes:
    """The flags that may stand before or after the command. The later one counts."""

    config: Path | None = None
    debug: bool = False
    settings: Settings | None = None

    def load_settings(self) -> Settings:
        """Settings from the file, the environment and defaults. Raises SettingsError."""
        if self.settings is None:
            from ultrai.settings.load import load

            self.settings = load(config=self.config)
        return self.settings


def wishes_of(context: click.Context) -> Wishes:
    """The Wishes of this invocation."""
    return context.ensure_object(Wishes)


def _wish_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        wishes_of(context).config = value


def _wish_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value:
        wishes_of(context).debug = True


def common_options() -> list[click.Parameter]:
    """`--config` and `--debug`, which take effect without reaching the command's own function."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="PATH",
            expose_value=False,
            callback=_wish_config,
            help="Settings file instead of ultrai.toml.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_wish_debug,
            help="Tracebacks and a wire log on standard error, secrets masked.",
        ),
    ]


class UltraiCommand(click.Command):
    """A command that also takes the flags that hold for every command."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own flags, then the common ones."""
        own = super().get_params(ctx)
        *flags, last = own
        return [*flags, *common_options(), last]


class AmountCommand(UltraiCommand):
    """A command with an amount among its arguments: one below zero is no unknown flag."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with a better word for what begins with a minus and a figure."""
        before = args[: args.index("--")] if "--" in args else args
        for text in before:
            if _BELOW_ZERO.match(text):
                raise click.UsageError(f"{text} is no amount in USD: it must be positive", ctx=ctx)
        return super().parse_args(ctx, args)


class UltraiGroup(click.Group):
    """A command with commands of its own, all of which take the common flags."""

    command_class = UltraiCommand

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own flags, then the common ones."""
        own = super().get_params(ctx)
        *flags, last = own
        return [*flags, *common_options(), last]


class GroupThatActs(UltraiGroup):
    """A command with commands of its own that does something without them too."""
