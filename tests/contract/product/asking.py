"""Asks through the public Python API, and checks what must hold of every Report."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from tests.contract.product.shape import check_report
from tests.contract.product.upstream import KEY, Upstream, running

import ultrai
from ultrai.domain.secret import Secret
from ultrai.settings.model import Settings

A, B, C, D, E = (f"acme/model-{name}" for name in "abcde")


def settings_for(upstream: Upstream, home: Path, **rest: Any) -> Settings:
    """Settings with short backoffs, generous timers and our own upstream.

    Without the cache, so that a test that asks the same twice meets its upstream twice.
    """
    quick = {"backoff_base_s": 0.01, "backoff_cap_s": 0.02, "key": Secret(KEY), "cache": "off"}
    return Settings(home=home, base_url=upstream.url, **{**quick, **rest})


@contextlib.asynccontextmanager
async def opened(
    upstream: Upstream, home: Path, settings: Mapping[str, Any] | None = None
) -> AsyncIterator[ultrai.UltrAI]:
    """The product before a running upstream that lists the models A to E."""
    if not upstream.rows:
        upstream.listed(A, B, C, D, E)
    async with (
        running(upstream),
        ultrai.open(settings_for(upstream, home, **(settings or {}))) as product,
    ):
        yield product


def ask(
    upstream: Upstream, home: Path, settings: Mapping[str, Any] | None = None, **wishes: Any
) -> tuple[dict[str, Any], int]:
    """One question; the Report as JSON gives it back, and the exit code it stands for."""

    async def run() -> tuple[dict[str, Any], int]:
        async with opened(upstream, home, settings) as product:
            report = await product.ask("ping", **wishes)
            stored = await product.report(report.id)
        shape = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        check_report(shape)
        assert stored.to_dict() == report.to_dict()
        return shape, report.exit_code

    return asyncio.run(run())


def failures_of(slot: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [a["failure"] for a in slot["attempts"] if a["failure"] is not None]


def kinds_of(slot: Mapping[str, Any]) -> list[str]:
    return [failure["kind"] for failure in failures_of(slot)]


def codes_of(report: Mapping[str, Any]) -> list[str]:
    return [notice["code"] for notice in report["notices"]]
