"""Blocks of code for questions that ask for some."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

LANGUAGES = "python|javascript|typescript|rust|sql|bash|shell"
CODE = re.compile(
    r"\b(?:(?:write|implement|code|show|give|create|refactor|fix)\b[^.?!]{0,60}\b(?:function|code"
    r"|script|class|program|query|regex|snippet|method)"
    rf"|in (?:{LANGUAGES})\b)",
    re.IGNORECASE,
)
NAMED = re.compile(rf"\b({LANGUAGES})\b", re.IGNORECASE)

MEAN_IN_PYTHON = """\
def {name}(values: list[float]) -> float:
    \"\"\"Return the mean, 0.0 for no values.\"\"\"
    if not values:
        return 0.0
    return sum(values) / len(values)
"""
WORDS_IN_PYTHON = """\
from collections import Counter


def {name}(text: str, most: int = {n}) -> list[str]:
    # Größe matters: whole words are counted, "café" included.
    words = Counter(text.lower().split())
    return [word for word, _ in words.most_common(most)]
"""
MEAN_IN_JAVASCRIPT = """\
export function {name}(values) {{
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.length ? total / values.length : 0;
}}
"""
COUNT_IN_TYPESCRIPT = """\
export const {name} = (items: readonly string[]): Map<string, number> => {{
  const seen = new Map<string, number>();
  for (const item of items) seen.set(item, (seen.get(item) ?? 0) + 1);
  return seen;
}};
"""
MEAN_IN_RUST = """\
pub fn {name}(values: &[f64]) -> Option<f64> {{
    if values.is_empty() {{
        return None;
    }}
    Some(values.iter().sum::<f64>() / values.len() as f64)
}}
"""
COUNT_IN_SQL = """\
SELECT {name}, COUNT(*) AS n
FROM events
WHERE created_at >= CURRENT_DATE - {n}
GROUP BY {name}
ORDER BY n DESC;
"""
COUNT_IN_BASH = """\
for file in *.txt; do
  grep -c "{name}" "$file"
done | sort -rn | head -n {n}
"""
BLOCKS: Mapping[str, tuple[str, ...]] = {
    "python": (MEAN_IN_PYTHON, WORDS_IN_PYTHON),
    "javascript": (MEAN_IN_JAVASCRIPT,),
    "typescript": (COUNT_IN_TYPESCRIPT,),
    "rust": (MEAN_IN_RUST,),
    "sql": (COUNT_IN_SQL,),
    "bash": (COUNT_IN_BASH,),
}


def code_block(asked: str, *, topics: Sequence[str], source: Random) -> str:
    """A fenced block in the language that the question names, Python where it names none."""
    named = NAMED.search(asked)
    language = named[1].lower().replace("shell", "bash") if named else "python"
    words = [word.lower() for word in topics if word.isascii() and word.lower() not in BLOCKS]
    pattern = source.choice(BLOCKS[language])
    code = pattern.format(name="_".join(words[-2:]) or "answer", n=3 + source.randrange(8))
    return f"```{language}\n{code}```"
