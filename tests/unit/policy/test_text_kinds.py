"""The kind of a text by its name, and by its beginning where the name says nothing."""

from __future__ import annotations

import pytest

from ultrai.policy.text_kinds import kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("README.md", "markdown"),
        ("src/a.PY", "code"),
        ("data.json", "code"),
        ("book.txt", "prose"),
        ("C:\\code\\main.rs", "code"),
        ("Makefile", "code"),
    ],
)
def test_the_name_decides(name: str, kind: str) -> None:
    assert kind_of(name, "# Heading\n") == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "prose"),
        ("It was a bright day.\nNobody was there; nobody at all.\n\nThe end.", "prose"),
        ("# Title\n\nText with a [link](a.md).\n", "markdown"),
        ("#!/bin/sh\necho hello\n", "code"),
        ("int main() {\n  return 0;\n}\n", "code"),
        ('{\n  "a": 1,\n  "b": [2]\n}\n', "code"),
        ("def f(x):\n    return x\n\nclass A:\n    pass\n", "code"),
    ],
)
def test_without_a_name_the_beginning_decides(text: str, kind: str) -> None:
    assert kind_of("", text) == kind
