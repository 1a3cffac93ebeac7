from __future__ import annotations

import inspect

import pytest

from ultrai.engine import ports
from ultrai.store.health import SqlHealthMemory
from ultrai.store.history import SqlHistory
from ultrai.store.shelf import FileShelf


@pytest.mark.parametrize(
    ("port", "adapter"),
    [
        (ports.RunHistory, SqlHistory),
        (ports.HealthMemory, SqlHealthMemory),
        (ports.CatalogShelf, FileShelf),
    ],
)
def test_an_adapter_takes_what_its_port_passes(port, adapter):
    for name, method in inspect.getmembers(port, inspect.isfunction):
        if name.startswith("_"):
            continue
        ours = getattr(adapter, name)
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(method)
        assert list(inspect.signature(ours).parameters.values()) == list(
            inspect.signature(method).parameters.values()
        )
