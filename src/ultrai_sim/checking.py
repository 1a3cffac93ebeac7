"""`ultrai sim --check`: whether a scenario is good, and what is in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from difflib import get_close_matches

from ultrai_sim.aim import WILD, is_provider
from ultrai_sim.changes import Change
from ultrai_sim.embedders import embedders
from ultrai_sim.faults import OPTIONS, Fault
from ultrai_sim.schedule import Latency
from ultrai_sim.terms import AccountTerms
from ultrai_sim.world import World


def describe(world: World) -> str:
    """A scenario in a few lines."""
    models = len(world.listing.listed())
    first = f"seed {world.seed}, {models} models, ${world.account.credits_usd} of credit"
    faults = [f"fault {fault.kind}{_options(fault)} on {_aim(fault)}" for fault in world.faults]
    changes = [f"change after {_moment(change)}: {_change(change)}" for change in world.changes]
    return "\n".join([first, *_settings(world), *faults, *changes])


def _settings(world: World) -> list[str]:
    """What of the account, the latency and the keys is not as it is without a scenario."""
    told = []
    for name, terms, usual in (
        ("account", world.account, AccountTerms()),
        ("latency", world.latency, Latency()),
    ):
        values = [(each.name, getattr(terms, each.name)) for each in fields(terms)]
        unusual = [f"{key} {value}" for key, value in values if value != getattr(usual, key)]
        if unusual:
            told.append(f"{name}: {', '.join(unusual)}")
    told += [f"latency of {pace.model}" for pace in world.paces]
    told += [f"key {key.name or 'without a name'}" for key in world.keys]
    return told


def doubts(world: World) -> list[str]:
    """What is good and can never strike: names of models and providers that nobody has."""
    rows = [*world.listing.models.values(), *(each.model for each in embedders().values())]
    models = {model.id for model in rows}
    providers = {name for model in rows for name in model.providers}
    found = []
    for fault in world.faults:
        if WILD.isdisjoint(fault.model) and fault.model not in models:
            found.append(_doubt(f"fault {fault.kind}", "model", name=fault.model, valid=models))
        known = any(is_provider(fault.provider, name) for name in providers)
        if WILD.isdisjoint(fault.provider) and not known:
            found.append(
                _doubt(f"fault {fault.kind}", "provider", name=fault.provider, valid=providers)
            )
    changed = [each.model for each in world.changes if each.model is not None]
    added = {each.add.id for each in world.changes if each.add is not None}
    missing = [name for name in changed if name not in models | added]
    return found + [_doubt("change", "model", name=name, valid=models) for name in missing]


def _doubt(what: str, key: str, *, name: str, valid: Collection[str]) -> str:
    near = get_close_matches(name, valid, 1, 0.0)
    hint = f"; nearest: {near[0]!r}" if near else ""
    return f"{what}: no {key} is called {name!r}{hint}"


def _aim(fault: Fault) -> str:
    aims = [f"{name} {getattr(fault, name)}" for name in ("model", "provider", "key")]
    aims = [aim for aim in aims if not aim.endswith(" *")]
    if fault.route is not None:
        aims.insert(0, f"route {fault.route}")
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


def _options(fault: Fault) -> str:
    given = [(name, getattr(fault, name)) for name in OPTIONS]
    told = ", ".join(f"{name} {value}" for name, value in given if value is not None)
    return f" ({told})" if told else ""


def _change(change: Change) -> str:
    told = [f"model {change.model}"] if change.model is not None else []
    for name in ("pricing", "retired", "credits_usd"):
        value = getattr(change, name)
        if value is not None:
            told.append(f"{name} {value}")
    if change.add is not None:
        told.append(f"adds {change.add.id}")
    if change.faults is not None:
        kinds = ", ".join(fault.kind for fault in change.faults) or "none"
        told.append(f"faults {kinds}")
    return ", ".join(told)


def _moment(change: Change) -> str:
    if change.at_s is not None:
        return f"{change.at_s:g} s"
    return f"{change.requests} requests"
