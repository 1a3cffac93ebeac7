"""Every documented command is run as it stands, or says why not; every named flag exists."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from tests.docs.pages import PAGES, Block, blocks, name_of, spans

from ultrai.cli.app import root
from ultrai_sim import __main__ as simulator

if TYPE_CHECKING:
    from tests.docs.conftest import Runs

SHELLS = {"console", "bash"}
SHELL_BLOCKS = [block for block in blocks() if block.language in SHELLS]
TYPED = [(b, c) for b in SHELL_BLOCKS for c in b.commands if b.why_not_run(c) is None]
TYPED_PAGES = sorted({block.page for block, _ in TYPED})
LEAST_COMMANDS = 30
MOST_NOT_RUN = 38
NOTES = "The river Rhine rises in the Alps.\nDecisions that are still open: the date.\n"


def _files_for(block: Block) -> None:
    """Write the settings that the page shows before this block, where it says that they count."""
    name = block.remarks.get("with")
    if name is not None:
        tables = [
            each
            for each in blocks()
            if (each.page, each.language) == (block.page, "toml") and each.line < block.line
        ]
        Path(name).write_text(tables[-1].text, encoding="utf-8")


@pytest.mark.parametrize("page", TYPED_PAGES, ids=name_of)
def test_the_commands_of_a_page_do_what_it_says_one_after_another(page: Path, typed: Runs) -> None:
    Path("notes.md").write_text(NOTES, encoding="utf-8")
    for block, command in TYPED:
        if block.page != page:
            continue
        _files_for(block)
        wanted = [int(code) for code in block.remarks.get("exit", "0").split(",")]
        ended = typed(["sh", "-c", command])
        said = f"{block.name}: {command}\nexit {ended.returncode}\n{ended.stdout}{ended.stderr}"
        assert ended.returncode in wanted, said
        assert "Traceback" not in ended.stderr, said


def test_most_commands_are_run_and_only_ours_are() -> None:
    assert len(TYPED) >= LEAST_COMMANDS
    for block, command in TYPED:
        assert "ultrai " in command or command.startswith("python3 "), f"{block.name}: {command}"


def test_a_command_that_is_not_run_has_a_reason() -> None:
    reasons = [b.why_not_run(c) for b in SHELL_BLOCKS for c in b.commands if b.why_not_run(c)]
    assert all(reasons)
    assert len(reasons) <= MOST_NOT_RUN


def _named() -> list[tuple[str, str]]:
    lines = [(b.name, c) for b in SHELL_BLOCKS for c in b.commands]
    lines += [(name_of(page), span) for page in PAGES for span in spans(page)]
    return [(where, line) for where, line in lines if line.startswith("ultrai ")]


def _walk(words: list[str]) -> tuple[click.Command, set[str], list[str]]:
    """The command that is meant, all flags that may stand there, and the words that are left."""
    context = click.Context(root, info_name="ultrai", **root.context_settings)
    command: click.Command = root
    flags = {o for p in root.get_params(context) for o in p.opts}
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None and command is not root:
            break
        assert inner is not None, f"there is no command {words[0]!r}"
        command, words = inner, words[1:]
        flags |= {o for p in command.get_params(context) for o in p.opts}
    return command, flags, words


@pytest.mark.parametrize(("where", "line"), _named(), ids=lambda value: str(value)[:60])
def test_a_command_that_is_named_exists_with_its_flags(
    where: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = line.replace("\\|", "|").partition("|")[0].partition(">")[0]
    words = [word for word in shlex.split(line)[1:] if word not in {"…", "&"}]
    command, flags, rest = _walk(words)
    if command.name == "sim":
        with pytest.raises(SystemExit):
            simulator.main(["--help"])
        flags |= set(capsys.readouterr().out.replace(",", " ").replace("[", " ").split())
    for word in rest:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in flags, f"{where}: {line}: {word}"
