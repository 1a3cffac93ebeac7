"""Serves embedded models on loopback in OpenAI's format, one child process for each model.

Why processes and not threads: while llama.cpp loads, it holds Python's global lock; leaving a
process while it computes crashes it; closing a server with an open stream waits half a minute
(docs/adr/0002-local-runtime.md). A child that is killed has none of these, and takes its memory
with it. The price is a tenth of a second per model.

The model stays loaded until `close`; should its process die, the next `start` loads it again.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ultrai.domain.errors import LocalModelError
from ultrai.domain.secret import Secret
from ultrai.local.models import LocalModel, find_model
from ultrai.local.weights import verify
from ultrai.local.worker import Job, Worker

LOAD_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running model is asked: append `/chat/completions` to `base_url`."""

    base_url: str
    api_key: Secret


@dataclass(slots=True)
class _Seat:
    """A model's place in the runtime; the lock keeps it from being loaded twice."""

    lock: asyncio.Lock
    worker: Worker | None = None
    endpoint: Endpoint | None = None


class LocalRuntime:
    """Running embedded models. Belongs to one event loop; whoever opens it closes it.

    `cpus` is how many processors to share out, by default those that this process may use. Closed
    once, it stays closed.
    """

    def __init__(
        self, home: Path, *, cpus: int | None = None, load_timeout_s: float = LOAD_TIMEOUT_S
    ) -> None:
        self._home = home
        self._cpus = cpus
        self._load_timeout_s = load_timeout_s
        self._seats: dict[str, _Seat] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        """Nothing is loaded yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def reserve(self, model_ids: Sequence[str]) -> None:
        """Count these models among those that share the processors; nothing is loaded."""
        for model_id in model_ids:
            model = find_model(model_id)
            self._seats.setdefault(model.id, _Seat(lock=asyncio.Lock()))

    async def start(self, model_ids: Sequence[str]) -> dict[str, Endpoint]:
        """Load those that do not run yet, all at once; return every one's Endpoint by its id.

        Name together what will run together: the processors are shared out among the models named
        so far. Raises NotFound for an unknown id, LocalModelError if weights or the runtime are
        missing or a model does not load; the others are loaded all the same, so that a later
        `start` with fewer ids is quick.
        """
        models = {model_id: find_model(model_id) for model_id in model_ids}
        self.reserve(model_ids)
        threads = self._threads()
        failures: list[LocalModelError] = []
        endpoints: dict[str, Endpoint] = {}

        async def start_one(model_id: str) -> None:
            try:
                endpoints[model_id] = await self._endpoint(models[model_id], threads)
            except LocalModelError as error:
                failures.append(error)

        async with asyncio.TaskGroup() as tasks:
            for model_id in models:
                tasks.create_task(start_one(model_id))
        if failures:
            raise failures[0]
        return {model_id: endpoints[model_id] for model_id in models}

    async def close(self) -> None:
        """End every process and free its memory. Nothing is waited for; streams break off."""
        self._closed = True
        workers = [seat.worker for seat in self._seats.values() if seat.worker is not None]
        if workers:
            # In a thread of its own course: cancelling the closing must not stop it half-way.
            await asyncio.shield(asyncio.to_thread(_kill_all, workers))

    def process_ids(self) -> dict[str, int]:
        """The processes that run, by model id."""
        return {
            model_id: seat.worker.process_id
            for model_id, seat in self._seats.items()
            if seat.worker is not None and seat.worker.alive and seat.worker.process_id
        }

    def _threads(self) -> int:
        return max(1, (self._cpus or _usable_cpus()) // len(self._seats))

    async def _endpoint(self, model: LocalModel, threads: int) -> Endpoint:
        seat = self._seats[model.id]
        async with seat.lock:
            if seat.endpoint is not None and seat.worker is not None and seat.worker.alive:
                return seat.endpoint
            require_runtime()
            path = await asyncio.to_thread(verify, model, self._home)
            if self._closed:
                raise LocalModelError(f"{model.id} is not loaded: the runtime was closed")
            if seat.worker is not None:
                seat.worker.kill()
            key = secrets.token_urlsafe(32)
            job = Job(
                path=str(path),
                alias=model.id,
                context_tokens=model.context_length,
                threads=threads,
                api_key=key,
            )
            seat.worker = Worker(job)
            address = await self._load(seat.worker, model)
            seat.endpoint = Endpoint(base_url=f"{address}/v1", api_key=Secret(key))
            return seat.endpoint

    async def _load(self, worker: Worker, model: LocalModel) -> str:
        try:
            async with asyncio.timeout(self._load_timeout_s):
                return await asyncio.to_thread(worker.load)
        except TimeoutError:
            worker.kill()
            raise LocalModelError(
                f"{model.id} was not loaded within {self._load_timeout_s:g} s",
                hint="the machine is short of memory or very busy; try again, or a smaller model",
            ) from None
        except BaseException:
            worker.kill()
            raise


def require_runtime() -> None:
    """LocalModelError that says what to install, unless llama.cpp's Python package is here."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelError(
            "embedded models need the package xllamacpp, which is not installed",
            hint="pip install 'ultrai[local]'",
        )


def _kill_all(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.kill()


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
