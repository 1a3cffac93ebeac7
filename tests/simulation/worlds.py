"""Worlds: everything that one simulation decides beforehand, drawn from its seed.

A world is a value. `draw_world(seed)` always draws the same one: models and prices, the network's
and the upstream's latencies, which faults are switched on (each world a random few, so that they
also meet one another), the account's means, the user's settings, what is asked, what the user does
meanwhile and at which point the process dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from tests.simulation.breakage import draw_fault_aside, draw_faults

from ultrai_sim import AccountTerms, Fault, KeyTerms, Latency

CRASH_POINTS = (
    "before the listing",
    "after the listing",
    "run_started is queued",
    "planned is queued",
    "attempt_started is queued",
    "a connection is asked for",
    "a connection stands",
    "the request has arrived",
    "first_token is queued",
    "text is queued",
    "attempt_failed is queued",
    "slot_answered is queued",
    "slot_answered is committed",
    "slot_failed is queued",
    "report is queued",
    "report is committed",
    "while it closes",
)
ACTIONS = ("stop_waiting", "cancel", "cancel_task", "stop_reading")


@dataclass(frozen=True)
class ModelTerms:
    """One model of the world's catalogue."""

    id: str
    pricing: Mapping[str, object]
    window: int
    reasons: bool = False
    retired: bool = False
    providers: tuple[str, ...] = ("OpenAI",)

    @property
    def is_free(self) -> bool:
        return self.id.endswith(":free")


@dataclass(frozen=True)
class Question:
    """One `ask`. `pause_s`: how long after the one before it (0: together with it)."""

    prompt: str
    slots: tuple[tuple[str, ...], ...]  # a primary and its backups each
    named: bool  # asked with `-m`, without backups
    max_tokens: int
    deadline_s: float
    quorum: int | None
    max_cost_usd: str | None
    streaming: bool
    strict: bool
    pause_s: float
    action: str | None = None
    action_s: float = 0.0
    paragraphs: int = 0  # of a document that it is about
    fit: str = "auto"


@dataclass(frozen=True)
class NetworkTerms:
    """How connections fare."""

    delay_s: float = 0.0
    connect_s: float = 0.0
    refused_share: float = 0.0
    cuts: int = 0  # at how many places, at most, a write is cut into several reads


@dataclass(frozen=True)
class WorldTerms:
    """All of it."""

    seed: int
    models: tuple[ModelTerms, ...]
    faults: tuple[Fault, ...]
    latency: Latency
    network: NetworkTerms
    account: AccountTerms
    key: KeyTerms
    usage_dialect: str
    comments: int
    questions: tuple[Question, ...]
    concurrency: int
    max_attempts: int
    max_wait_s: float
    paces: dict[str, int] = field(default_factory=dict)
    says: str | None = None  # what every model answers; None: as the simulator composes it
    crash_at: str | None = None
    crash_after: int = 1  # the how-manieth time that point is reached
    budget_nanos: int | None = None  # one hard budget over everything
    cached: bool = False  # whether answers are kept, and one question is asked again
    generation_lag_s: float = 0.0  # how late the upstream tells what an Attempt has cost


def draw_world(seed: int) -> WorldTerms:
    """The world of this seed."""
    source = Random(f"world {seed}")
    models = _draw_models(source)
    ids = [model.id for model in models if not model.retired]
    questions = _draw_questions(source, models)
    crash_at = source.choice(CRASH_POINTS) if source.random() < 0.4 else None
    terms = WorldTerms(
        seed=seed,
        models=models,
        faults=draw_faults(source, ids),
        latency=Latency(
            head_s=source.choice((0.0, 0.05, 0.4)),
            first_token_s=source.choice((0.0, 0.2, 1.5)),
            per_token_s=source.choice((0.0, 0.01, 0.05)),
        ),
        network=NetworkTerms(
            delay_s=source.choice((0.0, 0.0, 0.02, 0.15)),
            connect_s=source.choice((0.0, 0.05)),
            refused_share=source.choice((0.0, 0.0, 0.0, 0.1)),
            cuts=source.choice((0, 0, 2, 6)),
        ),
        account=_draw_account(source),
        key=KeyTerms(
            f"sk-or-v1-{source.getrandbits(256):064x}",
            limit_usd="0.002" if source.random() < 0.1 else None,
            disabled=source.random() < 0.02,
        ),
        usage_dialect=source.choice("abc"),
        comments=source.choice((0, 1, 3)),
        questions=questions,
        concurrency=source.choice((50, 50, 3, 1)),
        max_attempts=source.choice((3, 3, 2, 1)),
        max_wait_s=source.choice((20.0, 20.0, 1.0)),
        paces={"*": source.choice((6, 30))} if source.random() < 0.1 else {},
        says=_draw_text(source) if source.random() < 2 / 3 else None,
        crash_at=crash_at,
        crash_after=1 if source.random() < 0.6 else source.randint(2, 4),
        # From what pays for no run at all to what pays for all of them.
        budget_nanos=int(10 ** source.uniform(5, 9)) if source.random() < 0.3 else None,
        # Now and then so late that the reconciler has to come again, or gives up.
        generation_lag_s=source.choice((0.0, 0.0, 0.0, 5.0, 91_000.0, 200_000.0)),
    )
    pressing = source.random()
    if pressing < 0.05:
        return _make_thrifty(terms, source)
    if pressing < 0.07:
        return _make_crowded(terms, source)
    books = Random(f"books {seed}")
    if books.random() < 0.12:
        terms = _make_bookish(terms, books)
    aside = Random(f"aside {seed}")
    if aside.random() < 0.15:
        terms = replace(terms, faults=(*terms.faults, draw_fault_aside(aside)))
    memory = Random(f"memory {seed}")
    return _make_repetitive(terms, memory) if memory.random() < 0.2 else terms


def _make_repetitive(terms: WorldTerms, source: Random) -> WorldTerms:
    """The same where answers are kept: its first question is asked again, at once or later."""
    again = replace(
        terms.questions[0],
        pause_s=source.choice((0.0, 0.5, 40.0)),
        action=source.choice((None, None, None, "cancel")),
    )
    return replace(terms, questions=(*terms.questions, again), cached=True)


def _make_bookish(terms: WorldTerms, source: Random) -> WorldTerms:
    """The same with questions about a document, of which small windows hold only a part."""
    questions = tuple(
        replace(
            question,
            paragraphs=source.choice((5, 300, 900)),
            fit=source.choice(("auto", "summarise", "summarise", "retrieve", "compress", "whole")),
            max_cost_usd=source.choice((None, None, "30", "3")),
        )
        for question in terms.questions
    )
    poor = terms.budget_nanos is not None
    budget_nanos = int(10 ** source.uniform(8, 11)) if poor else None
    return replace(terms, questions=questions, budget_nanos=budget_nanos)


def _make_thrifty(terms: WorldTerms, source: Random) -> WorldTerms:
    """The same with means that pay for a question or two: answers as long as they may be."""
    asked = replace(terms.questions[0], max_tokens=200, deadline_s=180.0, pause_s=40.0, action=None)
    prices = {model.id: Decimal(str(model.pricing["completion"])) for model in terms.models}
    needed_usd = sum(250 * max(prices[each] for each in slot) for slot in asked.slots)
    questions = []
    for number in range(4):
        cap = f"{needed_usd * Decimal(source.uniform(0.8, 1.6)):.9f}"
        prompt = asked.prompt.replace("Question 0", f"Question {number}")[:80]
        capped = cap if needed_usd and source.random() < 0.5 else None
        questions.append(replace(asked, prompt=prompt, max_cost_usd=capped))
    budget_nanos = int(needed_usd * Decimal(source.uniform(1, 2.5)) * 10**9) or None
    # What was cut has to be paid, so that there may be too little for whoever is asked next.
    faults = (Fault(kind="cut", attempts=(1, 3)),) if source.random() < 0.5 else terms.faults
    terms = replace(terms, faults=faults, says=None, budget_nanos=budget_nanos)
    return replace(terms, questions=tuple(questions))


def _make_crowded(terms: WorldTerms, source: Random) -> WorldTerms:
    """The same with so many free requests that a minute's share of them is used up."""
    models = tuple(
        replace(model, id=f"{model.id.removesuffix(':free')}:free", pricing=_FREE, retired=False)
        if number
        else model
        for number, model in enumerate(terms.models)
    )
    slots = tuple((model.id,) for model in models[1:])
    questions = []
    for number in range(-(-30 // len(slots))):
        prompt = f"Question {number}: {source.choice(_WORDS)}"
        questions.append(
            replace(terms.questions[0], prompt=prompt, slots=slots, named=True, pause_s=0.0)
        )
    account = AccountTerms(credits_usd="1000")
    return replace(terms, models=models, questions=tuple(questions), account=account, faults=())


def _draw_models(source: Random) -> tuple[ModelTerms, ...]:
    models = []
    for number in range(source.randint(3, 9)):
        free = number > 0 and source.random() < 0.15  # the healed world asks paid ones
        per_token = source.choice(("0.0000001", "0.00000025", "0.000002", "0.000015"))
        makers = ("OpenAI", "Google", "DeepInfra", "Mistral")
        models.append(
            ModelTerms(
                id=f"maker{number % 3}/model-{number}" + (":free" if free else ""),
                pricing=_FREE if free else _draw_prices(source, Decimal(per_token)),
                window=source.choice((8_000, 128_000)),
                reasons=source.random() < 0.2,
                retired=number > 2 and source.random() < 0.15,
                providers=tuple(source.sample(makers, source.choice((1, 1, 2)))),
            )
        )
    return tuple(models)


def _draw_prices(source: Random, per_token: Decimal) -> Mapping[str, object]:
    prices: dict[str, object] = {"prompt": f"{per_token:f}", "completion": f"{per_token * 4:f}"}
    if source.random() < 0.1:
        prices["request"] = "0.0001"
    if source.random() < 0.1:
        dearer = {"prompt": f"{per_token * 3:f}", "completion": f"{per_token * 12:f}"}
        prices["overrides"] = [{"min_prompt_tokens": source.choice((5, 4000)), **dearer}]
    return prices


def _draw_account(source: Random) -> AccountTerms:
    credits_usd = "1000" if source.random() < 0.8 else source.choice(("20", "0.01", "0"))
    daily = 3 if source.random() < 0.2 else None
    return AccountTerms(credits_usd=credits_usd, free_daily_limit=daily)


def _draw_text(source: Random) -> str:
    return " ".join(source.choice(_WORDS) for _ in range(source.choice((1, 12, 60))))


def _draw_questions(source: Random, models: tuple[ModelTerms, ...]) -> tuple[Question, ...]:
    return tuple(
        _draw_question(source, [model.id for model in models], number)
        for number in range(source.choice((1, 1, 2, 3)))
    )


def _draw_question(source: Random, ids: list[str], number: int) -> Question:
    named = source.random() < 0.2
    width = source.randint(1, min(5, len(ids)))
    primaries = source.sample(ids, width)
    slots = []
    for primary in primaries:
        others = [each for each in ids if each != primary]
        backups = source.sample(others, min(len(others), source.randint(0, 3)))
        slots.append((primary, *(() if named else backups)))
    acts = source.random() < 0.25
    # Now and then so much that it just fits into the smaller windows, or just not.
    filler = " so it goes" * source.randint(2000, 3200) if source.random() < 0.05 else ""
    return Question(
        prompt=f"Question {number}: " + " ".join(source.choice(_WORDS) for _ in range(6)) + filler,
        slots=tuple(slots),
        named=named,
        max_tokens=source.choice((1000, 200, 20)),
        deadline_s=source.choice((180.0, 180.0, 30.0, 5.0)),
        quorum=source.choice((None, None, None, 1, width)),
        max_cost_usd=source.choice((None, None, None, None, "0.5", "0.05", "0.01", "0.002")),
        streaming=source.random() < 0.7,
        strict=source.random() < 0.05,
        pause_s=source.choice((0.0, 0.0, 1.0, 40.0)),
        action=source.choice(ACTIONS) if acts else None,
        action_s=source.choice((0.0, 0.1, 1.0, 4.0)),
    )


_FREE: Mapping[str, object] = {"prompt": "0", "completion": "0"}
_WORDS = ("quantum", "café", "naïve", "growth", "river", "数字", "энтропия", "🧪", "market", "loop")
