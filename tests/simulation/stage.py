"""A world being played: the simulator, the network, one process after another, and what was seen.

`play(terms)` runs a whole world on virtual time and returns the `Play`: every request that the
upstream saw, every Event that a process published, every Report, and what was wrong. READ THIS
MODULE FIRST; `worlds` draws what is played, `process` is one life of UltrAI, `invariants` says what
must hold, `soak` is the command line.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import cast

from tests.simulation.books import Books, read_books, set_budget
from tests.simulation.process import Hooks, Process, WatchedNetwork
from tests.simulation.serving import ADDRESS, BASE_URL, served
from tests.simulation.worlds import Question, WorldTerms, draw_world

from ultrai.assembly.facade import UltrAI
from ultrai.domain.ask import Ask
from ultrai.domain.cocktail import Cocktail, Slot
from ultrai.domain.document import Document
from ultrai.domain.errors import UltraiError
from ultrai.domain.event import Event
from ultrai.domain.fitting import FitWish
from ultrai.domain.money import parse_usd
from ultrai.domain.query import Message, Sampling
from ultrai.domain.report import Report
from ultrai.domain.secret import Secret
from ultrai.domain.stamp import stamp
from ultrai.engine.handle import RunHandle
from ultrai.settings.model import CACHE_EXACT, CACHE_OFF, Settings
from ultrai.store.database import open_database
from ultrai.testing import FixedClock, run_in_virtual_time
from ultrai.testing.memory_transport import Link
from ultrai.testing.network import Weather
from ultrai_sim import Catalogue, Latency, Model, World
from ultrai_sim.free_tier import FreeTier
from ultrai_sim.world import SeenRequest

HEALING_S = 25 * 3600.0  # longer than any circuit, pause or daily quota lasts
LONGEST_S = 100 * 3600.0


@dataclass
class Asked:
    """One question in one life: what came of it."""

    question: Question
    began_s: float
    events: list[Event] = field(default_factory=list)
    report: Report | None = None
    stored: Report | None = None
    error: UltraiError | None = None
    ended: str = "dead"  # or "report", "error", "left"


@dataclass
class Play:
    """What happened in one world."""

    terms: WorldTerms
    world: World
    asked: list[Asked] = field(default_factory=list)
    died_at: str | None = None
    resumed: list[tuple[Report, Report]] = field(default_factory=list)
    healed: Report | None = None
    leaks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    books: list[Books] = field(default_factory=list)
    epoch_s: float = 0.0  # the upstream's clock at the loop's zero

    def trace(self) -> str:
        """A digest of all Events and requests: the same seed gives the same."""
        digest = blake2b(digest_size=16)
        for asked in self.asked:
            for event in asked.events:
                digest.update(repr(event.to_dict()).encode("utf-8", "replace"))
        for seen in self.world.requests:
            digest.update(f"{seen.path} {seen.model} {seen.started_at} {seen.outcome}".encode())
        return digest.hexdigest()


def play(terms: WorldTerms) -> Play:
    """Run the world to its end, in virtual time and in a home directory of its own."""
    with _home() as home, _no_bugs_upstream() as complaints:
        played = run_in_virtual_time(_Stage(terms, home).run())
    played.wrong += complaints
    return played


def play_seed(seed: int) -> Play:
    """The world of this seed, played."""
    return play(draw_world(seed))


class _Stage:
    """Plays one world."""

    def __init__(self, terms: WorldTerms, home: Path) -> None:
        self.terms = terms
        self.home = home
        self.clock = FixedClock()
        self.chance = Random(f"play {terms.seed}")
        self.healthy = False
        self.play = Play(terms, self._world())

    async def run(self) -> Play:
        async with asyncio.timeout(LONGEST_S):
            await self._run()
        return self.play

    async def _run(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self.play.epoch_s = self.clock.now().timestamp() - now_s
        async with served(self.play.world) as self.server:
            if self.terms.budget_nanos is not None:
                set_budget(self.home, self.terms.budget_nanos)
            await self._live()
            if self.terms.budget_nanos is not None:
                self._look_into_books()
                set_budget(self.home, None)
            await self._heal()
        await asyncio.sleep(1)  # what is still on its way arrives
        self._look_into_books()
        self._look_for_leaks()

    def _look_into_books(self) -> None:
        self.play.books.append(
            read_books(self.home, at=stamp(self.clock.now()), audit=self.terms.seed % 5 == 0)
        )

    async def _live(self) -> None:
        process = self._process(die_at=self.terms.crash_at)
        main = asyncio.get_running_loop().create_task(self._ask_all(process))
        with suppress(asyncio.CancelledError):
            await main
        if not process.dead and (left := process.network.open_connections):
            self.play.leaks.append(f"{left} connections are left")

    async def _ask_all(self, process: Process) -> None:
        async with process.open() as ultrai:
            async with asyncio.TaskGroup() as group:
                for question in self.terms.questions:
                    await asyncio.sleep(question.pause_s)
                    group.create_task(self._ask(ultrai, question, process))
            await self._read_back(ultrai)
            self._check_rooms(ultrai)

    async def _ask(self, ultrai: UltrAI, question: Question, process: Process) -> None:
        asked = Asked(question, asyncio.get_running_loop().time())
        self.play.asked.append(asked)
        try:
            handle = await ultrai.start(_ask_of(question))
        except UltraiError as error:
            asked.error, asked.ended = error, "error"
            return
        asked.began_s = asyncio.get_running_loop().time()
        reading = asyncio.get_running_loop().create_task(_read(handle, asked, process))
        try:
            await self._act(question, handle, reading, asked)
            await reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        finally:
            reading.cancel()
            await handle.aclose()
        if asked.ended != "left":
            asked.report, asked.ended = await handle.report(), "report"

    async def _act(
        self,
        question: Question,
        handle: RunHandle,
        reading: asyncio.Task[None],
        asked: Asked,
    ) -> None:
        if question.action is None:
            return
        await asyncio.sleep(question.action_s)
        if question.action == "stop_waiting":
            handle.stop_waiting()
        elif question.action == "cancel":
            handle.cancel()
        elif not reading.done():
            asked.ended = "left"
            reading.cancel()

    async def _read_back(self, ultrai: UltrAI) -> None:
        for asked in self.play.asked:
            if asked.report is not None:
                asked.stored = await ultrai.report(asked.report.id)

    async def _heal(self) -> None:
        """Once the world is well again: what a dead process left is resumed, a new run succeeds."""
        self._switch_off()
        await asyncio.sleep(HEALING_S)
        process = self._process(die_at=None)
        async with process.open() as ultrai:
            if self.play.died_at is not None:
                await self._look_back(ultrai)
            models = [m.id for m in self.terms.models if not (m.retired or m.is_free)]
            handle = await ultrai.start(
                Ask(
                    messages=(Message("user", "Are you well again?"),),
                    models=tuple(models[:3]),
                    sampling=Sampling(max_tokens=500),
                )
            )
            self.play.healed = await handle.report()
            async for _ in (await ultrai.reconciliation()).run(watch=True):
                """Until every cost is known, or given up."""

    async def _look_back(self, ultrai: UltrAI) -> None:
        """What a new process finds of the dead one's runs, and what it makes of them."""
        for summary in reversed(await ultrai.runs(limit=100)):
            earlier = await ultrai.report(summary.id)
            for asked in self.play.asked:
                if asked.events and asked.events[0].run_id == earlier.id:
                    asked.stored = earlier
            if summary.status.value == "interrupted" and not all(s.answer for s in earlier.slots):
                await self._resume(ultrai, earlier)

    async def _resume(self, ultrai: UltrAI, earlier: Report) -> None:
        (prompt,) = [message["content"] for message in _messages(earlier)]
        asked = next(each.question for each in self.play.asked if each.question.prompt == prompt)
        documents = _documents_of(asked)
        try:
            handle = await ultrai.start(Ask(messages=(), resume=earlier.id, documents=documents))
        except UltraiError as error:
            retired = {model.id for model in self.terms.models if model.retired}
            if retired.isdisjoint(slot.primary for slot in earlier.slots):
                self.play.wrong.append(f"{earlier.id} cannot be resumed: {error}")
            return
        self.play.resumed.append((earlier, await handle.report()))

    def _switch_off(self) -> None:
        world = self.play.world
        # Who looks for what an answer has cost may still be told nothing, or nonsense.
        world.set_faults([fault for fault in self.terms.faults if fault.route == "generation"])
        world.latency = Latency()
        world.money.bought += 1000
        world.money.free_tier = FreeTier(20, 1000)
        for key in world.money.keys.values():
            key.limit, key.disabled = None, False
        self.healthy = True

    def _process(self, *, die_at: str | None) -> Process:
        def at(point: str) -> None:
            if point == die_at and hooks.reached[point] == self.terms.crash_after:
                self.play.died_at = point
                process.die()

        hooks = Hooks(at)
        network = WatchedNetwork(self._weather(), hooks)
        network.listen(ADDRESS, self.server)
        self._watch_arrivals(hooks)
        process = Process(
            self._settings(), network=network, hooks=hooks, clock=self.clock, chance=self.chance
        )
        return process

    def _watch_arrivals(self, hooks: Hooks) -> None:
        world = self.play.world
        see = World.see

        def watched(seen: SeenRequest) -> None:
            see(world, seen)
            path = seen.path
            if path.endswith("/models"):
                hooks.reach("before the listing")
            elif path.endswith("/chat/completions"):
                hooks.reach("the request has arrived")

        finish = World.finish

        def finished(seen: SeenRequest, status: int | None) -> None:
            finish(world, seen, status)
            if seen.path.endswith("/models"):
                hooks.reach("after the listing")

        world.see, world.finish = watched, finished

    def _weather(self) -> Callable[[], Weather]:
        terms = self.terms.network
        source = Random(f"network {self.terms.seed}")
        split = (lambda data: (data,)) if not terms.cuts else _splitter(source, terms.cuts)

        def weather() -> Weather:
            refuse = not self.healthy and source.random() < terms.refused_share
            return Weather(Link(terms.delay_s, split), connect_s=terms.connect_s, refuse=refuse)

        return weather

    def _settings(self) -> Settings:
        terms = self.terms
        return Settings(
            home=self.home,
            key=Secret(terms.key.key),
            base_url=BASE_URL,
            concurrency=terms.concurrency,
            max_attempts=terms.max_attempts,
            max_wait_s=terms.max_wait_s,
            pace_per_minute=terms.paces,
            cocktails=tuple(
                {_name(q): _cocktail(q) for q in terms.questions if not q.named}.values()
            ),
            cache=CACHE_EXACT if terms.cached else CACHE_OFF,
        )

    def _world(self) -> World:
        terms = self.terms
        models = [
            Model(
                id=each.id,
                name=each.id,
                canonical=each.id,
                answers_as=each.id,
                context_length=each.window,
                max_completion_tokens=8000,
                pricing=each.pricing,
                providers=each.providers,
                reasoning={"mandatory": True} if each.reasons else None,
                retired=each.retired,
            )
            for each in terms.models
        ]
        return World(
            seed=terms.seed,
            catalogue=Catalogue(models),
            faults=terms.faults,
            latency=terms.latency,
            account=terms.account,
            keys=(terms.key,),
            usage_dialect=terms.usage_dialect,
            generation_lag_s=terms.generation_lag_s,
            comments=terms.comments,
            says={} if terms.says is None else {"*": terms.says},
            clock=lambda: self.clock.now().timestamp(),
        )

    def _check_rooms(self, ultrai: UltrAI) -> None:
        opened = ultrai._opened
        if opened is None:
            return
        gate = opened.desk._rooms.gate
        if gate.active or gate.waiting:
            self.play.leaks.append(f"{gate.active} permits out, {gate.waiting} waiting at the end")
        if opened.desk._live:
            self.play.leaks.append("runs are still called live")

    def _look_for_leaks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        self.play.leaks += [f"a task is left: {task.get_coro()}" for task in tasks]
        loop = asyncio.get_running_loop()
        timers = [t for t in loop._scheduled if not t.cancelled()]
        # The one that is left is this world's own time limit.
        self.play.leaks += [f"a timer is left: {timer}" for timer in timers[1:]]


async def _read(handle: RunHandle, asked: Asked, process: Process) -> None:
    async for event in handle.events():
        if not process.dead:  # nobody reads what a dead process would still have shown
            asked.events.append(event)


def _ask_of(question: Question) -> Ask:
    return Ask(
        messages=(Message("user", question.prompt),),
        cocktail=None if question.named else _name(question),
        models=tuple(slot[0] for slot in question.slots) if question.named else (),
        sampling=Sampling(max_tokens=question.max_tokens),
        quorum=question.quorum,
        deadline_s=question.deadline_s,
        max_cost_nanos=None if question.max_cost_usd is None else parse_usd(question.max_cost_usd),
        strict=question.strict,
        streaming=question.streaming,
        documents=_documents_of(question),
        fit=FitWish(question.fit),
    )


def _messages(report: Report) -> Sequence[Mapping[str, str]]:
    return cast("Sequence[Mapping[str, str]]", report.query["messages"])


def _documents_of(question: Question) -> tuple[Document, ...]:
    """Numbered paragraphs on what it asks about."""
    if not question.paragraphs:
        return ()
    words = question.prompt[:80]
    text = "\n\n".join(f"Paragraph {n} is about {words}." for n in range(question.paragraphs))
    return (Document("book.txt", text),)


def _cocktail(question: Question) -> Cocktail:
    slots = tuple(Slot(primary, tuple(backups)) for primary, *backups in question.slots)
    return Cocktail(_name(question), slots, source="a world")


def _name(question: Question) -> str:
    return "Q" + question.prompt.split(":")[0].split()[-1]


def _splitter(source: Random, most: int) -> Callable[[bytes], Sequence[bytes]]:
    """Cuts what is written at up to `most` places, anywhere: in a letter, in a line, in a head."""

    def split(data: bytes) -> Sequence[bytes]:
        cuts = sorted(source.randrange(len(data)) for _ in range(source.randint(0, most)))
        return [data[a:b] for a, b in pairwise((0, *cuts, len(data))) if a < b]

    return split


class _Complaints(logging.Handler):
    """Collects what the server under the simulator says of handlers that broke."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.lines.append(f"the simulator broke: {record.getMessage()}: {error!r}")


@contextmanager
def _no_bugs_upstream() -> Iterator[list[str]]:
    """What goes wrong inside the simulator is a finding like any other."""
    logger, handler = logging.getLogger("aiohttp.server"), _Complaints()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


@contextmanager
def _home() -> Iterator[Path]:
    """A home directory with a database that is up to date already."""
    with tempfile.TemporaryDirectory(prefix="ultrai-world-", dir=_fast_place()) as name:
        home = Path(name)
        (home / "ultrai.db").write_bytes(_template())
        yield home


@cache
def _template() -> bytes:
    """An empty database that is up to date: made once, because migrating takes its time."""
    with tempfile.TemporaryDirectory(prefix="ultrai-template-") as name:
        path = Path(name) / "ultrai.db"
        open_database(path, inline=True).close()
        return path.read_bytes()


def _fast_place() -> str | None:
    shared_memory = Path("/dev/shm")
    return str(shared_memory) if shared_memory.is_dir() else None
