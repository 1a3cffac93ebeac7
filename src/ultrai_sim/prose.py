"""What is said in words: how long, in which form, about what, and with whose habits.

The question decides the form (a word, a sentence, a list, a poem, code, an essay, a sum), its
words become the topics, and the model's maker lends the habits. All choices are drawn from one
source of chance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from ultrai_sim.coding import CODE, LANGUAGES, code_block
from ultrai_sim.phrases import ENGLISH, Tongue
from ultrai_sim.question import Question
from ultrai_sim.tongues import tongue_of

READ_AT_MOST = 2_000
"""Characters at the head of a question that topics and form are read from."""

TOPIC = re.compile(
    r"[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{4,}"
    r"|[\u30a0-\u30ff]{2,}|[\u3400-\u9fff]{2,4}|[\uac00-\ud7af]{2,}"
)
COMMON = re.compile(
    "about|after|again|also|answer|because|been|between|briefly|could|describe|does|each|every|"
    "explain|five|four|from|give|have|into|just|like|list|make|many|more|most|name|nine|only|"
    "other|please|rather|reasons|sentences?|seven|should|simple|some|summari[sz]e|tell|terms|"
    "than|that|their|them|then|there|these|they|things?|this|three|through|using|very|ways|what|"
    "when|where|which|with|words?|would|write|your|"
    "bitte|comment|erkläre?|erklären|expliquez?|explique|explica|mir|pour|pourquoi|warum|"
    "essay|french|function|german|haiku|python|reply|spanish|story|work|works",
    re.IGNORECASE,
)
SPELT = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve")
NUMBERS: Mapping[str, int] = {"twelve": 12} | {
    word: n for n, word in enumerate(SPELT[:-1], start=1)
}
HOW_MANY = rf"(\d{{1,3}}|{'|'.join(NUMBERS)})"
STRIDES = (1, 17, 19)
"""Steps through a pool of sentences; prime to the size of every pool, so that all come up."""
LEAST_TOPICS = 2
MOST_WORDS = 1_500
MOST_ITEMS = 30
MOST_SENTENCES = 40


@dataclass(frozen=True, slots=True)
class Habits:
    """How the models of one maker like to write."""

    hello: str = ""
    item: str = "{n}. **{x}** – {y}"
    lead: str = ""
    rule: bool = False
    goodbye: str = ""


HABITS: Mapping[str, Habits] = {
    "openai": Habits(lead="### {x}\n\n"),
    "anthropic": Habits(
        hello="That's a question worth taking slowly.",
        item="{n}. **{x}**: {y}",
        goodbye="Would you like me to go deeper into any part of this?",
    ),
    "google": Habits(item="*   **{x}:** {y}", lead="**{x}.** "),
    "x-ai": Habits(hello="Straight answer first.", item="- {x}. {y}"),
    "meta-llama": Habits(hello="Great question!", item="• {x}: {y}"),
    "mistralai": Habits(item="{n}. **{x}** : {y}"),
    "deepseek": Habits(item="### {n}. {x}\n{y}", rule=True),
    "qwen": Habits(hello="Sure! 😊", item="{n}\ufe0f\u20e3 **{x}** — {y}"),
    "cohere": Habits(item="- {x}: {y}"),
}


@dataclass(slots=True)
class Teller:
    """One answer in the making. ``topics`` are the question's words, ``earlier`` older ones."""

    asked: str
    tongue: Tongue
    habits: Habits
    topics: list[str]
    earlier: list[str]
    source: Random

    def sentences(self, number: int) -> list[str]:
        """So many sentences that go on; none comes twice before all have come once."""
        pool = self.tongue.middles
        start, step = self.source.randrange(len(pool)), self.source.choice(STRIDES)
        return [self.filled(pool[(start + n * step) % len(pool)]) for n in range(number)]

    def one_of(self, patterns: tuple[str, ...]) -> str:
        """One of some sentences, about the question's words."""
        return self.filled(self.source.choice(patterns))

    def filled(self, pattern: str) -> str:
        """A sentence with two different words of the question in it."""
        # Random.choice takes five times as long, and this is asked for in every sentence.
        topics, draw = self.topics, self.source.random
        place = int(draw() * len(topics))
        one, other = topics[place], topics[place - 1 - int(draw() * (len(topics) - 1))]
        earlier = self.earlier[0] if self.earlier else one
        return pattern.format(a=one, b=other, c=earlier, A=one[:1].upper() + one[1:])

    def paragraph(self, sentences: list[str]) -> str:
        """Sentences one after another, as the language joins them."""
        return self.tongue.joint.join(sentences)

    def title(self) -> str:
        """A word of the question as a heading."""
        word = self.source.choice(self.topics)
        return word[:1].upper() + word[1:]


def tell(question: Question, topics: Sequence[str], *, maker: str, source: Random) -> str:
    """The text of an answer about these topics."""
    asked = question.asked[:READ_AT_MOST]
    tongue = tongue_of(asked, question.instructions[:READ_AT_MOST])
    teller = Teller(
        asked=asked,
        tongue=tongue,
        habits=HABITS.get(maker.lstrip("~"), Habits()),
        topics=[*topics, *(tongue.plain if len(topics) < LEAST_TOPICS else ())],
        earlier=topics_of(question.earlier[:READ_AT_MOST]),
        source=source,
    )
    if question.results:
        return _report(teller, question.results)
    for text in (asked, question.instructions[:READ_AT_MOST]):
        if text and _may_have_a_form(text):
            for pattern, form in FORMS:
                found = pattern.search(text)
                if found:
                    return form(teller, found)
    return _talk(teller)


def _may_have_a_form(text: str) -> bool:
    words = set(WORDS.findall(text.lower()))
    return (
        len(words) < 2  # noqa: PLR2004
        or not HINTS.isdisjoint(words)
        or NUMBER_HINT.search(text) is not None
    )


def topics_of(text: str) -> list[str]:
    """The words of a text that say what it is about, in their order."""
    words = [word for word in TOPIC.findall(text) if not COMMON.fullmatch(word)]
    return list(dict.fromkeys(words))[:12]


# --- forms ------------------------------------------------------------------------------------


def _talk(teller: Teller) -> str:
    """Two to four paragraphs."""
    return _paragraphs(teller, 2 + teller.source.randrange(3))


def _essay(teller: Teller, _: re.Match[str]) -> str:
    return _paragraphs(teller, 6 + teller.source.randrange(4))


def _paragraphs(teller: Teller, count: int) -> str:
    source, tongue, habits = teller.source, teller.tongue, teller.habits
    first = [teller.one_of((tongue.returns,) if teller.earlier else tongue.openings)]
    if tongue is ENGLISH and habits.hello:
        first.insert(0, habits.hello)
    sizes = [1 + source.randrange(3) for _ in range(count)]
    told = iter(teller.sentences(sum(sizes)))
    paragraphs = [teller.paragraph([next(told) for _ in range(size)]) for size in sizes]
    paragraphs[0] = teller.paragraph([*first, paragraphs[0]])
    if source.random() < 0.5:  # noqa: PLR2004
        paragraphs[-1] = teller.paragraph([paragraphs[-1], source.choice(tongue.asides)])
    if habits.lead and count > 2:  # noqa: PLR2004
        titles = _titles(teller.topics)
        paragraphs[1:] = [habits.lead.format(x=next(titles)) + text for text in paragraphs[1:]]
    if habits.rule:
        paragraphs.append("---")
    paragraphs.append(teller.one_of(tongue.closings))
    if tongue is ENGLISH and habits.goodbye:
        paragraphs.append(habits.goodbye)
    return "\n\n".join(paragraphs)


def _report(teller: Teller, results: tuple[str, ...]) -> str:
    """An answer that uses what the tools said."""
    told = [teller.tongue.reports.format(r=_first(result)) for result in results]
    return teller.paragraph([*told, teller.one_of(teller.tongue.closings)])


def _first(result: str) -> str:
    text = " ".join(result.split())
    text = text if len(text) <= 200 else text[:199] + "…"  # noqa: PLR2004
    return text if text.endswith((".", "!", "?", "。", "…")) else f"{text}."


def _sum(teller: Teller, found: re.Match[str]) -> str:
    """The result of a small sum, which all models agree on."""
    one, sign, other = int(found[1]), found[2], int(found[3])
    if sign in "/÷" and other == 0:
        return "Division by zero is undefined."
    value: float = SUMS[sign](one, other)
    shown = str(int(value)) if value == int(value) else f"{value:.4f}".rstrip("0")
    brief = BRIEF.search(teller.asked)
    return shown if brief else f"{one} {sign} {other} = {shown}."


SUMS: Mapping[str, Callable[[int, int], float]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "×": lambda one, other: one * other,
    "x": lambda one, other: one * other,
    "/": lambda one, other: one / other,
    "÷": lambda one, other: one / other,
}


def _yes_or_no(teller: Teller, _: re.Match[str]) -> str:
    word = teller.tongue.yes if teller.source.random() < 0.6 else teller.tongue.no  # noqa: PLR2004
    return word if BRIEF.search(teller.asked) else f"{word}."


def _one_word(teller: Teller, _: re.Match[str]) -> str:
    return teller.title()


def _some_sentences(teller: Teller, found: re.Match[str]) -> str:
    count = _number(found, MOST_SENTENCES)
    told = [teller.one_of(teller.tongue.openings), *teller.sentences(count - 1)]
    return teller.paragraph(told[:count])


def _some_words(teller: Teller, found: re.Match[str]) -> str:
    """About so many words, in paragraphs of five sentences or so."""
    wanted = _number(found, MOST_WORDS)
    told = [teller.one_of(teller.tongue.openings)]
    told += teller.sentences(max(wanted // 10 - 1, 0))
    chunks = [told[start : start + 5] for start in range(0, len(told), 5)]
    words = " \n\n ".join(teller.paragraph(chunk) for chunk in chunks).split(" ")
    return " ".join(words[:wanted]).replace(" \n\n ", "\n\n").strip()


def _some_items(teller: Teller, found: re.Match[str]) -> str:
    count = _number(found, MOST_ITEMS)
    told = teller.sentences(count)
    names = _titles(teller.topics)
    items = [
        teller.habits.item.format(n=n, x=next(names), y=sentence)
        for n, sentence in enumerate(told, start=1)
    ]
    between = "\n\n" if "\n" in teller.habits.item else "\n"
    return f"{teller.one_of(teller.tongue.openings)}\n\n{between.join(items)}"


def _titles(topics: list[str]) -> Iterator[str]:
    """The topics as headings, numbered from the second round on."""
    for n in count(1):
        for word in topics:
            title = word[:1].upper() + word[1:]
            yield title if n == 1 else f"{title} {n}"


def _poem(teller: Teller, found: re.Match[str]) -> str:
    lines = 3 if found[0].lower() == "haiku" else 8
    told = [line.rstrip(".。") + "," for line in teller.sentences(lines)]
    return "\n".join(told).removesuffix(",") + "."


def _code(teller: Teller, _: re.Match[str]) -> str:
    block = code_block(teller.asked, topics=teller.topics, source=teller.source)
    return f"{teller.one_of(teller.tongue.openings)}\n\n{block}\n\n{teller.sentences(1)[0]}"


def _greeting(teller: Teller, _: re.Match[str]) -> str:
    return teller.tongue.greeting


def _number(found: re.Match[str], most: int) -> int:
    said = next((group for group in found.groups() if group), "one").lower()
    return min(max(int(said) if said.isdecimal() else NUMBERS[said], 1), most)


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


Form = Callable[[Teller, re.Match[str]], str]

BRIEF = _like(r"\b(?:only|just|in one word|one word|single word|nothing else|number)\b")
THINGS = (
    r"(?:\w+ )?(?:\w+ )?(?:things|ways|reasons|examples|tips|steps|facts|ideas|items|points|bullets"
    r"|bullet points|names|words for|books|benefits|questions|options|advantages|arguments)"
)
# One of these words, or such a number, is in every question that has a form of its own, unless it
# is a single word. To look for them is much quicker than to try all forms.
WORDS = re.compile(r"\w+")
HINTS = {*NUMBERS, *LANGUAGES.split("|")} | frozenset(
    WORDS.findall(
        "no list top word words sentence sentences brief briefly concise short function functions "
        "code script scripts class classes program programs query regex snippet snippets method "
        "methods haiku poem essay article depth detail detailed thorough report story"
    )
)
NUMBER_HINT = re.compile(r"\d ?[-+*/×÷x] ?\d|\d[- ]\w|top \d")
# The first that the question matches is the form of its answer.
FORMS: tuple[tuple[re.Pattern[str], Form], ...] = (
    (_like(r"(?<![\d.])(\d{1,9}) ?([+*×÷]|(?<= )[-/x](?= )) ?(\d{1,9})(?![\d.])"), _sum),
    (_like(r"\byes or no\b"), _yes_or_no),
    (_like(r"\b(?:one|1|single) word\b"), _one_word),
    (_like(rf"\b{HOW_MANY}(?: short| brief| simple| clear)?[- ]sentences?\b"), _some_sentences),
    (_like(r"\b(?:a|single)(?: short| brief| simple)? sentence\b"), _some_sentences),
    (_like(rf"\b{HOW_MANY}[- ]words?\b"), _some_words),
    (CODE, _code),
    (_like(rf"\blist of {HOW_MANY}\b|\btop {HOW_MANY}\b|\b{HOW_MANY} {THINGS}\b"), _some_items),
    (_like(r"\bhaiku\b|\b(?:write|compose) (?:me )?a (?:short )?poem\b"), _poem),
    (_like(r"\b(?:essay|article|in depth|in detail|detailed|thorough|report|story)\b"), _essay),
    (
        _like(r"\A\W*(?:hi|hello|hey|bonjour|hallo|hola|привет|你好|こんにちは|مرحبا)\W*\Z"),
        _greeting,
    ),
    (_like(r"\b(?:briefly|be brief|concise|short answer|in short)\b"), _some_sentences),
)
