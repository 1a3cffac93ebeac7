"""Opens the library for a command, with the settings and wishes of this invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ultrai
from ultrai.cli.debugging import wire_log

if TYPE_CHECKING:
    from ultrai.assembly.facade import UltrAI
    from ultrai.cli.wishes import Wishes


def open_session(wishes: Wishes) -> UltrAI:
    """The library, to be used as an async context manager. Raises SettingsError."""
    settings = wishes.load_settings()
    return ultrai.open(settings, wire_log=wire_log(settings) if wishes.debug else None)
