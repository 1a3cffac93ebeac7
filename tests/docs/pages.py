"""The project's pages as values: fenced blocks with the remarks above them, links, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\s*$")
_REMARK = re.compile(r"^<!-- (not run|exit|with): (.+) -->$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
# What a page need not say: it would change this machine, whatever stands around it.
_APART = {
    "pip install": "installs",
    "pip download": "needs a package registry",
    "ultrai local pull": "fetches weights",
    "ultrai local remove": "removes weights",
}


def name_of(page: Path) -> str:
    """The page as one would write it: `docs/how-to.md`."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """One fenced block; `remarks` are the comments above it, such as `not run` with its reason."""

    page: Path
    line: int
    language: str
    text: str
    remarks: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Where it stands."""
        return f"{name_of(self.page)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The lines that a reader would type."""
        lines = self.text.splitlines()
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip() and not line.startswith("#")]

    def why_not_run(self, command: str) -> str | None:
        """The reason for which a command is only read; None: it is run."""
        for start, reason in _APART.items():
            if command.startswith(start):
                return reason
        return self.remarks.get("not run")


@cache
def blocks() -> tuple[Block, ...]:
    """Every fenced block of every page."""
    return tuple(block for page in PAGES for block in _blocks_of(page))


def _blocks_of(page: Path) -> Iterator[Block]:
    remarks: dict[str, str] = {}
    language, begun_at, body = None, 0, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if language is not None:
            if line.startswith("```"):
                yield Block(page, begun_at, language, "\n".join(body) + "\n", dict(remarks))
                language, body = None, []
                remarks.clear()
            else:
                body.append(line)
        elif fence:
            language, begun_at = fence[1], number
        elif remark := _REMARK.match(line):
            remarks[remark[1]] = remark[2]
        elif line.strip():
            remarks.clear()


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    kept, fenced = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """The targets of the page's links."""
    return _LINK.findall(prose(page))


def spans(page: Path) -> list[str]:
    """What stands between backticks in the prose."""
    return _SPAN.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The headings as links name them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: str, header: str) -> list[list[str]]:
    """The cells of the table whose head begins with `| header |`, row by row."""
    lines = iter((ROOT / page).read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {header} |"):
            break
    else:
        message = f"{page} has no table that begins with {header!r}"
        raise LookupError(message)
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        found.append([cell.strip() for cell in cells])
    return found


def names(cell: str) -> list[str]:
    """What stands between backticks in a cell."""
    return _SPAN.findall(cell)
