"""How the command line ends: the exit codes of the contract, and one line for each error."""

from __future__ import annotations

from collections.abc import Mapping

import click

from ultrai.cli.render.safety import one_line
from ultrai.domain.errors import (
    BudgetRefusal,
    CredentialsError,
    KeyRefused,
    UltraiError,
    UpstreamUnavailable,
)

DONE = 0
USAGE = 2
DEGRADED = 3
NO_ANSWER = 4
OVER_BUDGET = 5
CREDENTIALS = 6
BUG = 70
INTERRUPTED = 130
# A shell reports the same for a program that the signal for a closed pipe has ended.
READER_GONE = 141

# What is not listed is something wrong with the call or its settings.
_CODES: Mapping[type[UltraiError], int] = {
    BudgetRefusal: OVER_BUDGET,
    CredentialsError: CREDENTIALS,
    KeyRefused: CREDENTIALS,
    UpstreamUnavailable: NO_ANSWER,
}
_LONGEST_ERROR = 2000


def exit_code_of(error: UltraiError) -> int:
    """The exit code for an error that left no Report."""
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    return USAGE


def error_line(cause: str, hint: str = "") -> str:
    """`error: cause — hint`, always one line."""
    line = f"error: {one_line(cause, limit=_LONGEST_ERROR)}"
    return f"{line} — {one_line(hint, limit=_LONGEST_ERROR)}" if hint else line


def click_error_line(error: click.ClickException) -> str:
    """The same for a flag or argument that click refuses."""
    hint = ""
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "ultrai"
        hint = f"see '{command} --help'"
    return error_line(error.format_message().rstrip("."), hint)


def unwrap(error: BaseException) -> BaseException:
    """The one error inside nested groups of tasks; a group of several stays as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
