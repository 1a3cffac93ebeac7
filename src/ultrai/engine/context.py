"""Carries out the fitting plan: what each model gets of a Query's documents.

Theory of operation. One `Contexts` belongs to one Query. A model's window gives the room that its
prompt may take; `policy/fitting.py` says which way that room is filled; the way is gone here, once
for each way, room and family of tokenizers, so that equal Slots share the work. What a model gets
is decided once and holds for the whole Run: its price, its Attempts and the Report speak of it.

All of it is reckoning on texts. Large texts take their time (`is_heavy`): then planning belongs in
a thread. Summaries are only promised here: others write them while the Run is under way and put
them in. It does not know prices, Slots or who is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property

from ultrai.domain.catalog import Model
from ultrai.domain.document import Document
from ultrai.domain.fitting import FitMode, FitWish, SourceFit
from ultrai.domain.plan import PlannedCandidate
from ultrai.domain.query import Message, Query
from ultrai.engine.fitted import (
    Fitted,
    all_lines,
    digested,
    file_tokens,
    holds,
    lines_of,
    make_fit,
    promised,
)
from ultrai.policy.chunking import LEAST_CHUNK_TOKENS, kind_of
from ultrai.policy.cleaning import clean
from ultrai.policy.compressing import compress
from ultrai.policy.digesting import DIGEST_TOKENS, Outline, Part, outline
from ultrai.policy.fitting import Size, Task, room_of, task_of, verdict
from ultrai.policy.pins import find_pins, shown_pin
from ultrai.policy.retrieving import Pool, make_pool, pick
from ultrai.policy.showing import CITE, Shown, block_of, show
from ultrai.policy.tokens import (
    TokenCounts,
    bound_tokens,
    estimate_tokens,
    scale_of,
    text_tokens,
)

HEAVY_CHARACTERS = 50_000
RETRIEVE_TOKENS = 20_000
COMPRESS_TIMES = 3  # what `--fit compress` aims at where no window asks for more
_UNMATCHED = "no passage has a word in common with the question, so these are the beginnings"
_UNAFFORDABLE = "more would pass its share of the cost cap"
_USUAL_BYTES_PER_TOKEN = 5
_SAMPLE, _SAMPLED = 10_000, 20  # characters, of so many documents
_SHORTENED = "shortened: […] stands for what is left out"


class Contexts:
    """The ways in which one Query's documents are made to fit.

    Raises UsageError for a pin that stands in no document.
    """

    def __init__(
        self,
        query: Query,
        *,
        wish: FitWish = FitWish.AUTO,
        pins: Sequence[str] = (),
        retrieve_tokens: int = RETRIEVE_TOKENS,
    ) -> None:
        self.query = query
        self.wish = wish
        self._retrieve_tokens = retrieve_tokens
        self._pins = find_pins(pins, query.documents)
        self._fitted: dict[str, Fitted] = {}
        self._ways: dict[tuple[FitMode, int, str | None], Fitted] = {}
        self._estimates: dict[tuple[int, str | None], int] = {}
        self._bounds: dict[int, int] = {}
        self._complete: dict[FitMode, tuple[Message, ...]] = {}
        self._pools: list[Pool] = []
        self._digest_is_here = asyncio.Event()
        self._relative: dict[str | None, float] = {}
        self._outlines: dict[tuple[int, int], Outline] = {}

    @cached_property
    def _task(self) -> Task:
        """What the prompt asks for: looked at only where something has to be fitted."""
        return task_of(self.query.prompt)

    @property
    def is_heavy(self) -> bool:
        """Whether fitting takes long enough to be noticed by whoever shares the thread."""
        return sum(len(document.text) for document in self.query.documents) > HEAVY_CHARACTERS

    def with_tokens(self, max_tokens: int) -> Contexts:
        """The same for another `max_tokens`: what models get stays as it was decided."""
        other = copy(self)
        other.query = self.query.with_tokens(max_tokens)
        return other

    def fitted(
        self, model: Model, counts: TokenCounts, *, output: int, most_bound: int | None = None
    ) -> Fitted:
        """What the model gets beside an answer of so many tokens; decided when first asked.

        `most_bound`: what a cost cap affords, as a bound on the prompt's tokens.
        """
        made = self._fitted.get(model.id)
        if made is None:
            made = self._decide(model, counts, output=output)
            if most_bound is not None and self.wish is FitWish.AUTO and made.fit is not None:
                made = self._affordable(made, most_bound, tokenizer=model.tokenizer)
            self._fitted[model.id] = made
        return made

    def messages_of(self, model_id: str) -> tuple[Message, ...]:
        """What is sent to the model; all there is where nobody knows its window."""
        fitted = self._fitted.get(model_id)
        return self.whole(None).messages if fitted is None else fitted.messages

    def whole(self, tokenizer: str | None) -> Fitted:
        """Everything as it is."""
        return self._way(FitMode.WHOLE, 0, tokenizer=tokenizer)

    def sizes(self, fitted: Fitted, tokenizer: str | None) -> tuple[int, int]:
        """About how many tokens the prompt makes, and a bound on them."""
        if fitted.most_tokens:
            return fitted.most_tokens, fitted.most_bound
        return self.estimate(fitted.messages, tokenizer), self.bound(fitted.messages)

    def facts_of(self, candidate: PlannedCandidate) -> dict[str, object]:
        """What the Candidate gets, as a fact of an Event; nothing where there are no documents.

        What was to be written is told as it has come out; `prompt_tokens` is what was planned.
        """
        planned, made = candidate.fit, self._fitted.get(candidate.model)
        if planned is None:
            return {}
        fit = planned if made is None or made.fit is None else made.fit
        return {"fit": replace(fit, prompt_tokens=planned.prompt_tokens).to_dict()}

    def relative(self, tokenizer: str | None) -> float:
        """How many tokens of a family the documents make for one of the plain scale."""
        if tokenizer not in self._relative:
            sample = "".join(each.text[:_SAMPLE] for each in self.query.documents[:_SAMPLED])
            plain = scale_of(None).weigh(sample)
            self._relative[tokenizer] = scale_of(tokenizer).weigh(sample) / plain if plain else 1.0
        return self._relative[tokenizer]

    def summary_room(self, model_id: str) -> int:
        """How many tokens of summaries a model holds that was promised some, in the plain scale."""
        fitted = self._fitted[model_id]
        left = fitted.most_tokens - self.estimate(fitted.messages, fitted.tokenizer)
        return int(left / self.relative(fitted.tokenizer))

    def outline(self, *, part_tokens: int, most_tokens: int) -> Outline:
        """The documents in parts to be summarised; drawn once."""
        key = (part_tokens, most_tokens)
        if key not in self._outlines:
            documents = self.query.documents
            self._outlines[key] = outline(documents, part_tokens=key[0], most_tokens=key[1])
        return self._outlines[key]

    async def written(self, candidate: PlannedCandidate) -> None:
        """Wait until what the Candidate was promised is written."""
        if candidate.fit is not None and candidate.fit.mode is FitMode.SUMMARISE:
            await self._digest_is_here.wait()

    def suffices(self, level: Sequence[Part]) -> bool:
        """Whether every model that was promised a summary holds these."""
        promises = [each for each in self._fitted.values() if each.most_tokens]
        return all(holds(self.query, promise, level=level) for promise in promises)

    def put_digest(self, levels: Sequence[Sequence[Part]]) -> None:
        """Take in the summaries, the finest level first: each model gets the finest it holds."""
        self._digest_is_here.set()
        for model_id, fitted in self._fitted.items():
            if fitted.most_tokens:
                self._fitted[model_id] = digested(self.query, fitted, levels=levels)

    def estimate(self, messages: tuple[Message, ...], tokenizer: str | None) -> int:
        """About how many tokens the messages make, reckoned once for each family."""
        key = (id(messages), tokenizer)  # all messages stay with their way
        if key not in self._estimates:
            self._estimates[key] = estimate_tokens(messages, tokenizer)
        return self._estimates[key]

    def estimate_of(self, model_id: str, tokenizer: str | None) -> int:
        """The same for what is sent to the model."""
        return self.estimate(self.messages_of(model_id), tokenizer)

    def bound_of(self, model_id: str) -> int:
        """No tokenizer makes more tokens than this of what is sent to the model."""
        return self.bound(self.messages_of(model_id))

    def bound(self, messages: tuple[Message, ...]) -> int:
        """No tokenizer makes more tokens of the messages than this; reckoned once."""
        if id(messages) not in self._bounds:
            self._bounds[id(messages)] = bound_tokens(messages)
        return self._bounds[id(messages)]

    def _decide(self, model: Model, counts: TokenCounts, *, output: int) -> Fitted:
        if not self.query.documents:
            return Fitted(self.query.messages)
        family, window = model.tokenizer, model.context_length
        room = None
        if window:
            room = room_of(window, output=min(output, window // 2), counts=counts, tokenizer=family)
        bare = self.estimate(self.query.messages, family)
        whole = self.estimate(self.whole(family).messages, family)
        cleaned = whole
        if room is not None and whole > room:
            cleaned = self.estimate(
                self._way(FitMode.CLEANED, 0, tokenizer=family).messages, family
            )
        size = Size(whole, cleaned, bare, len(self.query.documents))
        mode = verdict(self.wish, size, room=room, task=self._task)
        limit = self._limit(mode, size, room=room)
        made = self._way(mode, limit, tokenizer=family)
        if made.refusal:
            why = f"{model.id} holds {window or limit:,} tokens: {made.refusal}"
            return replace(made, refusal=why)
        return made

    def _affordable(self, made: Fitted, most_bound: int, *, tokenizer: str | None) -> Fitted:
        """The same, or less of the documents where it would pass what the cost cap affords."""
        estimate, bound = self.sizes(made, tokenizer)
        if bound <= most_bound or made.refusal:
            return made
        mode = FitMode.COMPRESS if self._task is Task.WHOLE else FitMode.RETRIEVE
        bare = self.estimate(self.query.messages, tokenizer)
        left = (most_bound - self.bound(self.query.messages)) // _USUAL_BYTES_PER_TOKEN
        left = min(left, estimate - bare, self._retrieve_tokens)
        while left > 0:
            less = self._way(mode, bare + left, tokenizer=tokenizer)
            if less.refusal or less.fit is None:
                break
            if self.bound(less.messages) <= most_bound:
                return replace(less, fit=replace(less.fit, remark=_UNAFFORDABLE))
            left = left * 3 // 4
        return made  # the cap leaves no room at all: whoever looks at it will say so

    def _limit(self, mode: FitMode, size: Size, *, room: int | None) -> int:
        """The most tokens that the prompt may take on this way; 0: as many as it takes."""
        if mode is FitMode.RETRIEVE:
            wanted = size.bare + self._retrieve_tokens
        elif mode is FitMode.SUMMARISE:
            wanted = size.bare + DIGEST_TOKENS
        elif mode is FitMode.COMPRESS:
            wanted = size.bare + (size.whole - size.bare) // COMPRESS_TIMES
            if self.wish is FitWish.AUTO and room is not None:
                wanted = room
        else:
            return 0
        return wanted if room is None else min(wanted, room)

    def _way(self, mode: FitMode, limit: int, *, tokenizer: str | None) -> Fitted:
        key = (mode, limit, tokenizer)
        if key not in self._ways:
            self._ways[key] = self._go(mode, limit, tokenizer=tokenizer)
        return self._ways[key]

    def _go(self, mode: FitMode, limit: int, *, tokenizer: str | None) -> Fitted:
        if mode is FitMode.RETRIEVE:
            return self._retrieved(limit, tokenizer)
        if mode is FitMode.COMPRESS:
            return self._compressed(limit, tokenizer)
        if mode is FitMode.SUMMARISE:
            documents = self.query.documents
            pinned = tuple(shown_pin(pin, documents[pin.document]) for pin in self._pins)
            return promised(self.query, limit, tokenizer=tokenizer, pinned=pinned)
        documents = self.query.documents
        if not documents:
            return Fitted(self.query.messages)
        if mode not in self._complete:
            change = _cleaned if mode is FitMode.CLEANED else _as_it_is
            parts = [_shown(document, change(document)) for document in documents]
            are_parts = any(document.is_part for document in documents)
            self._complete[mode] = show(self.query.messages, parts, as_passages=are_parts)
        sources = [
            SourceFit(
                document.name,
                file_tokens(document, tokenizer),
                text_tokens(document.text, tokenizer),
                (all_lines(document),),
            )
            for document in documents
        ]
        return Fitted(self._complete[mode], make_fit(mode, sources, documents=documents))

    def _retrieved(self, limit: int, tokenizer: str | None) -> Fitted:
        if not self._pools:
            self._pools.append(make_pool(self.query.documents, self.query.prompt))
        pool = self._pools[0]
        bare = self.estimate(self.query.messages, tokenizer)
        left = limit - bare - text_tokens(CITE + "\n\n", tokenizer) - 1
        picked = pick(pool, self._pins, most_tokens=left, tokenizer=tokenizer)
        refusal = _refusal(has_room=bool(picked.passages), has_all_pins=picked.has_all_pins)
        if refusal:
            return Fitted(self.query.messages, refusal=refusal)
        sources = tuple(
            _source(
                document,
                [passage for owner, passage in picked.passages if owner == place],
                tokenizer=tokenizer,
            )
            for place, document in enumerate(self.query.documents)
        )
        shown = [passage for _, passage in picked.passages]
        messages = show(self.query.messages, shown, as_passages=True)
        remark = "" if pool.matches else _UNMATCHED
        fit = make_fit(FitMode.RETRIEVE, sources, documents=self.query.documents, remark=remark)
        return Fitted(messages, fit)

    def _compressed(self, limit: int, tokenizer: str | None) -> Fitted:
        left = limit - self.estimate(self.query.messages, tokenizer) - 1
        parts: dict[int, Shown] = {}
        sources: dict[int, SourceFit] = {}
        documents = self.query.documents
        # Small ones first: what they leave of their share is for the larger ones.
        order = sorted(range(len(documents)), key=lambda place: len(documents[place].text))
        for done, place in enumerate(order):
            share = left // (len(order) - done)
            made = self._compression(place, share, tokenizer=tokenizer)
            if isinstance(made, str):
                return Fitted(self.query.messages, refusal=made)
            parts[place], sources[place] = made
            left -= text_tokens(block_of(parts[place]) + "\n\n", tokenizer) + 1
        shown = [parts[place] for place in range(len(documents))]
        told = [sources[place] for place in range(len(documents))]
        fit = make_fit(FitMode.COMPRESS, told, documents=documents)
        return Fitted(show(self.query.messages, shown), fit)

    def _compression(
        self, place: int, share: int, *, tokenizer: str | None
    ) -> tuple[Shown, SourceFit] | str:
        """One document within its share of tokens, or why it cannot be."""
        document = self.query.documents[place]
        frame = _shown(document, "```", what=_SHORTENED)
        room = share - text_tokens(block_of(frame) + "\n\n", tokenizer) - 1
        most_tokens = int(room * scale_of(tokenizer).margin)
        if most_tokens < LEAST_CHUNK_TOKENS:
            return _refusal(has_room=False)
        made = compress(
            document.text,
            question=self.query.prompt,
            most_tokens=most_tokens,
            kind=kind_of(document.name, document.text),
            pinned=[document.text[p.start : p.end] for p in self._pins if p.document == place],
            tokenizer=tokenizer,
        )
        if made.pins_left_out:
            return _refusal(has_all_pins=False)
        tokens = text_tokens(document.text, tokenizer)
        what = _SHORTENED if made.dropped_tokens else ""
        source = SourceFit(
            document.name,
            file_tokens(document, tokenizer),
            tokens - made.dropped_tokens,
            lines_of(document, made.kept),
        )
        return _shown(document, made.text, what=what), source


def _as_it_is(document: Document) -> str:
    return document.text


def _cleaned(document: Document) -> str:
    return clean(document.text, kind_of(document.name, document.text))


def _shown(document: Document, text: str, *, what: str = "") -> Shown:
    return Shown(document.name, text, all_lines(document), what)


def _source(document: Document, passages: Sequence[Shown], *, tokenizer: str | None) -> SourceFit:
    return SourceFit(
        document.name,
        file_tokens(document, tokenizer),
        sum(text_tokens(passage.text, tokenizer) for passage in passages),
        tuple(passage.lines for passage in passages),
    )


def _refusal(*, has_room: bool = True, has_all_pins: bool = True) -> str:
    if not has_all_pins:
        return "the pinned passages do not fit beside the question and the answer"
    return "" if has_room else "no passage fits beside the question and the answer"
