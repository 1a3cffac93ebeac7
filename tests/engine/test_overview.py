"""Probes: what they may cost, and that one id that cannot be asked leaves the others alone."""

from __future__ import annotations

from tests.engine.bar import Bar, broken, model

from ultrai.domain.cocktail import CocktailBook
from ultrai.domain.outcome import FailureKind
from ultrai.domain.overview import ProbeResult
from ultrai.engine.overview import Overview
from ultrai.policy.corrections import Corrections
from ultrai.policy.health import FAILURES_TO_OPEN
from ultrai.testing import FixedClock, Script, run_in_virtual_time

A, B = "a/one", "b/two"


def overview(bar: Bar) -> Overview:
    return Overview(bar.desk(), CocktailBook(()), corrections=Corrections(), tuning=bar.tuning)


def cool_down(bar: Bar, model_id: str) -> None:
    for _ in range(FAILURES_TO_OPEN):
        now_s = FixedClock().now().timestamp()
        bar.health.failed(model_id, FailureKind.UPSTREAM_ERROR, now_s=now_s)


def test_an_id_that_nobody_knows_does_not_end_the_other_probes() -> None:
    bar = Bar(scripts={A: [Script(first_s=1.0)], B: [broken(FailureKind.FORBIDDEN, 403)]})

    async def run() -> dict[str, ProbeResult]:
        results = overview(bar).probe(["no/such", A, B])
        return {result.model: result async for result in results}

    results = run_in_virtual_time(run())
    assert {name: result.ok for name, result in results.items()} == {
        "no/such": False,
        A: True,
        B: False,
    }
    assert "there is no model 'no/such'" in results["no/such"].message
    assert results["no/such"].cost.nanos == 0


def test_the_cost_of_probes_counts_a_model_that_cools_down_for_it_is_asked_too() -> None:
    bar = Bar(models=[model(A), model(B, price="0.000002")])

    async def run() -> list[int | None]:
        look = overview(bar)
        before = [await look.probe_cost([A]), await look.probe_cost([B])]
        cool_down(bar, A)
        after = [await look.probe_cost([A]), await look.probe_cost([A, B, "no/such"])]
        return [*before, *after]

    one, two, cooling, both = run_in_virtual_time(run())
    assert one is not None
    assert two is not None
    assert 0 < one < two
    assert cooling == one
    assert both == one + two


def test_a_probe_of_unknown_price_makes_the_cost_unknown() -> None:
    bar = Bar(models=[])

    async def run() -> int | None:
        return await overview(bar).probe_cost([A])

    bar.upstream._models = None  # no catalogue is to be had: ids are asked as they stand
    assert run_in_virtual_time(run()) is None
