"""One world told to a person: what it is made of, then every Event and every request in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.simulation.stage import HEALING_S, Asked, Play

from ultrai.domain.event import Event
from ultrai.testing.virtual_time import START_S

_LONGEST_TEXT = 60


def tell(play: Play) -> str:
    """The world, a line for each thing that happened in it. Times are seconds of its own."""
    rows = [row for asked in play.asked for row in _told(asked)]
    rows += [
        (seen.started_at - play.epoch_s, "upstream", _request(seen)) for seen in play.world.requests
    ]
    if play.healed is not None:
        began_s = max((at for at, *_ in rows if at - START_S < HEALING_S), default=START_S)
        rows.append((began_s, "", "--- the world is made well; a day later all is asked again ---"))
        ended = f"healed: {play.healed.status.value}, {_usd(play.healed.to_dict()['cost_usd'])}"
        rows.append((max(at for at, *_ in rows), "", ended))
    rows.sort(key=lambda row: row[0])
    lines = [f"{at - START_S:10.3f} s  {who:10s}  {what}" for at, who, what in rows]
    return "\n".join([*_terms(play), *lines])


def _terms(play: Play) -> list[str]:
    terms = play.terms
    latency, network = terms.latency, terms.network
    paces = f"first token {latency.first_token_s:g} s, each {latency.per_token_s:g} s"
    refused = f"{network.refused_share:.0%} of connections refused, {network.cuts} cut"
    lines = [
        f"world {terms.seed}: {len(terms.models)} models, {len(terms.questions)} questions",
        f"  latency: head {latency.head_s:g} s, {paces}",
        f"  network: delay {network.delay_s:g} s, {refused}",
    ]
    for fault in terms.faults:
        shown = repr(fault).removeprefix("Fault(").removesuffix(")")
        given = [part for part in shown.split(", ") if not part.endswith(("=None", "='*'"))]
        lines.append(f"  fault: {', '.join(given)}")
    return [*lines, f"  dies at: {play.died_at or 'no point'}", ""]


def _told(asked: Asked) -> list[tuple[float, str, str]]:
    name = asked.question.prompt.split(":")[0].removeprefix("Question ")
    rows = []
    if asked.error is not None:
        rows.append((asked.began_s, f"question {name}", f"refused: {asked.error}"))
    for event in asked.events:
        seat = "" if event.slot is None else f"slot {event.slot}"
        if event.attempt is not None:
            seat += f", attempt {event.attempt}"
        words = _words(event)
        told = f"{seat}: {words}" if seat else words
        rows.append((asked.began_s + event.t_ms / 1000, f"question {name}", told))
    return rows


def _request(seen: Any) -> str:
    faults = f"  [{', '.join(seen.faults)}]" if seen.faults else ""
    status = "no status" if seen.status is None else seen.status
    path = seen.path.removeprefix("/api/v1")
    return f"{path} {seen.model or ''}: {status}, {seen.outcome}{faults}".replace(" :", ":")


def _words(event: Event) -> str:
    kind, facts = event.type.value, event.to_dict()
    tell_it = _PHRASES.get(kind)
    return kind.replace("_", " ") if tell_it is None else tell_it(facts)


def _usd(amount: object) -> str:
    return "cost unknown" if amount is None else f"${amount}"


def _short(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"


def _failed(facts: Mapping[str, Any]) -> str:
    failure = facts.get("failure")
    if failure is None:
        return f"ended, {facts.get('outcome') or facts.get('state') or 'without an answer'}"
    status = "" if failure["status"] is None else f", status {failure['status']}"
    remedy = (failure.get("remedy") or "no remedy").replace("_", " ")
    return f"failed, {failure['kind']}{status}, {remedy}: {failure['message']}"


def _asks(facts: Mapping[str, Any]) -> str:
    backup = ", a backup" if facts.get("fallback") else ""
    return f"asks {facts['model']}{backup}, at most {_usd(facts.get('cost_usd_at_most'))}"


def _answered(facts: Mapping[str, Any]) -> str:
    return f"answered, {_usd(facts.get('cost_usd'))}: {_short(facts['answer']['text'])}"


_PHRASES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "run_started": lambda f: (
        f"starts with {f['cocktail'] or 'models by name'}, deadline {f['deadline_s']:g} s"
    ),
    "planned": lambda f: (
        f"planned, {_usd(f['cost_usd']['expected'])} expected,"
        f" {_usd(f['cost_usd']['high'])} at most"
    ),
    "notice": lambda f: f"notice, {f['notice']['message']}",
    "slot_started": lambda f: f"may ask {', '.join(f['candidates'])}",
    "attempt_started": _asks,
    "first_token": lambda _: "first token",
    "text_delta": lambda f: f"text {_short(f['text'])}",
    "reasoning_delta": lambda f: f"reasoning {_short(f['text'])}",
    "attempt_failed": _failed,
    "slot_failed": _failed,
    "slot_answered": _answered,
    "report": lambda f: f"report: {f['status']}, {_usd(f['cost_usd'])}",
}
