"""The command `ultrai`: finds the command that is meant, runs it, turns every end into a code.

A command's module is imported when the command is called, not before, and what is heavy when it is
used: `ultrai --help` and `ultrai --version` feel instant because they load little more than click.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import NoReturn

import click

import ultrai
from ultrai.cli.exits import (
    BUG,
    INTERRUPTED,
    READER_GONE,
    USAGE,
    click_error_line,
    error_line,
    exit_code_of,
    unwrap,
)
from ultrai.cli.terminal import (
    OutputLost,
    ReaderGone,
    abandon_output,
    flush_output,
    open_closed_streams,
    output_lost,
    prepare_streams,
)
from ultrai.cli.wishes import UltraiGroup, Wishes
from ultrai.domain.errors import UltraiError

# Name -> module and the line in the help.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "ask": ("ultrai.cli.ask", "Ask a cocktail of models, or models by name."),
    "plan": ("ultrai.cli.plan", "Say who would be asked and at what price; spend nothing."),
    "tokens": ("ultrai.cli.tokens", "Say how many tokens a file makes, model by model."),
    "index": ("ultrai.cli.index", "Keep folders so that they can be asked about."),
    "models": ("ultrai.cli.models", "List and search the catalogue."),
    "ready": ("ultrai.cli.ready", "Show which models of the cocktails can be asked now."),
    "cocktails": ("ultrai.cli.cocktails", "List the cocktails, or show one."),
    "doctor": ("ultrai.cli.doctor", "Check every model of every cocktail against the catalogue."),
    "history": ("ultrai.cli.history", "List past runs."),
    "show": ("ultrai.cli.show", "Show a past run."),
    "cost": ("ultrai.cli.cost", "Show what was spent, by day, model, tag and more."),
    "savings": ("ultrai.cli.savings", "Show what was not spent, and how that is known."),
    "cache": ("ultrai.cli.cache", "List, count and delete the answers that are kept."),
    "budget": ("ultrai.cli.budget", "Set, list and remove ceilings on what is spent."),
    "reconcile": ("ultrai.cli.reconcile", "Ask the upstream for costs that did not arrive."),
    "metrics": ("ultrai.cli.metrics", "Print what a monitor counts, for Prometheus."),
    "alerts": ("ultrai.cli.alerts", "List what is watched, and test who is told."),
    "keys": ("ultrai.cli.keys", "Check, make, limit and rotate the upstream's keys."),
    "export": ("ultrai.cli.export", "Write a past run as Markdown, JSON or a web page."),
    "local": ("ultrai.cli.local", "Fetch, list and remove the embedded models."),
    "serve": ("ultrai.cli.serve", "Serve cocktails as models to OpenAI's clients."),
    "access": ("ultrai.cli.access", "Make, list and revoke the keys to the server."),
    "sim": ("ultrai.cli.sim", "Run a simulator of the upstream."),
}
# Each appears when its time comes; until then it is not in the help.
LATER = frozenset(
    "batch bench".split()  # noqa: SIM905 - names
)


class _Ultrai(UltraiGroup):
    """The root: commands are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands there are, in the order of a first acquaintance."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return self.commands.get(cmd_name)
        command = getattr(importlib.import_module(entry[0]), "command", None)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a better word for what is not there."""
        name = args[0]
        if name in LATER:
            ctx.fail(f"'ultrai {name}' is not available yet")
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"there is no command '{name}'{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=_Ultrai,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: ultrai ask 'Explain quantum computing in simple terms.'",
)
@click.version_option(ultrai.__version__, prog_name="ultrai", message="%(prog)s %(version)s")
def root() -> None:
    """Ask many language models at once, and see who answered, who failed and what it cost."""


def main() -> NoReturn:
    """The entry point of the installed command."""
    open_closed_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong is one line on stderr."""
    prepare_streams()
    wishes = Wishes()
    try:
        code = root.main(list(arguments), prog_name="ultrai", standalone_mode=False, obj=wishes)
        flush_output()
    except Exception as error:  # noqa: BLE001 - this is the end of every error
        return _end(unwrap(error), wishes)
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        return _end(unwrap(error), wishes)
    return code if isinstance(code, int) else 0


def _end(error: BaseException, wishes: Wishes) -> int:
    if isinstance(error, BrokenPipeError | ReaderGone):
        abandon_output()
        return READER_GONE
    if isinstance(error, OSError) and _is_from_echo(error):
        error = output_lost(error)
    if isinstance(error, OutputLost):
        abandon_output()
    code, line = _account(error, wishes)
    with suppress(OSError):  # standard error cannot be written: the code is all that can be said
        if wishes.debug and not isinstance(error, click.ClickException | click.exceptions.Exit):
            _write_traceback(error, wishes)
        if line:
            click.echo(line, err=True)
    return code


def _is_from_echo(error: OSError) -> bool:
    """Whether click met the error when it wrote its help: afterwards the stream would not tell."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_code is click.echo.__code__


def _account(error: BaseException, wishes: Wishes) -> tuple[int, str]:
    """The exit code, and the one line that says why."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code, ""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED, error_line("interrupted")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return USAGE, error.format_message()
    if isinstance(error, click.ClickException):
        return USAGE, click_error_line(error)
    if isinstance(error, UltraiError):
        return exit_code_of(error), _mask(error_line(str(error), error.hint), wishes)
    cause = f"a bug in ultrai: {type(error).__name__}: {error}"
    hint = "" if wishes.debug else "--debug shows the traceback"
    return BUG, _mask(error_line(cause, hint), wishes)


def _write_traceback(error: BaseException, wishes: Wishes) -> None:
    click.echo(_mask("".join(traceback.format_exception(error)), wishes), err=True, nl=False)


def _mask(text: str, wishes: Wishes) -> str:
    from ultrai.cli.debugging import mask

    return mask(text, wishes.settings)
