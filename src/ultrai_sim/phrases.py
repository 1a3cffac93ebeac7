"""Sentences to say in English, and what a set of sentences of one language is made of.

``{a}`` and ``{b}`` become words of the question. Many sentences hold letters beyond ASCII on
purpose: accents composed and not, other scripts, signs, emoji that are several code points long,
text from right to left. A client that cuts UTF-8, counts bytes or measures columns wrongly is
found out by ordinary answers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language: how an answer begins, goes on and ends, asides, and the least answers.

    ``plain`` are words to speak of where the question has fewer than two.
    """

    openings: tuple[str, ...]
    middles: tuple[str, ...]
    closings: tuple[str, ...]
    asides: tuple[str, ...]
    returns: str
    reports: str
    greeting: str
    plain: tuple[str, ...]
    yes: str = "Yes"
    no: str = "No"
    joint: str = " "


ENGLISH = Tongue(
    openings=(
        "In short, {a} comes down to how {b} behaves.",
        "Think of {a} as a café where {b} is always on the menu.",
        "There are two ways to look at {a} — one of them starts with {b}.",
        "The honest answer about {a} is: it depends on {b}.",
        "At its heart, {a} is a story about {b}.",
        "Most explanations of {a} begin too late; {b} is where it starts.",
        "{A} is simpler than its name, as long as {b} stays in view.",
        "Nobody agrees on {a} entirely, and {b} is the reason.",
    ),
    middles=(
        "First, {a} changes as soon as {b} is measured.",
        "Most people meet {a} through {b}, and that is a good place to start.",
        "A naïve view of {a} misses why {b} matters.",
        "For example, when {b} doubles, {a} hardly moves (about 5 %).",
        "However, nobody has shown that {a} and {b} are independent.",
        "“Keep {a} small” is the usual advice, and it is sound.",
        "Compare the two: {a} is cheap and slow, {b} is dear and quick ✓.",
        "What matters in practice is the order: {b} before {a}, never the other way round.",
        "Experiments from Zürich to São Paulo point the same way.",
        "If {a} fails, look at {b} first; it is the part that wears out.",
        "This is where {b} earns its keep.",
        "On a scale from one to ten, {a} is a seven and {b} is a nine.",
        "The textbook formula, Δ{a} ≈ ½·{b}², is only an approximation.",
        "Seen from far away the two look alike; up close {a} has more edges.",
        "It costs little to try: take {a}, leave out {b}, and watch what happens.",
        "Historically, {b} came first and {a} was an accident.",
        "A common mistake is to treat {a} as if it were {b}.",
        "The limits are known: below a certain size {a} stops being useful.",
        "Some would add that {b} is a matter of taste.",
        "None of this requires more than patience and a little {b}.",
        "Once {b} is in place, {a} follows within days rather than months.",
        "In numbers: roughly 3 of 4 cases involve {b}, and the rest involve {a} alone.",
    ),
    closings=(
        "So if you remember one thing, let it be {b}.",
        "That is why {a} is worth the trouble.",
        "In sum: {a} first, {b} second.",
        "Everything else about {a} is detail.",
        "Start with {b}, and {a} will take care of itself.",
        "Whether that is enough depends on what you want {a} for.",
        "From there, {b} is only a short step away.",
    ),
    asides=(
        "(The Japanese have a phrase for it: 物の哀れ.)",
        "A 👩‍🔬 would call that a controlled experiment.",
        "In Hebrew one says שלום and moves on.",
        "The old café rule holds here too: cafe\u0301 is still café.",
        "Think of a family 👨‍👩‍👧‍👦 sharing one umbrella ☂️.",
        "As the Chinese proverb goes, 千里之行，始於足下.",
        "Arabic readers know this as التوازن.",
        "Even the flag 🏳️‍🌈 has more than one colour.",
        "Mathematicians write ∀ε>0 ∃δ>0 and mean the same.",
    ),
    returns="Coming back to {c}, which you asked about before: {a} changes the picture.",
    reports="According to the tool, {r}",
    greeting="Hello! How can I help you today? 😊",
    plain=("context", "practice"),
)

THOUGHTS = (
    "The user asks about {a}.",
    "I should mention {b} before anything else.",
    "Is {a} really the point? Probably.",
    "Let me keep it short and check {b} once more.",
    "What do I know about {b}? Enough to be careful.",
    "First option: explain {a} by an example.",
    "Second option: define {b} and work upwards.",
    "Wait — {a} and {b} are not the same thing, I must not mix them.",
    "A number would help here, say 42 or ½.",
    "Let me double-check the claim about {a}: it holds for small {b}.",
    "The tone should be friendly, the structure clear.",
    "I could add a caveat on {b}, but one is enough.",
    "Hmm, is there a counterexample? None that matters for {a}.",
    "So the plan: say what {a} is, why {b} matters, and stop.",
)

SUMMARIES = (
    "**Considering {a}**\n\nI'm weighing how {b} bears on the question, and what can be left out.",
    "**Planning the answer**\n\nI'll explain {a} first and come to {b} after that.",
    "**Checking {b}**\n\nIt seems right that {a} depends on it, so I'll say so plainly.",
)
