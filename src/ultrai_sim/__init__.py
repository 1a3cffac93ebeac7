"""A simulator of OpenRouter's HTTP interface, for tests and for trying things without a key.

It shares no code with ``ultrai``: a fake that shares the client's code shares its misreadings too.
Start it with `run_simulator` in a test or with ``ultrai sim`` on the command line; what it does is
decided by a `World` (models, money, latency, faults), which can be changed while it serves.
"""

from __future__ import annotations

from ultrai_sim.app import make_app
from ultrai_sim.catalogue import Catalogue, Model, load_catalogue
from ultrai_sim.faults import Fault
from ultrai_sim.keys import KeyTerms
from ultrai_sim.scenario import ScenarioError, load_scenario
from ultrai_sim.schedule import Latency
from ultrai_sim.serving import Simulator, run_simulator, serve
from ultrai_sim.terms import AccountTerms
from ultrai_sim.world import World

__all__ = [
    "AccountTerms",
    "Catalogue",
    "Fault",
    "KeyTerms",
    "Latency",
    "Model",
    "ScenarioError",
    "Simulator",
    "World",
    "load_catalogue",
    "load_scenario",
    "make_app",
    "run_simulator",
    "serve",
]
