"""Fakes of the ports, shipped to users: a scripted upstream, virtual time, things in memory.

from ultrai.testing import ScriptedUpstream, Script, run_in_virtual_time
"""

from ultrai.testing.fakes import (
    FixedClock,
    MemoryCache,
    MemoryHistory,
    MemoryLedger,
    Script,
    ScriptedUpstream,
)
from ultrai.testing.virtual_time import VirtualTimeLoop, run_in_virtual_time

__all__ = [
    "FixedClock",
    "MemoryCache",
    "MemoryHistory",
    "MemoryLedger",
    "Script",
    "ScriptedUpstream",
    "VirtualTimeLoop",
    "run_in_virtual_time",
]
