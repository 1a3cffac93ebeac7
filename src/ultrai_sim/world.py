"""The simulated world: what is configured, and everything that has happened since the last reset.

A `World` is made by a test or from a scenario, handed to a server, and may be read and changed
while it serves (all in one event loop). The same world with the same seed answers the same
requests the same way; only stamps follow its clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

from aiohttp import web

from ultrai_sim.accounting import Account, AccountTerms, BillLine, Charge, KeyTerms
from ultrai_sim.catalogue import Catalogue, Model, load_catalogue
from ultrai_sim.clock import Clock, iso, wall_clock
from ultrai_sim.faults import Fault, FaultBook
from ultrai_sim.prompt_cache import PromptCache
from ultrai_sim.schedule import Latency
from ultrai_sim.speech import Answer
from ultrai_sim.wire import Frame, UsageDialect

MOST_REQUESTS_KEPT = 10_000
MOST_RENDERED_KEPT = 256


@dataclass(slots=True)
class SeenRequest:
    """One request as the server saw it; secrets are masked. Stamps are seconds since the epoch.

    ``outcome``: ``refused``, ``complete``, ``cut`` (broken off on purpose), ``client_left``,
    ``other`` for what is not a chat.
    """

    n: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    started_at: float
    peer_port: int | None = None
    body: Any = None
    model: str | None = None
    attempt: int | None = None
    stream: bool | None = None
    faults: tuple[str, ...] = ()
    generation_id: str | None = None
    status: int | None = None
    outcome: str = "other"
    finished_at: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `/sim/requests` shows it, times in ISO-8601."""
        row = asdict(self)
        for name in ("started_at", "finished_at"):
            row[name] = None if row[name] is None else iso(row[name])
        return row


SEEN = web.RequestKey("seen", SeenRequest)
"""Where a request keeps its own record while it is answered."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer without its envelope: frames where it is streamed, else a body.

    ``normalised`` are its tokens, prompt and completion, as one tokenizer for all models counts.
    """

    answer: Answer
    charge: Charge
    usage: Mapping[str, Any]
    frames: Sequence[Frame]
    tails: Sequence[bytes]
    body: bytes
    normalised: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Generation:
    """A finished or cancelled request, as `/generation` tells it from ``available_at`` on."""

    line: BillLine
    model: str
    provider: str
    finish_reason: str | None
    native_finish_reason: str | None
    reasoning_tokens: int
    normalised: tuple[int, int]
    streamed: bool
    created_at: float
    elapsed_s: float
    available_at: float
    api_type: str = "completions"
    cached_tokens: int = 0
    cache_discount: float | None = None


@dataclass
class World:
    """Configuration first, then state (``init=False``).

    ``catalogue`` is a built-in one's name or a `Catalogue`; ``models`` are put into it. ``says``
    fixes the text of a model's answers. ``comments`` keep-alive comments open every stream.
    ``generation_lag_s`` is how long `/generation` answers 404 after the end of a request.
    """

    seed: int = 0
    catalogue: Catalogue | str = "today"
    models: Sequence[Model] = ()
    faults: Sequence[Fault] = ()
    latency: Latency = field(default_factory=Latency)
    account: AccountTerms = field(default_factory=AccountTerms)
    keys: Sequence[KeyTerms] = ()
    says: Mapping[str, str] = field(default_factory=dict)
    usage_dialect: UsageDialect = "c"
    comments: int = 1
    tokens_per_frame: int = 3
    generation_lag_s: float = 0.0
    clock: Clock = wall_clock

    listing: Catalogue = field(init=False, repr=False)
    book: FaultBook = field(init=False, repr=False)
    money: Account = field(init=False, repr=False)
    requests: deque[SeenRequest] = field(init=False, repr=False)
    generations: dict[str, Generation] = field(init=False, repr=False)
    rendered: dict[tuple[Any, ...], Rendered] = field(init=False, repr=False)
    prompt_cache: PromptCache = field(init=False, repr=False)
    bodies: dict[str, bytes] = field(init=False, repr=False)
    observers: list[Callable[[SeenRequest], None]] = field(init=False, repr=False)
    in_flight: int = field(init=False, default=0)
    peak_in_flight: int = field(init=False, default=0)
    received: int = field(init=False, default=0)
    epoch: int = field(init=False, default=-1)
    asked: Counter[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Start with nothing seen."""
        self.observers = []
        if not self.keys:
            secret = blake2b(f"key {self.seed}".encode(), digest_size=32).hexdigest()
            self.keys = (KeyTerms(f"sk-or-v1-{secret}"),)
        self.reset()

    @property
    def api_key(self) -> str:
        """The first key, which works unless it is disabled."""
        return self.keys[0].key

    @property
    def bill(self) -> list[BillLine]:
        """Every generation so far, billed or not."""
        return self.money.bill

    def reset(self) -> None:
        """Forget all that happened; money, quotas and faults are as configured."""
        listing = self.catalogue
        if isinstance(listing, str):
            listing = load_catalogue(listing)
        self.listing = listing.with_models(self.models) if self.models else listing
        self.book = FaultBook(self.faults)
        self.money = Account(self.account, {terms.key: terms for terms in self.keys})
        self.requests = deque(maxlen=MOST_REQUESTS_KEPT)
        self.generations = {}
        self.rendered = {}
        self.prompt_cache = PromptCache()
        self.bodies = {}
        self.peak_in_flight = self.in_flight
        self.received = 0
        self.epoch += 1
        self.asked = Counter()

    def set_faults(self, faults: Iterable[Fault]) -> None:
        """These faults and no others from now on; attempts are counted anew."""
        self.book = FaultBook(faults)

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
        self.requests.append(seen)
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
        if len(self.generations) >= MOST_REQUESTS_KEPT:
            del self.generations[next(iter(self.generations))]
        self.generations[generation.line.generation_id] = generation


WORLD = web.AppKey("world", World)
"""Where an application keeps the world that it serves."""
