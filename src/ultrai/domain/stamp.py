"""Stamps: RFC 3339 in UTC with milliseconds, the one form in which times leave the program."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """`2026-11-23T20:26:45.123Z` for an aware moment."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
