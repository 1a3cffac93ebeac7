"""`@value`: a frozen, slotted dataclass whose immutability the type checker enforces.

For the values that every Attempt makes by the dozen. A frozen dataclass sets each field through
`object.__setattr__`, which was an eighth of a query's processor time (`make bench`); this one sets
fields plainly, so that at run time an assignment would go through. mypy, which every change must
pass, refuses it. Everything else uses `@dataclass(frozen=True, slots=True)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Class = TypeVar("Class")


@dataclass_transform(eq_default=True, frozen_default=True, field_specifiers=(field,))
def value(cls: type[Class]) -> type[Class]:
    """Make a value of the class."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
