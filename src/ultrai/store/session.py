"""One transaction of the ledger: its steps, decided and written one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrai.domain.budget import Budget, Payer
from ultrai.domain.ledger import (
    Close,
    Correct,
    Defer,
    EntryKind,
    Grant,
    Identify,
    Place,
    Release,
    Reserve,
    Settle,
    Shortage,
    Start,
    Step,
)
from ultrai.domain.outcome import NO_USAGE, Cost, CostState
from ultrai.store.balances import Balances
from ultrai.store.chain import Chain, Row
from ultrai.store.encoding import clean, clean_or_none
from ultrai.store.open_work import (
    FoundAttempt,
    Memory,
    Staff,
    at_place,
    cost_columns,
    of_place,
    payer_from,
    payer_text,
    run_of,
    sum_known,
    token_columns,
)
from ultrai.store.orders import Outcome


class Session:
    """One transaction's work."""

    def __init__(
        self,
        staff: Staff,
        cursor: Any,
        *,
        chain: Chain,
        balances: Balances,
        memory: Memory,
    ) -> None:
        self._staff = staff
        self._cursor = cursor
        self._chain = chain
        self._balances = balances
        self._memory = memory
        self._has_wound_up = False
        self._statements = chain.statements
        self._overdrawn: dict[str, Budget] = {}

    def carry_out(self, steps: Sequence[Step]) -> list[Outcome]:
        """What came of each step, in order."""
        self._lock(steps)
        return [self._do(step) for step in steps]

    def finish(self) -> list[Budget]:
        """Write balances, entries and the seal; the Budgets that were exceeded by the upstream."""
        for budget in self._overdrawn.values():
            self._cursor.execute(self._statements.close_budget, {"of_name": budget.name})
        self._balances.write()
        self._chain.seal()
        return list(self._overdrawn.values())

    def wind_up(self, at: str) -> int:
        """Settle and close the Runs of dead processes; how many there were."""
        if self._has_wound_up:
            return 0
        self._has_wound_up = True
        self._cursor.execute(self._statements.list_owners)
        owners = {row[0] for row in self._cursor.fetchall()}
        gone = {owner for owner in owners if not self._staff.is_alive(owner)}
        if not gone:
            return 0
        self._cursor.execute(self._statements.list_runs)
        dead = [
            (run_id, payer_from(payer))
            for run_id, owner, payer in self._cursor.fetchall()
            if owner in gone
        ]
        self._balances.lock(payer for _, payer in dead)
        return sum(self._bury_run(run_id, payer, at=at) for run_id, payer in dead)

    # --- the steps ------------------------------------------------------------------------------

    def _do(self, step: Step) -> Outcome:
        if isinstance(step, Settle):
            self._settle(step)
        elif isinstance(step, Start):
            return self._start(step)
        elif isinstance(step, Reserve):
            return self._reserve(step)
        elif isinstance(step, Close):
            self._close(step.run_id, at=step.at)
        elif isinstance(step, Identify):
            moved = of_place(step.place) | {"new_id": clean(step.generation_id)}
            self._cursor.execute(self._statements.identify_attempt, moved)
        elif isinstance(step, Release):
            self._release(step)
        elif isinstance(step, Defer):
            moved = of_place(step.place) | {"tried_at": step.at, "new_try": step.next_try_at}
            self._cursor.execute(self._statements.defer_attempt, moved)
        else:
            self._correct(step)
        return None

    def _reserve(self, step: Reserve) -> Grant | Shortage:
        payer = step.payer
        wanted = [hold.wanted_nanos for hold in step.slots]
        least = [hold.least_nanos for hold in step.slots]
        shortage = self._balances.shortage(payer, sum_known(wanted))
        amounts = wanted
        if shortage is not None:
            amounts = least
            shortage = self._balances.shortage(payer, sum_known(least))
        if shortage is not None and self.wind_up(payer.began_at):
            shortage = self._balances.shortage(payer, sum_known(least))
        if shortage is not None:
            return shortage
        self._cursor.execute(
            self._statements.open_run,
            {
                "run_id": payer.run_id,
                "owner": self._staff.owner(),
                "payer": self._memory.open_run(payer),
            },
        )
        holds: dict[int, int] = {}
        for slot, amount in zip(step.slots, amounts, strict=True):
            holds[slot.slot] = self._hold(payer, amount or 0, slot=slot.slot)
        return Grant(
            holds,
            capped=bool(self._balances.hard(payer)),
            exceeded=self._balances.soft_exceeded(payer),
        )

    def _hold(self, payer: Payer, nanos: int, *, slot: int) -> int:
        if nanos:
            facts: Row = {"slot": slot, "held_delta": nanos}
            self._chain.add(EntryKind.RESERVATION, payer, at=payer.began_at, facts=facts)
            self._balances.move(payer, held=nanos)
            self._memory.hold(payer.run_id, slot, nanos=nanos)
        return nanos

    def _start(self, step: Start) -> Grant | Shortage | None:
        place = step.place
        payer = self._payer_of(place.run_id)
        if payer is None or self._was_settled(place):
            return None  # wound up meanwhile, for this process was taken for dead; or told before
        shortage = self._balances.shortage(
            payer, None if step.bound_nanos is None else step.top_up_nanos
        )
        if shortage is not None:
            return shortage
        self._cursor.execute(
            self._statements.open_attempt,
            {
                "run_id": place.run_id,
                "slot": place.slot,
                "attempt": place.attempt,
                "payer": self._memory.texts.get(place.run_id) or payer_text(payer),
                "model": clean(step.model),
                "upstream": step.upstream,
                "sent_at": step.at,
                "settled": False,
                "posted_nanos": 0,
                "bound_nanos": step.bound_nanos,
                "generation_id": None,
                "counted": False,
                "first_try_at": None,
                "tries": 0,
                "next_try_at": None,
            },
        )
        if self._cursor.rowcount != 1:
            return None
        self._memory.attempts[place] = FoundAttempt(
            payer, clean(step.model), step.upstream, step.at, bound_nanos=step.bound_nanos
        )
        if step.top_up_nanos:
            facts: Row = {
                "slot": place.slot,
                "attempt": place.attempt,
                "model": clean(step.model),
                "held_delta": step.top_up_nanos,
            }
            self._chain.add(EntryKind.RESERVATION, payer, at=step.at, facts=facts)
            self._balances.move(payer, held=step.top_up_nanos)
            self._memory.hold(place.run_id, place.slot, nanos=step.top_up_nanos)
        return Grant({place.slot: step.top_up_nanos}, capped=bool(self._balances.hard(payer)))

    def _was_settled(self, place: Place) -> bool:
        """Only what is told again, after a transaction that failed, can have been settled before.

        The memory knows nothing of such a Run.
        """
        if place.run_id in self._memory.payers:
            return False
        self._cursor.execute(self._statements.read_settlement, at_place(place))
        return self._cursor.fetchone() is not None

    def _settle(self, step: Settle) -> None:
        unknown = not step.cost.state.is_known
        found = self._memory.attempts.pop(step.place, None)
        if found is None or unknown:
            found = self._attempt(step.place)
        if found is None:
            return  # settled already, or never begun
        if not unknown and not found.settled:
            self._cursor.execute(self._statements.close_started, at_place(step.place))
            found.settled = self._cursor.rowcount != 1
        if found.settled:
            # This process was taken for dead and its Run wound up: now it is known better.
            self._correct(Correct(step.place, step.at, step.cost, usage=step.usage))
            return
        held = self._held_in(step.place, step.held_nanos)
        facts: Row = {
            "held_delta": -held,
            "posted_delta": step.posted_nanos,
            "unknown_delta": int(unknown),
            "unsure_delta": step.posted_nanos if unknown else 0,
            "outcome": step.outcome,
            "generation_id": clean_or_none(step.generation_id) or found.generation_id,
            "provider": clean_or_none(step.provider),
        }
        facts |= found.facts(step.place) | cost_columns(step.cost) | token_columns(step.usage)
        self._chain.add(EntryKind.SETTLEMENT, found.payer, at=step.at, facts=facts)
        self._balances.move(found.payer, held=-held, posted=step.posted_nanos, unknown=int(unknown))
        self._memory.hold(step.place.run_id, step.place.slot, nanos=-held)
        self._note_excess(found, step.posted_nanos)
        if unknown:
            kept = {
                "new_posted": step.posted_nanos,
                "new_id": facts["generation_id"],
                "new_counted": step.usage != NO_USAGE,
                "new_try": step.at,
            }
            self._cursor.execute(self._statements.keep_attempt, of_place(step.place) | kept)

    def _correct(self, step: Correct) -> None:
        found = self._attempt(step.place)
        if found is None or not found.settled:
            return
        nanos, state = step.cost.nanos, step.cost.state
        is_known = state.is_known and nanos is not None
        if not is_known and state is not CostState.UNKNOWN_BILLED:
            return  # no better than what stands there
        posted = (nanos or 0) - found.posted_nanos if is_known else 0
        facts: Row = {
            "posted_delta": posted,
            "unknown_delta": -int(is_known),
            "unsure_delta": -found.posted_nanos if is_known else 0,
            "generation_id": found.generation_id,
            "provider": clean_or_none(step.provider),
            "normalised_prompt_tokens": step.normalised.prompt_tokens,
            "normalised_completion_tokens": step.normalised.completion_tokens,
        }
        facts |= found.facts(step.place) | cost_columns(step.cost)
        if not found.counted:
            facts |= token_columns(step.usage)
        self._chain.add(EntryKind.CORRECTION, found.payer, at=step.at, facts=facts)
        self._balances.move(found.payer, posted=posted, unknown=-int(is_known))
        self._note_excess(found, nanos or 0)
        self._cursor.execute(self._statements.close_attempt, at_place(step.place))
        self._chain.write()  # the query below adds up what is in the table
        self._cursor.execute(self._statements.restate_run, {"of_run": step.place.run_id})

    def _release(self, step: Release) -> None:
        payer = self._payer_of(step.run_id)
        if payer is None:
            return
        # As it stands there: this may be said twice, or after somebody else has wound the Run up.
        held = dict(self._still_held(step.run_id)).get(step.slot, 0)
        if step.held_nanos is not None:
            held = min(held, step.held_nanos)
        if held > 0:
            self._give_back(payer, held, slot=step.slot, at=step.at)

    def _give_back(self, payer: Payer, nanos: int, *, slot: int | None, at: str) -> None:
        facts: Row = {"slot": slot, "held_delta": -nanos}
        self._chain.add(EntryKind.RELEASE, payer, at=at, facts=facts)
        self._balances.move(payer, held=-nanos)
        self._memory.hold(payer.run_id, slot, nanos=-nanos)

    def _close(self, run_id: str, *, at: str) -> None:
        payer = self._payer_of(run_id)
        if payer is None:
            return
        self._cursor.execute(self._statements.close_run, {"run_id": run_id})
        held = self._memory.held.get(run_id)
        self._memory.close_run(run_id)
        if held is not None and not any(held.values()):
            return
        for slot, nanos in self._still_held(run_id):
            self._give_back(payer, nanos, slot=slot, at=at)

    # --- the dead ------------------------------------------------------------------------------

    def _bury_run(self, run_id: str, payer: Payer, *, at: str) -> bool:
        self._cursor.execute(self._statements.close_run, {"run_id": run_id})
        if self._cursor.rowcount != 1:
            return False  # another process was faster
        self._memory.close_run(run_id)
        self._cursor.execute(self._statements.attempts_of_run, {"run_id": run_id})
        for slot, attempt, bound, generation_id in self._cursor.fetchall():
            self._bury(Place(run_id, slot, attempt), bound, generation_id=generation_id, at=at)
        for slot, held in self._still_held(run_id):
            self._give_back(payer, held, slot=slot, at=at)
        return True

    def _bury(self, place: Place, bound: int | None, *, generation_id: str | None, at: str) -> None:
        """An Attempt was sent, and nobody is left who could say what came of it."""
        self._settle(
            Settle(
                place=place,
                at=at,
                outcome="cancelled",
                cost=Cost(bound, CostState.ESTIMATED),
                posted_nanos=bound or 0,
                held_nanos=bound or 0,
                generation_id=generation_id,
            )
        )

    def _held_in(self, place: Place, most: int) -> int:
        """What the Slot of an Attempt that is not settled holds, `most` at most."""
        held: Mapping[int | None, int] | None = self._memory.held.get(place.run_id)
        if held is None:
            held = dict(self._still_held(place.run_id))
        return min(held.get(place.slot, 0), most)

    # --- rows ----------------------------------------------------------------------------------

    def _lock(self, steps: Sequence[Step]) -> None:
        """Have the balances of everybody who pays for one of the steps."""
        if not self._balances.budgets:
            return
        payers: dict[str, Payer] = {}
        for step in steps:
            if isinstance(step, Reserve):
                payers[step.payer.run_id] = step.payer
                continue
            run_id = run_of(step)
            if run_id not in payers:
                found = self._payer_of(run_id)
                if found is None and isinstance(step, Settle | Correct):
                    attempt = self._attempt(step.place)
                    found = None if attempt is None else attempt.payer
                if found is not None:
                    payers[run_id] = found
        self._balances.lock(payers.values())

    def _payer_of(self, run_id: str) -> Payer | None:
        """Who pays for a Run under way; None: it is over."""
        payer = self._memory.payers.get(run_id)
        if payer is None:
            self._cursor.execute(self._statements.read_run, {"run_id": run_id})
            row = self._cursor.fetchone()
            payer = None if row is None else payer_from(row[0])
        return payer

    def _attempt(self, place: Place) -> FoundAttempt | None:
        self._cursor.execute(self._statements.read_attempt, at_place(place))
        row = self._cursor.fetchone()
        return None if row is None else FoundAttempt(payer_from(row[0]), *row[1:])

    def _still_held(self, run_id: str) -> list[tuple[int | None, int]]:
        self._chain.write()
        self._cursor.execute(self._statements.held_by_run, {"run_id": run_id})
        return [(slot, int(held)) for slot, held in self._cursor.fetchall() if held]

    def _note_excess(self, found: FoundAttempt, posted: int) -> None:
        """The upstream charged more than it was allowed to: nothing more under those Budgets."""
        budgets = list(self._balances.overdrawn(found.payer))
        if found.bound_nanos is not None and posted > found.bound_nanos:
            budgets += self._balances.hard(found.payer)
        for budget in budgets:
            if not budget.closed:
                self._overdrawn[budget.name] = budget
