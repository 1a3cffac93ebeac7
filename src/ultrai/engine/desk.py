"""The desk: takes an Ask, plans it, refuses what must be refused, and starts a Run.

It knows the shared rooms, the cocktails and the listings; it does not know how a Run works inside
(see `run.py`) or how anybody shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ultrai.domain.ask import Ask
from ultrai.domain.attempt import PriceCap
from ultrai.domain.budget import Payer
from ultrai.domain.cocktail import AUTO
from ultrai.domain.errors import BudgetRefusal, StoreError, UsageError
from ultrai.domain.event import Event
from ultrai.domain.ledger import Shortage
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.plan import Plan
from ultrai.domain.prospect import Prospect, Verdict
from ultrai.domain.report import Report
from ultrai.domain.stamp import stamp
from ultrai.engine.affording import MOST_FITTINGS, fit, holds_of, refusal, within_cap
from ultrai.engine.attempt import Rooms
from ultrai.engine.checking import (
    check_account,
    check_held,
    check_kept_keys,
    check_keys,
    check_quorum,
)
from ultrai.engine.context import Contexts
from ultrai.engine.endpoints import dearest_cap
from ultrai.engine.feed import EventLog, Feed
from ultrai.engine.foreseeing import foresee
from ultrai.engine.handle import RunHandle
from ultrai.engine.house import House
from ultrai.engine.listings import Listings
from ultrai.engine.opening import contexts_of, limits_of
from ultrai.engine.planning import plan_run
from ultrai.engine.ports import HealthMemory
from ultrai.engine.recall import Memory
from ultrai.engine.remembering import recalled, tenant_of
from ultrai.engine.resolving import (
    Recipe,
    check_synthesis,
    cocktail_named,
    recipe_of_cocktail,
    recipe_of_models,
    recipe_of_rest,
)
from ultrai.engine.run import Run, RunOrder
from ultrai.engine.world import World, find_model
from ultrai.policy.selection import BUDGET, DEPTH, PREMIUM, SPEEDY, Circumstances, choose_cocktail

REMEMBER_EVERY_S = 10.0
LISTING_PATIENCE_S = 10.0
_CHOICES = (PREMIUM, SPEEDY, BUDGET, DEPTH)

# Notices that say how something was decided, not that something is other than asked.
_NO_OBSTACLE = frozenset(
    {NoticeCode.COCKTAIL_CHOSEN, NoticeCode.COCKTAIL_DEFAULTED, NoticeCode.RUN_RESUMED}
)


@dataclass(frozen=True, slots=True)
class Records:
    """What outlives a Run: its Events, and what it taught about models. None: not kept.

    `ears` hear every Event of every Run, at once and without waiting.
    """

    history: EventLog | None = None
    memory: HealthMemory | None = None
    ears: Sequence[Callable[[Event], None]] = ()


class Desk:
    """Where every query begins."""

    def __init__(self, house: House, rooms: Rooms, *, listings: Listings, records: Records) -> None:
        self._house = house
        self._rooms = rooms
        self._listings = listings
        self._records = records
        self._live: dict[Run, asyncio.Future[None]] = {}
        self._remembered_s = 0.0

    @property
    def is_full(self) -> bool:
        """Whether as many Attempts wait as may: one more would be refused."""
        return self._rooms.gate.is_full

    def upstream_of(self, model_id: str) -> str:
        """The name of the upstream that an id belongs to."""
        return self._house.upstream_of(model_id)

    async def plan(self, ask: Ask, *, earlier: Report | None = None) -> Plan:
        """Who would be asked, what fits, what it may cost; spends nothing."""
        return (await self._order(ask, earlier)).plan

    async def foresee(self, ask: Ask, *, earlier: Report | None = None) -> Plan:
        """The Plan with what the cost cap and the Budgets would make of it; spends nothing."""
        order = await self._order(ask, earlier)
        payer = self._payer(ask, "run_planned")
        ledger, declared = self._rooms.ledger, self._house.declared_budgets
        floor = self._rooms.tuning.shrink_floor_tokens
        try:
            states = await ledger.standing(payer)
        except StoreError as error:
            if await ledger.guards(payer):
                prospect = Prospect(Verdict.REFUSED, None, (), _unwritable(error), error.hint)
                return replace(order.plan, prospect=prospect)
            states = ()
        prospect = foresee(order, states, floor=floor, declared=declared)
        return replace(order.plan, prospect=prospect)

    async def ask(self, ask: Ask, *, earlier: Report | None = None, stored: bool = True) -> Report:
        """Run to the end without anybody watching."""
        return await self._execute(await self._open(ask, earlier, stored=stored))

    async def start(
        self, ask: Ask, *, earlier: Report | None = None, watched: bool = True
    ) -> RunHandle:
        """Start a Run; the desk ends it when it closes. `watched`: somebody reads its Events."""
        run = await self._open(ask, earlier)
        return RunHandle(run, partial(self._spawn, run), watched=watched)

    async def world(
        self,
        model_ids: Sequence[str],
        *,
        refresh: bool = False,
        patience_s: float | None = None,
    ) -> World:
        """The world as planning sees it, with the listings of these models' upstreams.

        A listing that takes longer than `patience_s` is not waited for; None: as long as a listing
        may take.
        """
        upstreams = {self._house.upstream_of(model) for model in model_ids}
        keyless = self._house.keyless or {}
        catalog = await self._listings.current(
            sorted(upstreams - set(keyless)), refresh=refresh, patience_s=patience_s
        )
        free_left = None
        if any(":free" in model for model in model_ids):
            free_left = await self._rooms.quota.left()
        return World(
            catalog=catalog,
            health=self._rooms.health,
            now=self._rooms.clock.now(),
            upstream_of=self._house.upstream_of,
            successions=self._house.successions,
            keyless=frozenset(keyless),
            local=self._house.local_upstreams,
            free_left=free_left,
            free_resets_s=None if free_left is None else self._rooms.quota.resets_s(),
        )

    async def aclose(self) -> None:
        """Cancel every Run that is still under way and wait until all have settled."""
        live = dict(self._live)
        for run in live:
            run.cancel()
        if live:
            await asyncio.wait(live.values())
        self._remember(at_last=True)

    def _spawn(self, run: Run) -> asyncio.Task[Report]:
        return asyncio.get_running_loop().create_task(self._execute(run))

    async def _execute(self, run: Run) -> Report:
        try:
            return await run.execute()
        finally:
            ended = self._live.pop(run, None)
            if ended is not None and not ended.done():
                ended.set_result(None)
            self._remember()

    def _remember(self, *, at_last: bool = False) -> None:
        """Hand changed Health to the memory, now and then: it is in no hurry."""
        if self._records.memory is None:
            return
        now_s = asyncio.get_running_loop().time()
        if at_last or now_s >= self._remembered_s + REMEMBER_EVERY_S:
            self._remembered_s = now_s
            changed = self._rooms.health.take_changed()
            if changed:
                self._records.memory.remember(changed)

    async def _open(self, ask: Ask, earlier: Report | None, *, stored: bool = True) -> Run:
        """A Run whose money is held. Raises what planning raises, and BudgetRefusal."""
        order, fittings = await self._checked(ask, earlier, stored=stored), 0
        floor = self._rooms.tuning.shrink_floor_tokens
        while True:
            run = self._run(order, ask, stored=stored)
            shortage = await self._reserve(run)
            if shortage is None:
                self._live[run] = asyncio.get_running_loop().create_future()
                return run
            fittings, fitted = fittings + 1, None
            if shortage.needed_nanos and fittings <= MOST_FITTINGS and not ask.strict:
                fitted = fit(order, shortage.left_nanos, floor=floor)
            if fitted is None:
                raise refusal(order, shortage, declared=self._house.declared_budgets)
            order = fitted

    async def _reserve(self, run: Run) -> Shortage | None:
        try:
            return await run.reserve(holds_of(run.order.plan))
        except StoreError as error:
            raise BudgetRefusal(_unwritable(error), hint=error.hint) from error

    def _run(self, order: RunOrder, ask: Ask, *, stored: bool) -> Run:
        log = self._records.history if stored else None
        time_s = asyncio.get_running_loop().time
        feed = Feed(self._new_id(), time_s=time_s, log=log, ears=self._records.ears)
        payer = self._payer(ask, feed.run_id)
        return Run(order, self._rooms, feed=feed, payer=payer, dearest=self._dearest)

    def _payer(self, ask: Ask, run_id: str) -> Payer:
        house = self._house
        return Payer(
            run_id=run_id,
            began_at=stamp(self._rooms.clock.now()),
            key=house.key_fingerprint,
            environment=house.environment,
            user=ask.user,
            feature=ask.feature,
            tags=ask.tags or None,
        )

    def _new_id(self) -> str:
        milliseconds = int(self._rooms.clock.now().timestamp() * 1000)
        return f"run_{milliseconds:011x}{int(self._rooms.chance() * 2**40):010x}"

    async def _checked(self, ask: Ask, earlier: Report | None, *, stored: bool) -> RunOrder:
        order = await self._order(ask, earlier)
        if stored and self._rooms.recall is not None:
            tenant = tenant_of(self._payer(ask, ""))
            # What --strict asks for is an Answer of now.
            memory = Memory(self._rooms.recall, tenant, reads=ask.use_cache and not ask.strict)
            order = await recalled(order, memory)
        plan = order.plan
        obstacles = [n for n in plan.notices if n.code not in _NO_OBSTACLE]
        if ask.strict and obstacles:
            raise UsageError(
                f"--strict: {obstacles[0].message}; nothing was sent",
                hint="leave --strict out to go on with a notice",
            )
        check_keys(plan, self._house.keyless or {})
        await check_kept_keys(plan, self._house.missing_keys)
        check_quorum(plan, order.limits)
        check_held(plan, order.contexts)
        floor = None if ask.strict else self._rooms.tuning.shrink_floor_tokens
        return within_cap(order, floor=floor)

    async def _order(self, ask: Ask, earlier: Report | None) -> RunOrder:
        if not ask.messages:
            raise UsageError("there is nothing to ask", hint="give a prompt")
        check_account(ask)
        check_synthesis(ask.synthesis)
        contexts = contexts_of(ask, self._rooms.tuning)
        query = contexts.query
        recipe = await self._recipe(ask, contexts, earlier=earlier)
        recipe = replace(recipe, notices=(*ask.notices, *recipe.notices))
        limits = limits_of(ask, recipe, house=self._house)
        ids = [model for slot in recipe.slots for model in slot.candidates]
        patience_s = min(LISTING_PATIENCE_S, limits.deadline_s)
        world = await self.world(ids, patience_s=patience_s)
        tuning = self._rooms.tuning

        def planned(max_tokens: int, *, slots: int | None = None) -> Plan:
            fewer, other = recipe.first(slots), contexts.with_tokens(max_tokens)
            return plan_run(fewer, other, limits=limits, world=world, tuning=tuning)

        streaming = self._rooms.tuning.streaming if ask.streaming is None else ask.streaming
        return RunOrder(
            query=query,
            contexts=contexts,
            plan=await self._planned(partial(planned, query.sampling.max_tokens), contexts),
            limits=limits,
            catalog=world.catalog,
            find_model=partial(find_model, world.catalog),
            replan=planned,
            streaming=streaming,
            resumed_from=None if earlier is None else earlier.id,
            commit=ask.commit,
        )

    async def _recipe(self, ask: Ask, contexts: Contexts, *, earlier: Report | None) -> Recipe:
        house = self._house
        if ask.cocktail is not None and ask.models:
            raise UsageError("a cocktail and single models exclude each other")
        if ask.models:
            recipe = recipe_of_models(ask, house.corrections)
        else:
            recipe = await self._cocktail_recipe(ask, contexts)
        if earlier is not None:
            rest = recipe_of_rest(recipe, earlier, only=ask.resume_slots)
            slots = "1 slot" if len(rest.slots) == 1 else f"{len(rest.slots)} slots"
            message = f"asked again of {earlier.id}: {slots} without an answer"
            resumed = Notice(NoticeCode.RUN_RESUMED, message)
            recipe = replace(rest, notices=(resumed, *rest.notices))
        return recipe

    async def _cocktail_recipe(self, ask: Ask, contexts: Contexts) -> Recipe:
        house = self._house
        name = ask.cocktail or house.default_cocktail
        notices: list[Notice] = []
        if name.casefold() == AUTO:
            name, reason = await self._choose(ask, contexts)
            notices.append(Notice(NoticeCode.COCKTAIL_CHOSEN, reason))
        elif ask.cocktail is None:
            notices.append(Notice(NoticeCode.COCKTAIL_DEFAULTED, f"no key is set: {name} answers"))
        cocktail = cocktail_named(name, house.book)
        check_synthesis(cocktail.synthesis)
        recipe = recipe_of_cocktail(cocktail, house.corrections)
        return replace(recipe, notices=(*notices, *recipe.notices))

    async def _choose(self, ask: Ask, contexts: Contexts) -> tuple[str, str]:
        """One of the four by `policy.selection`, from their Plans."""
        limits = limits_of(ask, None, house=self._house)
        ready: dict[str, float] = {}
        cost: dict[str, int | None] = {}
        latency: dict[str, float | None] = {}
        for name in _CHOICES:
            cocktail = self._house.book.find(name)
            if cocktail is None:
                continue
            recipe = recipe_of_cocktail(cocktail, self._house.corrections)
            world = await self.world(cocktail.model_ids)
            tuning = self._rooms.tuning
            planned = partial(plan_run, recipe, contexts, limits=limits, world=world, tuning=tuning)
            plan = await self._planned(planned, contexts)
            usable = sum(any(c.is_ready for c in slot.candidates) for slot in plan.slots)
            ready[name] = usable / len(plan.slots)
            cost[name] = plan.cost_nanos.expected
            latency[name] = None if plan.expected_ms is None else plan.expected_ms / 1000
        choice = choose_cocktail(
            Circumstances(
                prompt=contexts.query.prompt,
                deadline_s=ask.deadline_s,
                max_cost_nanos=ask.max_cost_nanos,
                ready_share=ready,
                expected_cost_nanos=cost,
                expected_latency_s=latency,
            )
        )
        return choice.cocktail, choice.reason

    async def _dearest(self, model_id: str) -> PriceCap | None:
        return await dearest_cap(self._rooms.upstreams(self._house.upstream_of(model_id)), model_id)

    async def _planned(self, plan: Callable[[], Plan], contexts: Contexts) -> Plan:
        """The Plan; made in a thread where large texts have to be made to fit."""
        if contexts.is_heavy and not self._rooms.inline:
            return await asyncio.to_thread(plan)
        return plan()


def _unwritable(error: StoreError) -> str:
    return f"a budget holds, and the ledger cannot be written: {error}; nothing was sent"
