"""What kind of text it is: Markdown, code (data too) or prose, from its name and its beginning."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath

_LOOKED_AT = 20_000
# Of the last ones, what is read of them is Markdown (`ultrai.reading`).
_MARKDOWN_SUFFIXES = frozenset(
    {".md", ".markdown", ".mdx", ".mkd", ".qmd", ".rmd", ".html", ".htm", ".xhtml", ".docx"}
)
_PROSE_SUFFIXES = frozenset({".txt", ".text", ".tex", ".rst", ".adoc", ".pdf", ".epub"})
_CODE_SUFFIX_WORDS = (
    ".py .pyi .js .mjs .cjs .jsx .ts .tsx .java .kt .kts .scala .groovy .go .rs .c .h .cc .cpp "
    ".cxx .hh .hpp .cs .fs .swift .m .mm .rb .php .pl .pm .lua .r .jl .dart .ex .exs .erl .hrl "
    ".hs .ml .mli .clj .cljs .lisp .el .scm .rkt .nim .zig .v .sv .vhd .sol .sh .bash .zsh .fish "
    ".ps1 .bat .cmd .sql .css .scss .less .sass .vue .svelte .xml .svg .json .jsonl "
    ".ndjson .yaml .yml .toml .ini .cfg .conf .env .csv .tsv .proto .graphql .tf .hcl .cmake "
    ".gradle .mk .make .dockerfile .patch .diff .asm .s .f90 .f .pas .vb .ipynb .log"
)
_CODE_SUFFIXES = frozenset(_CODE_SUFFIX_WORDS.split())
_CODE_NAMES = frozenset({"makefile", "dockerfile", "cmakelists.txt", "rakefile", "gemfile"})
_MARKDOWN_LINE = re.compile(
    r"^(?:#{1,6} \S|```|~~~|\|.*\|$|> \S)|\[[^\]\n]{1,200}+\]\([^)\s]{1,200}+\)", re.MULTILINE
)
_CODE_LINE = re.compile(
    r"^\s*(?:[{}\[\]]|\"[^\"\n]*\"\s*:|#include|#!|</?\w|//|/\*)|[;{}]\s*$"
    r"|^\s*(?:def|class|import|from|return|if|for|while|func|fn|let|const|var|public|private"
    r"|static|SELECT|INSERT|CREATE)\b.*[:;({)]\s*$",
    re.MULTILINE,
)
_CODE_SHARE = 0.3
_MARKDOWN_SHARE = 0.02


class ChunkKind(StrEnum):
    """What a text's structure is made of."""

    MARKDOWN = "markdown"
    CODE = "code"
    PROSE = "prose"


def kind_of(name: str, text: str) -> ChunkKind:
    """The kind of a text: by its file's name where that says it, else by its beginning.

    `name` may be empty. Data (JSON, CSV) counts as code: lines are what it is made of.
    """
    path = PurePosixPath(name.replace("\\", "/").lower())
    if path.suffix in _MARKDOWN_SUFFIXES:
        return ChunkKind.MARKDOWN
    if path.suffix in _CODE_SUFFIXES or path.name in _CODE_NAMES:
        return ChunkKind.CODE
    if path.suffix in _PROSE_SUFFIXES:
        return ChunkKind.PROSE
    return _kind_by_content(text[:_LOOKED_AT])


def _kind_by_content(text: str) -> ChunkKind:
    lines = sum(1 for line in text.splitlines() if line.strip())
    if not lines:
        return ChunkKind.PROSE
    if text.startswith("#!") or len(_CODE_LINE.findall(text)) >= max(2, lines * _CODE_SHARE):
        return ChunkKind.CODE
    if len(_MARKDOWN_LINE.findall(text)) >= max(1, lines * _MARKDOWN_SHARE):
        return ChunkKind.MARKDOWN
    return ChunkKind.PROSE
