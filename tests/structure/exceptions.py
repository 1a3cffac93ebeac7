"""What the numbers of `test_sizes` and the homes of `test_names` do not hold for, and why.

Keys are `path::qualified.name` below `src`, or paths. An entry that is no longer needed fails the
test as loudly as one that is missing: the tables only ever say what is so.
"""

from __future__ import annotations

from collections.abc import Mapping

# Modules above 400 lines.
LONG_MODULES: Mapping[str, str] = {}

# Functions of 51 to 70 lines. Above 70 nothing is excepted.
LONG_FUNCTIONS: Mapping[str, str] = {}

# Functions of more than five parameters.
MANY_PARAMETERS: Mapping[str, str] = {
    "ultrai/assembly/asking.py::ask_of": "gathers what the public `ask` and `stream` take",
    "ultrai/assembly/facade.py::UltrAI.ask": "public: one keyword for each flag",
    "ultrai/assembly/facade.py::UltrAI.stream": "public: one keyword for each flag",
    "ultrai/cli/models.py::command": "click passes one argument for each flag",
    "ultrai/policy/compressing.py::compress": "what is kept depends on all of it",
}

# Functions with a third parameter that may be passed by position.
MANY_POSITIONS: Mapping[str, str] = {
    "ultrai/cli/question.py::Dollars.convert": "click calls it with three",
    "ultrai/cli/question.py::FiniteRange.convert": "click calls it with three",
    "ultrai/cli/wishes.py::_wish_config": "click calls a callback with three",
    "ultrai/cli/wishes.py::_wish_debug": "click calls a callback with three",
    "ultrai/testing/memory_connector.py::MemoryConnector._create_connection": (
        "aiohttp calls it with three"
    ),
}

# Where a forbidden name may be used: rule -> path (a folder ends in a slash) -> why there.
HOMES: Mapping[str, Mapping[str, str]] = {
    "print": {},
    "environment": {
        "ultrai/settings/load.py": "reads the world once and hands it on as Settings",
    },
    "clock": {
        "ultrai/assembly/clock.py": "the system clock, passed to whoever needs a moment",
        "ultrai_sim/clock.py": "the simulator's own, for it shares nothing with ultrai",
    },
    "chance": {
        "ultrai/assembly/": "the composition root seeds the one generator that is passed around",
        "ultrai/local/runtime.py": "a loopback key must be unguessable, so it is no part of a seed",
    },
}
