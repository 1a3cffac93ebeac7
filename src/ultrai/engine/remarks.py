"""The words of Notices that both a Plan and a Slot may have to write."""

from __future__ import annotations

from collections.abc import Iterator

from ultrai.domain.fitting import FitMode
from ultrai.domain.kept import Recalled
from ultrai.domain.money import format_usd, reported_nanos
from ultrai.domain.notice import NoticeCode
from ultrai.domain.outcome import Cost, Received
from ultrai.domain.plan import PlannedCandidate, PlannedSummary

_UNITS = ((86_400, "days"), (3600, "h"), (60, "min"))
_LEAST_OF_A_UNIT = 2  # "90 s" says more than "1 min"


def superseded_message(retired: str, heir: str) -> str:
    """The words of the Notice about a successor."""
    return f"{retired} is no longer listed; {heir} takes its place"


def tokens_message(candidate: PlannedCandidate, asked: int) -> tuple[NoticeCode, str] | None:
    """The Notice about a `max_tokens` other than was asked for; None where it is as asked."""
    model, given = candidate.model, candidate.max_tokens
    if given < asked:
        message = f"{model} gives at most {given} tokens here, not {asked}"
        return NoticeCode.MAX_TOKENS_REDUCED, message
    if given > asked:
        message = f"{model} reasons before it answers: max_tokens is {given} instead of {asked}"
        return NoticeCode.REASONING_HEADROOM, message
    return None


def cost_messages(
    model: str, received: Received, *, cost: Cost, bound: int | None
) -> Iterator[tuple[NoticeCode, str]]:
    """The Notices about a cost. `bound`: what it could be at most; None: nothing was promised."""
    nanos = cost.nanos
    if bound is not None and cost.state.is_known and nanos is not None and nanos > bound:
        yield (
            NoticeCode.COST_ABOVE_BOUND,
            (
                f"{model} was charged more than the bound that its price gives: "
                f"${format_usd(nanos)} instead of at most ${format_usd(bound)}"
            ),
        )
    byok = None if received.byok_raw is None else reported_nanos(received.byok_raw)
    if byok:
        yield (
            NoticeCode.BYOK_CHARGED,
            (
                f"{model}: its provider charged ${format_usd(byok)} to your own key (BYOK), which "
                "costs and budgets here do not count"
            ),
        )


def fit_message(candidate: PlannedCandidate) -> tuple[NoticeCode, str] | None:
    """The Notice about documents that the model does not get as they are; None: it does."""
    fit, model = candidate.fit, candidate.model
    if fit is None or fit.mode is FitMode.WHOLE:
        return None
    if fit.mode is FitMode.CLEANED:
        message = f"{model} gets all words of the documents, without needless blanks"
        return NoticeCode.INPUT_CLEANED, message
    of_what = fit.sources[0].name if len(fit.sources) == 1 else f"{len(fit.sources)} documents"
    share = f"{fit.coverage_percent:g} % of {of_what}"
    tokens = f"about {fit.sent_tokens:,} of {fit.tokens:,} tokens"
    if fit.mode is FitMode.SUMMARISE:
        message = f"{model} gets a summary of {of_what}, at most {fit.sent_tokens:,} tokens of it"
        return NoticeCode.INPUT_SUMMARISED, message
    remark = f"; {fit.remark}" if fit.remark else ""
    if fit.mode is FitMode.RETRIEVE:
        many = sum(len(source.passages) for source in fit.sources)
        passages = "1 passage" if many == 1 else f"{many} passages"
        message = f"{model} gets {passages}, {share} ({tokens}); the rest is left out{remark}"
        return NoticeCode.INPUT_RETRIEVED, message
    message = f"{model} gets {share} ({tokens}), sentence by sentence; the rest is left out{remark}"
    return NoticeCode.INPUT_COMPRESSED, message


def summary_message(summary: PlannedSummary) -> str:
    """The words of the Notice about who writes a summary, and for how much."""
    many = len(summary.parts)
    requests = "1 request" if many == 1 else f"{many} requests"
    high = summary.cost_nanos.high
    cost = "" if high is None else f", for at most ${format_usd(high)}"
    return f"{summary.model} writes the summary in {requests}{cost}"


def recalled_message(model: str, recalled: Recalled) -> tuple[NoticeCode, str]:
    """The Notice about an Answer that was not asked for anew."""
    saved = recalled.saved_nanos
    saving = "" if not saved else f"; that saves ${format_usd(saved)}"
    if recalled.shared:
        message = f"{model} was being asked the same by another run, whose answer this is{saving}"
        return NoticeCode.SHARED_IN_FLIGHT, message
    message = f"the answer of {model} is from the cache, {_age(recalled.age_s)} old{saving}"
    return NoticeCode.ANSWERED_FROM_CACHE, f"{message} (--no-cache asks anew)"


def _age(seconds: float) -> str:
    for unit_s, unit in _UNITS:
        if seconds >= _LEAST_OF_A_UNIT * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"
