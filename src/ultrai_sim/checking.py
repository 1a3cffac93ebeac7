"""`ultrai sim --check`: whether a scenario is good, and what is in it."""

from __future__ import annotations

from ultrai_sim.changes import Change
from ultrai_sim.faults import Fault
from ultrai_sim.world import World


def describe(world: World) -> str:
    """A scenario in a few lines."""
    models = len(world.listing.listed())
    first = f"seed {world.seed}, {models} models, ${world.account.credits_usd} of credit"
    faults = [f"fault {fault.kind} on {_aim(fault)}" for fault in world.faults]
    changes = [f"change after {_moment(change)}" for change in world.changes]
    return "\n".join([first, *faults, *changes])


def _aim(fault: Fault) -> str:
    aims = [f"{name} {getattr(fault, name)}" for name in ("model", "provider", "key")]
    aims = [aim for aim in aims if not aim.endswith(" *")]
    if fault.attempts is not None:
        aims.append(f"attempts {', '.join(map(str, fault.attempts))}")
    if fault.probability is not None:
        aims.append(f"{fault.probability:.0%} of requests")
    if fault.from_s is not None:
        aims.append(f"from second {fault.from_s:g}")
    if fault.until_s is not None:
        aims.append(f"until second {fault.until_s:g}")
    if fault.on_s is not None:
        aims.append(f"{fault.on_s:g} s on, {fault.off_s or 0:g} s off")
    if fault.times is not None:
        aims.append(f"{fault.times} times")
    return ", ".join(aims) or "everything"


def _moment(change: Change) -> str:
    if change.at_s is not None:
        return f"{change.at_s:g} s"
    return f"{change.requests} requests"
