"""The status strip: a few lines at the bottom of a terminal that are drawn over, and nothing else.

Theory of operation. The strip is always the last thing on the screen; the cursor rests on its last
line. Text for the scrollback is written by taking the strip away (erasing row by row, upwards),
writing, and drawing it again, in one write to each stream. Lines
are cut one cell short of the width, so that no terminal breaks them; when a window has become
narrower since, the rows that they now take are counted anew, as terminals that reflow show them.

It does not know terminals that cut lines instead of reflowing them (xterm): narrowing such a
window in mid-run may take a few lines of text from the screen. `ultrai show` has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.cli.render.cells import cell_length, fit
from ultrai.cli.render.palette import Palette, Style
from ultrai.cli.render.table import Cell, Line
from ultrai.cli.terminal import Terminal

_ROWS_FOR_TEXT = 3


class Strip:
    """Draws lines at the bottom of `screen`, and text above them on `paper` (often the same)."""

    def __init__(self, screen: Terminal, paper: Terminal) -> None:
        self._screen = screen
        self._paper = paper
        self._shares_screen = paper.is_terminal
        self._drawn: list[str] = []

    @property
    def is_away(self) -> bool:
        """Whether nothing of it is on the screen."""
        return not self._drawn

    def show(self, lines: Sequence[Line]) -> None:
        """Draw these lines in the place of those before, if they differ."""
        cut = self._cut(lines)
        plain = ["".join(cell.text for cell in line) for line in cut]
        if plain == self._drawn:
            return
        self._screen.write(self._away() + self._painted(cut))
        self._drawn = plain

    def print_text(self, text: str) -> None:
        """Put answers on the paper; where both share a screen, the strip is away until `show`."""
        if self._shares_screen and self._drawn:
            self._screen.write(self._away())
            self._drawn = []
        self._paper.write(text)

    def print_remark(self, text: str) -> None:
        """Put a remark, ending in a line feed, on the screen; the strip is away until `show`."""
        self._screen.write(self._away() + text)
        self._drawn = []

    def close(self) -> None:
        """Take the strip away; the cursor stands where it began."""
        self._screen.write(self._away())
        self._drawn = []

    def _cut(self, lines: Sequence[Line]) -> list[Line]:
        columns, rows = self._screen.size()
        most = max(1, rows - _ROWS_FOR_TEXT)
        kept = list(lines)
        if len(kept) > most:
            hidden = len(kept) - most + 1
            kept = [*kept[: most - 1], (Cell(f" … and {hidden} more", Style.DIM),)]
        return [_cut_line(line, max(1, columns - 1)) for line in kept]

    def _away(self) -> str:
        if not self._drawn:
            return ""
        columns = max(1, self._screen.size()[0])
        above = sum(max(1, -(-cell_length(line) // columns)) for line in self._drawn[:-1])
        # Row by row: tmux moves a screen that is erased as a whole into its scrollback.
        return "\r\x1b[2K\x1b[J" + "\x1b[1A\x1b[2K" * above

    def _painted(self, lines: Sequence[Line]) -> str:
        palette = self._screen.palette
        # Back to the first column: a key that the terminal echoes (`^C`) must not start a new row.
        return "\n".join(paint_line(line, palette) for line in lines) + "\r"


def paint_line(line: Line, palette: Palette) -> str:
    """A line as the terminal is to show it, without trailing blanks."""
    last = len(line)
    while last and not line[last - 1].text.strip():
        last -= 1
    return "".join(palette.paint(palette.spell(cell.text), cell.style) for cell in line[:last])


def _cut_line(line: Line, width: int) -> Line:
    cells: list[Cell] = []
    room = width
    for cell in line:
        if room <= 0:
            break
        text = fit(cell.text, room)
        cells.append(Cell(text, cell.style))
        room -= cell_length(text)
    return tuple(cells)
