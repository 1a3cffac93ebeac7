"""Reads the world's wishes: files, environment and flags, into one frozen value."""

from __future__ import annotations

from ultrai.settings.load import load
from ultrai.settings.model import Settings

__all__ = ["Settings", "load"]
