"""What a provider has read before is cheap to read again, and who marks it pays for writing it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.unit.sim.answers import model_of, question_of

from ultrai_sim.charges import charge
from ultrai_sim.intake import Intake, cache_discount
from ultrai_sim.prompt_cache import PromptCache, prefixes_of

GPT = "openai/gpt-4o"
CLAUDE = "anthropic/claude-sonnet-4.5"
LONG = "The tide comes in and the tide goes out. " * 200
MARK = {"type": "ephemeral"}


def system(text, mark=None):
    part = {"type": "text", "text": text}
    return {"role": "system", "content": [part | ({"cache_control": mark} if mark else {})]}


def user(text):
    return {"role": "user", "content": text}


class Asking:
    """One provider's cache, asked again and again."""

    def __init__(self, model_id, provider="P"):
        self.model, self.provider = model_of(model_id), provider
        self.cache = PromptCache()

    def ask(self, *messages, now=0.0, **fields):
        question = question_of("", self.model.id, messages=list(messages), **fields)
        prefixes = prefixes_of(question, self.model, provider=self.provider)
        intake = Intake(question.count(self.model.family))
        found = self.cache.look_up(intake, prefixes, model=self.model, now=now)
        self.cache.remember(prefixes, now)
        return found


def test_a_prompt_that_was_read_before_is_cached_in_steps():
    gpt = Asking(GPT)
    first, again = gpt.ask(user(LONG)), gpt.ask(user(LONG))
    assert (first.cached, first.written) == (0, 0)
    assert 0 <= first.tokens - again.cached < 128
    assert again.cached % 128 == 0


def test_only_the_common_beginning_is_cached():
    gpt = Asking(GPT)
    gpt.ask(system(LONG), user("One?"))
    other = gpt.ask(system(LONG), user("Another? " + LONG))
    assert 0 < other.cached < other.tokens / 2 + 128
    assert gpt.ask(system("x" + LONG), user("One?")).cached == 0


def test_what_is_short_or_long_ago_or_another_providers_is_not_cached():
    gpt = Asking(GPT)
    short = "The tide comes in. " * 20
    gpt.ask(user(short))
    assert gpt.ask(user(short)).cached == 0
    gpt.ask(user(LONG))
    assert gpt.ask(user(LONG), now=599.0).cached > 0
    assert gpt.ask(user(LONG), now=599.0 + 601.0).cached == 0
    gpt.provider = "Q"
    assert gpt.ask(user(LONG), now=1200.0).cached == 0


def test_tools_are_part_of_what_is_compared():
    gpt = Asking(GPT)
    tool = {"type": "function", "function": {"name": "look_up"}}
    gpt.ask(user(LONG))
    assert gpt.ask(user(LONG), tools=[tool]).cached == 0


def test_newer_gpts_are_paid_for_writing():
    gpt = Asking("openai/gpt-6.1-sol")
    first, again = gpt.ask(user(LONG)), gpt.ask(user(LONG))
    assert first.written > 1024
    assert again.cached == first.written
    assert again.written == 0


def test_claude_caches_what_is_marked_and_is_paid_for_it():
    claude = Asking(CLAUDE)
    assert claude.ask(system(LONG), user("One?")).written == 0
    first = claude.ask(system(LONG, MARK), user("One?"))
    assert 1024 < first.written < first.tokens
    other = claude.ask(system(LONG, MARK), user("Two?"))
    assert (other.cached, other.written) == (first.written, 0)


def test_a_mark_may_move_on_with_the_conversation():
    claude = Asking(CLAUDE)
    first = claude.ask(system(LONG, MARK), user("One?"))
    asked = {"type": "text", "text": LONG, "cache_control": MARK}
    later = claude.ask(system(LONG), {"role": "user", "content": [asked]})
    assert later.cached == first.written
    assert later.written > 1024


@pytest.mark.parametrize(("ttl", "kept"), [("5m", 300.0), ("1h", 3600.0), ("2d", 300.0)])
def test_a_mark_says_for_how_long(ttl, kept):
    claude = Asking(CLAUDE)
    mark = MARK | {"ttl": ttl}
    assert claude.ask(system(LONG, mark), user("?")).kept_s == kept
    assert claude.ask(system(LONG, mark), user("?"), now=kept - 1).cached > 0
    # Reading keeps it warm.
    assert claude.ask(system(LONG, mark), user("?"), now=2 * kept - 2).cached > 0
    assert claude.ask(system(LONG, mark), user("?"), now=4 * kept).cached == 0


def test_a_mark_at_the_top_level_is_at_the_end():
    claude = Asking(CLAUDE)
    first = claude.ask(system(LONG), user(LONG), cache_control=MARK)
    assert first.tokens - first.written < 16


def test_caching_changes_the_price():
    claude = model_of(CLAUDE)
    plain = charge(claude.pricing, Intake(10_000), completion_tokens=0)
    read = charge(claude.pricing, Intake(10_000, cached=10_000), completion_tokens=0)
    written = charge(claude.pricing, Intake(10_000, written=10_000), completion_tokens=0)
    kept = charge(
        claude.pricing, Intake(10_000, written=10_000, kept_s=3600.0), completion_tokens=0
    )
    assert plain.exact == Decimal("0.03")
    assert (read.exact, written.exact, kept.exact) == (
        Decimal("0.003"),
        Decimal("0.0375"),
        Decimal("0.06"),
    )
    prices = claude.pricing
    assert cache_discount(prices, Intake(10_000)) is None
    assert cache_discount(prices, Intake(10_000, cached=10_000)) == pytest.approx(0.027)
    assert cache_discount(prices, Intake(10_000, written=10_000)) == pytest.approx(-0.0075)


def test_a_cache_does_not_grow_without_end():
    cache = Asking(GPT)
    for n in range(30):
        cache.ask(user(f"{n} {LONG}"))
    assert len(cache.cache.until) == 30
