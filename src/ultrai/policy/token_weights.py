"""What each tokenizer family's tokens are made of: weights of the marks that a text leaves.

A mark is something that can be counted in a text at the speed of `bytes.translate` and
`bytes.count`: characters of a class or script, and runs of letters, of digits and of punctuation.
The weights, in thousandths of a token, were fitted by least squares to the counts of each family's
exact tokenizer on 4 MB of prose, code, data and 20 languages, raised where a story has more tokens
than a manual (Cyrillic, kana, Han, Hangul), and checked on 7 MB of others (`docs/tokens.md`).

All weights are at least 0, and no mark of a text is counted more often than in its parts together:
so a text never weighs more than its parts, which is what `policy/chunking.py` builds on.
"""

from __future__ import annotations

from collections.abc import Mapping

Weights = tuple[int, ...]

# A class for each byte of UTF-8: the first byte of a character tells its script, near enough.
_CLASSES = (
    (range(0x61, 0x7B), b"a"),
    (range(0x41, 0x5B), b"A"),
    (range(0x30, 0x3A), b"0"),
    (b" ", b" "),
    (b"\t\n\r", b"n"),
    (range(0x80, 0xC0), b"c"),  # inside a character
    (range(0xC0, 0xCD), b"l"),  # Latin with marks
    (range(0xCD, 0xD0), b"g"),  # Greek
    (range(0xD0, 0xD4), b"y"),  # Cyrillic
    (range(0xD4, 0xD7), b"m"),  # Armenian
    (range(0xD7, 0xD8), b"h"),  # Hebrew
    (range(0xD8, 0xE0), b"r"),  # Arabic, Syriac
    (range(0xE0, 0xE1), b"i"),  # Indic, Thai
    (range(0xE1, 0xE2), b"e"),  # Georgian, Ethiopic, Khmer, Vietnamese
    (range(0xE2, 0xE3), b"s"),  # symbols, typographic punctuation
    (range(0xE3, 0xE4), b"k"),  # kana, CJK punctuation
    (range(0xE4, 0xEA), b"z"),  # Han
    (range(0xEA, 0xEE), b"o"),  # Hangul
    (range(0xEE, 0xF0), b"f"),  # forms of width and position
    (range(0xF0, 0x100), b"4"),  # emoji, rare Han
)
_ASCII_COUNTED = b"aA0 np"
_OTHERS_COUNTED = b"lgymhrieskzof4"
_INDIC, _RARE = _OTHERS_COUNTED.index(b"i"), _OTHERS_COUNTED.index(b"e")


def _class_table() -> bytes:
    table = bytearray(b"p" * 256)
    for members, name in _CLASSES:
        for byte in members:
            table[byte] = name[0]
    return bytes(table)


def _letter_table() -> bytes:
    return bytes(
        97 if chr(byte).isalpha() or not chr(byte).isascii() else 32 for byte in range(256)
    )


_CLASS_OF = _class_table()
_LETTER_OF = _letter_table()
_NO_OTHERS = (0,) * (len(_OTHERS_COUNTED) + 3)


def count_marks(text: str) -> tuple[int, ...]:
    """How often each mark is in a text, in the order of the weights."""
    coded = text.encode("utf-8", "surrogatepass")
    classes = coded.translate(_CLASS_OF)
    letters = coded.translate(_LETTER_OF)
    count = classes.count
    marks = [count(each) for each in _ASCII_COUNTED]
    marks += _NO_OTHERS if len(coded) == len(text) else _count_others(coded, classes)
    words = letters.count(b" a") + letters.startswith(b"a")
    # A change of case at a seam is counted by the part behind it, whatever stands before.
    humps = count(b"aA") + count(b"Aa") + (classes[:1] in (b"a", b"A"))
    marks += (words, marks[5] - count(b"pp"), humps, marks[2] - count(b"00"))
    return tuple(marks)


def _count_others(coded: bytes, classes: bytes) -> list[int]:
    """The marks beyond ASCII; Devanagari, Thai and Vietnamese apart from what shares their byte."""
    others = [classes.count(each) for each in _OTHERS_COUNTED]
    devanagari = coded.count(b"\xe0\xa4") + coded.count(b"\xe0\xa5")
    thai = coded.count(b"\xe0\xb8") + coded.count(b"\xe0\xb9")
    vietnamese = coded.count(b"\xe1\xba") + coded.count(b"\xe1\xbb")
    others[_INDIC] -= devanagari + thai
    others[_RARE] -= vietnamese
    return [*others, devanagari, thai, vietnamese]


# Lower, upper, digit, blank, line end, punctuation, Latin, Greek, Cyrillic, Armenian, Hebrew,
# Arabic, other Indic, rare | symbol, kana, Han, Hangul, forms, four bytes, Devanagari, Thai,
# Vietnamese, words, runs of punctuation, changes of case, runs of digits.
_MEASURED: Mapping[str, Weights] = {
    "gpt": (
        *(70, 200, 330, 60, 940, 150, 910, 310, 180, 280, 300, 260, 330, 2200),
        *(780, 790, 750, 570, 1230, 2180, 230, 390, 300, 560, 550, 640, 710),
    ),
    "llama3": (
        *(70, 170, 330, 60, 1070, 150, 970, 310, 210, 1850, 1030, 310, 1740, 2900),
        *(470, 690, 650, 540, 3200, 1740, 450, 460, 300, 660, 420, 720, 740),
    ),
    "llama2": (
        *(80, 300, 1000, 70, 1720, 150, 2000, 1000, 300, 1150, 1020, 880, 1590, 2900),
        *(330, 1050, 850, 1140, 3200, 1820, 1050, 990, 1150, 740, 630, 700, 380),
    ),
    "qwen": (
        *(100, 200, 1000, 50, 1140, 150, 1050, 910, 270, 1090, 330, 330, 1520, 2900),
        *(460, 700, 530, 710, 3200, 1830, 980, 540, 300, 550, 380, 580, 610),
    ),
    "deepseek": (
        *(60, 230, 330, 50, 1060, 150, 1640, 410, 210, 570, 400, 290, 750, 2900),
        *(490, 780, 410, 650, 3200, 1640, 550, 350, 300, 670, 580, 690, 610),
    ),
    "mistral": (
        *(60, 270, 1000, 60, 970, 150, 630, 320, 200, 320, 360, 200, 440, 2900),
        *(480, 650, 910, 430, 1920, 3200, 270, 510, 300, 670, 520, 580, 480),
    ),
    "claude": (
        *(240, 720, 330, 60, 1270, 190, 2580, 660, 340, 650, 710, 680, 870, 1400),
        *(530, 940, 930, 1250, 3200, 3180, 710, 910, 300, 530, 800, 910, 560),
    ),
    "claude3": (
        *(60, 240, 330, 60, 1450, 150, 2600, 620, 290, 610, 650, 630, 840, 1400),
        *(490, 930, 910, 1160, 3200, 3200, 650, 900, 300, 750, 750, 1080, 550),
    ),
    "cl100k": (
        *(60, 180, 330, 50, 1130, 150, 2000, 930, 420, 2000, 1040, 690, 1740, 2900),
        *(530, 1110, 990, 1160, 3200, 2350, 1040, 920, 320, 640, 460, 720, 730),
    ),
    "smollm2": (
        *(170, 390, 490, 50, 1210, 150, 2000, 900, 760, 2000, 1200, 1030, 2900, 2900),
        *(910, 1720, 1580, 2560, 3200, 1400, 1210, 1890, 2470, 550, 530, 480, 1340),
    ),
}


def _dearest(*names: str) -> Weights:
    return tuple(max(column) for column in zip(*(_MEASURED[each] for each in names), strict=True))


def _times(percent: int, name: str) -> Weights:
    return tuple(weight * percent // 100 for weight in _MEASURED[name])


# The upstream's `architecture.tokenizer`, in small letters, and `claude3` and `cl100k` for what
# Claude before 4.7 and GPT before 4o have instead of it.
MEASURED: Mapping[str, Weights] = {
    name: weights for name, weights in _MEASURED.items() if name != "llama2"
} | {"qwen3": _MEASURED["qwen"]}

# Families without an exact tokenizer to measure by: what they are thought to be nearest to.
ASSUMED: Mapping[str, Weights] = {
    "gemini": _times(105, "mistral"),
    "gemma": _times(105, "mistral"),
    "grok": _times(110, "gpt"),
    "llama2": _MEASURED["llama2"],
    "llama4": _dearest("gpt", "llama3"),
}
UNKNOWN: Weights = _dearest("gpt", "llama3", "qwen", "deepseek", "mistral")
