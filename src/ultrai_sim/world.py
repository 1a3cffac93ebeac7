"""The simulated world: what is configured, and everything that has happened since the last reset.

A `World` is made by a test or from a scenario, handed to a server, and may be read and changed
while it serves (all in one event loop). The same world with the same seed answers the same
requests the same way; only stamps follow its clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
from aiohttp import web

from ultrai_sim.account import Account
from ultrai_sim.bill import Bill
from ultrai_sim.catalogue import Catalogue, Model, load_catalogue
from ultrai_sim.changes import Change, Changes
from ultrai_sim.charges import Charge
from ultrai_sim.clock import Clock, WorldClock, iso, wall_clock
from ultrai_sim.faults import Fault, FaultBook
from ultrai_sim.generations import Generation
from ultrai_sim.keys import KINDS, Key, KeyTerms, KeyTermsError
from ultrai_sim.listing_query import ListingQuery
from ultrai_sim.memory import Generations, Requests
from ultrai_sim.pace import Pace, pace_of
from ultrai_sim.prompt_cache import PromptCache
from ultrai_sim.response_cache import ResponseCache
from ultrai_sim.schedule import Latency
from ultrai_sim.speech import Answer
from ultrai_sim.terms import AccountTerms
from ultrai_sim.wire import Frame, UsageDialect

MOST_RENDERED_KEPT = 256


@dataclass(slots=True)
class SeenRequest:
    """One request as the server saw it; secrets are masked. Stamps are seconds since the epoch.

    ``outcome``: ``refused``, ``complete``, ``cut`` (broken off on purpose), ``client_left``,
    ``other`` for what is not a chat. ``raw`` is the body of a chat or an embedding, once it is
    known to be JSON; ``size`` is in bytes, what it takes to remember.
    """

    n: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    started_at: float
    peer_port: int | None = None
    raw: bytes = b""
    model: str | None = None
    attempt: int | None = None
    stream: bool | None = None
    faults: tuple[str, ...] = ()
    generation_id: str | None = None
    status: int | None = None
    outcome: str = "other"
    finished_at: float | None = None
    size: int = 0

    @property
    def body(self) -> Any:
        """The body as JSON; None where there is none."""
        return msgspec.json.decode(self.raw) if self.raw else None

    def to_dict(self) -> dict[str, Any]:
        """As `/sim/requests` shows it, times in ISO-8601."""
        row = {name: getattr(self, name) for name in TOLD}
        for name in ("started_at", "finished_at"):
            row[name] = None if row[name] is None else iso(row[name])
        return row


TOLD = (
    *("n", "method", "path", "query", "headers", "started_at", "peer_port", "body", "model"),
    *("attempt", "stream", "faults", "generation_id", "status", "outcome", "finished_at"),
)


SEEN = web.RequestKey("seen", SeenRequest)
"""Where a request keeps its own record while it is answered."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer without its envelope: frames where it is streamed, else a body.

    ``normalised`` are its tokens, prompt and completion, as one tokenizer for all models counts;
    ``told`` are its text and its reasoning.
    """

    answer: Answer
    charge: Charge
    usage: Mapping[str, Any]
    frames: Sequence[Frame]
    tails: Sequence[bytes]
    body: bytes
    normalised: tuple[int, int]
    told: tuple[str, str | None]


@dataclass
class World:
    """Configuration first, then state (``init=False``).

    ``catalogue`` is a built-in one's name or a `Catalogue`; ``models`` are put into it. ``says``
    fixes the text of a model's answers. Prompts with a ``flagged`` word are refused by moderated
    models, those with a ``blocked`` one by all, as a guardrail does. ``comments`` keep-alive
    comments open every stream.
    ``paces`` are latencies that vary, or differ from model to model; ``changes`` happen later.
    ``generation_lag_s`` is how long `/generation` answers 404 after the end of a request.
    """

    seed: int = 0
    catalogue: Catalogue | str = "today"
    models: Sequence[Model] = ()
    faults: Sequence[Fault] = ()
    latency: Latency = field(default_factory=Latency)
    paces: tuple[Pace, ...] = ()
    changes: Sequence[Change] = ()
    account: AccountTerms = field(default_factory=AccountTerms)
    keys: Sequence[KeyTerms] = ()
    says: Mapping[str, str] = field(default_factory=dict)
    flagged: Sequence[str] = ("FLAG-THIS",)
    blocked: Sequence[str] = ("ignore all previous instructions",)
    usage_dialect: UsageDialect = "c"
    comments: int = 1
    tokens_per_frame: int = 3
    generation_lag_s: float = 0.0
    clock: Clock = wall_clock

    listing: Catalogue = field(init=False, repr=False)
    book: FaultBook = field(init=False, repr=False)
    money: Account = field(init=False, repr=False)
    requests: Requests = field(init=False, repr=False)
    generations: Generations = field(init=False, repr=False)
    read: dict[tuple[bytes, str, str], tuple[Model, Any]] = field(init=False, repr=False)
    rendered: dict[tuple[Any, ...], Rendered] = field(init=False, repr=False)
    prompt_cache: PromptCache = field(init=False, repr=False)
    response_cache: ResponseCache = field(init=False, repr=False)
    bodies: dict[ListingQuery, bytes] = field(init=False, repr=False)
    observers: list[Callable[[SeenRequest], None]] = field(init=False, repr=False)
    in_flight: int = field(init=False, default=0)
    peak_in_flight: int = field(init=False, default=0)
    received: int = field(init=False, default=0)
    epoch: int = field(init=False, default=-1)
    asked: Counter[str] = field(init=False, repr=False)
    began: float = field(init=False, repr=False)
    coming: Changes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start with nothing seen."""
        self.observers = []
        self.reset()

    @property
    def api_key(self) -> str:
        """The first inference key, which works unless it is disabled."""
        return next(key.secret for key in self.money.keys.values() if key.kind == "inference")

    @property
    def management_key(self) -> str:
        """The first management key."""
        return next(key.secret for key in self.money.keys.values() if key.kind == "management")

    @property
    def bill(self) -> Bill:
        """Every generation so far, billed or not; the latest of them line by line."""
        return self.money.bill

    def reset(self) -> None:
        """Forget all that happened; money, quotas and faults are as configured."""
        listing = self.catalogue
        if isinstance(listing, str):
            listing = load_catalogue(listing)
        self.listing = listing.with_models(self.models) if self.models else listing
        self.book = FaultBook(self.faults, seed=self.seed)
        if not isinstance(self.clock, WorldClock):
            self.clock = WorldClock(self.clock)
        self.clock.ahead_s = 0.0
        self.began = self.clock()
        self.money = Account(self.account, self._fresh_keys(self.clock()))
        self.coming = Changes(self.changes)
        self.requests = Requests()
        self.generations = Generations()
        self.read = {}
        self.rendered = {}
        self.prompt_cache = PromptCache()
        self.response_cache = ResponseCache()
        self.bodies = {}
        self.peak_in_flight = self.in_flight
        self.received = 0
        self.epoch += 1
        self.asked = Counter()

    def advance(self, seconds: float) -> None:
        """Put the clock forward: quotas, windows and lags follow it, nobody has to wait."""
        if not isinstance(self.clock, WorldClock):
            self.clock = WorldClock(self.clock)
        self.clock.advance(seconds)

    def _fresh_keys(self, now: float) -> list[Key]:
        """The keys as configured, and of each kind that is missing one made from the seed."""
        terms = list(self.keys)
        if len({one.key for one in terms}) < len(terms):
            message = "key: two keys have the same secret; each needs its own"
            raise KeyTermsError(message)
        for kind in KINDS:
            if all(one.kind != kind for one in terms):
                name = "key" if kind == "inference" else "management key"
                secret = blake2b(f"{name} {self.seed}".encode(), digest_size=32).hexdigest()
                terms.append(KeyTerms(f"sk-or-v1-{secret}", kind=kind, name=f"The {kind} key"))
        return [Key.of(one, now=now) for one in terms]

    def latency_of(self, model_id: str, drawn: str) -> Latency:
        """How long one request takes; ``drawn`` is the request's own."""
        if not self.paces:
            return self.latency
        pace = pace_of(self.paces, model_id)
        return self.latency if pace is None else pace.latency(f"{self.seed} {drawn}".encode())

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """These faults and no others from now on; attempts are counted anew."""
        self.book = FaultBook(faults, seed=self.seed)

    def chats(self, model_id: str | None = None) -> list[SeenRequest]:
        """The chat requests seen, for one model or for all, oldest first."""
        return [
            seen
            for seen in self.requests
            if seen.path.endswith("/chat/completions") and model_id in (None, seen.model)
        ]

    def draw_id(self, model_id: str, likeness: bytes) -> bytes:
        """15 bytes that no other request of this world gets, whatever else is going on."""
        self.asked[model_id] += 1
        digest = blake2b(
            f"{self.seed} {self.epoch} {self.asked[model_id]}".encode(), digest_size=15
        )
        digest.update(model_id.encode("utf-8", "replace") + likeness)
        return digest.digest()

    def see(self, seen: SeenRequest) -> None:
        """A request has begun."""
        self.requests.add(seen)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def finish(self, seen: SeenRequest, status: int | None) -> None:
        """A request is over; ``status`` None means that no head went out."""
        self.in_flight -= 1
        seen.status = status
        seen.finished_at = self.clock()
        for observe in self.observers:
            observe(seen)

    def remember(self, key: tuple[Any, ...], rendered: Rendered) -> Rendered:
        """Keep a rendered answer for the next request like this one."""
        if len(self.rendered) >= MOST_RENDERED_KEPT:
            self.rendered.clear()
        self.rendered[key] = rendered
        return rendered

    def record(self, generation: Generation) -> None:
        """Post a generation to the bill, and keep it for `/generation`."""
        self.money.post(generation.line)
        self.generations.add(generation)


WORLD = web.AppKey("world", World)
"""Where an application keeps the world that it serves."""
