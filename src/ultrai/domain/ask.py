"""An Ask: what a surface wants of the engine, before anything is resolved or planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ultrai.domain.document import Document
from ultrai.domain.fitting import FitWish
from ultrai.domain.notice import Notice
from ultrai.domain.query import Message, Sampling


class Commit(StrEnum):
    """Whose text cannot be taken back once it was shown: nobody's, the first Slot's, each one's."""

    NONE = "none"
    FIRST = "first"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Ask:
    """The flags of `ultrai ask`, the keywords of `ask()`, the body of a request: all end up here.

    `cocktail` and `models` exclude each other; both empty: the default. `backups` maps a model in
    `models` to those tried after it. None: as settings have it. `resume` is the id of a Run whose
    unanswered Slots are to be asked again, of these the `resume_slots` where it says which. `user`,
    `feature` and `tags` say on whose account it is. `notices` are what the surface has to remark on
    the request itself. `fit` is what to do with documents; `pins` are passages of them that every
    model gets: their words, or `NAME:FIRST-LAST` for lines. `index` names an Index whose
    passages on the question are documents too.
    """

    messages: tuple[Message, ...] = ()
    cocktail: str | None = None
    models: tuple[str, ...] = ()
    backups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    synthesis: str | None = None
    quorum: int | None = None
    deadline_s: float | None = None
    max_cost_nanos: int | None = None
    strict: bool = False
    use_cache: bool = True
    streaming: bool | None = None
    resume: str | None = None
    resume_slots: tuple[int, ...] | None = None
    user: str | None = None
    feature: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    commit: Commit = Commit.NONE
    notices: tuple[Notice, ...] = ()
    documents: tuple[Document, ...] = ()
    fit: FitWish | None = None
    pins: tuple[str, ...] = ()
    index: str | None = None
