"""Which Notices a person is told at once: none twice, those about backups in one line.

Planning writes a Notice for every id that is corrected, superseded or changed, backups included;
that is a dozen lines before the first word of an answer. Where a person watches, those about
models that are not asked yet are counted; `ultrai show` has them all, and so has every report.
"""

from __future__ import annotations

from ultrai.cli.render.board import Board
from ultrai.cli.render.phrases import count
from ultrai.domain.event import Event, EventType
from ultrai.domain.notice import Notice, NoticeCode

# The heading, the line under an answer and the strip say these already.
_SHOWN_IN_PLACE = (
    NoticeCode.FALLBACK_USED,
    NoticeCode.ANSWER_TRUNCATED,
    NoticeCode.STOPPED_WAITING,
)


class Remarks:
    """Takes Events in order and gives out the lines that are worth an interruption."""

    def __init__(self, *, brief: bool) -> None:
        self._brief = brief
        self._said: set[str] = set()
        self._kept_back: set[str] = set()
        self._planning = True

    def lines(self, event: Event, board: Board) -> list[str]:
        """What to say about this Event, which `board` has taken in."""
        if event.type is EventType.ATTEMPT_STARTED and self._planning:
            self._planning = False
            return self._counted()
        notice = event.notice
        if event.type is not EventType.NOTICE or notice is None or notice.message in self._said:
            return []
        if self._brief and notice.code in _SHOWN_IN_PLACE:
            return []
        if self._brief and self._planning and not _is_about_asked(notice, board):
            self._kept_back.add(notice.message)
            return []
        self._said.add(notice.message)
        return [f"note: {notice.message}"]

    def _counted(self) -> list[str]:
        number = len(self._kept_back - self._said)
        if not number:
            return []
        return [f"note: {count(number, 'more note')} on backups; 'ultrai show last' lists all"]


def _is_about_asked(notice: Notice, board: Board) -> bool:
    if notice.slot is None or notice.slot >= len(board.seats):
        return True
    seat = board.seats[notice.slot]
    return any(model in notice.message.split() for model in _spellings(seat.primary, seat.first))


def _spellings(*models: str) -> set[str]:
    return {f"{model}{mark}" for model in models for mark in ("", ",", ";", ":", ".")}
