"""How people write what a Budget is over: `global`, `key`, `environment:prod`, `tag:team=x`."""

from __future__ import annotations

from ultrai.domain.budget import Scope

SCOPES = "global, key, environment, user:NAME, feature:NAME or tag:NAME=TEXT"
_OTHER_NAMES = {"env": "environment", "profile": "environment"}


def read_scope(text: str, *, key: str | None, environment: str | None) -> tuple[Scope, str]:
    """The scope and its subject; `key` and `environment` are the present ones.

    Raises ValueError with one line that says what is wrong.
    """
    kind, _, subject = text.strip().partition(":")
    kind = _OTHER_NAMES.get(kind.lower(), kind.lower())
    if kind not in {scope.value for scope in Scope}:
        message = f"{text!r} is no scope: use {SCOPES}"
        raise ValueError(message)
    if kind == "key" and not subject:
        subject = key or ""
    if kind == "environment" and not subject:
        subject = environment or ""
    if kind == "tag" and not all(subject.partition("=")):
        message = f"{text!r} is no tag: write tag:NAME=TEXT, such as tag:team=x"
        raise ValueError(message)
    if kind == "global" and subject:
        message = f"{text!r} is over everything: leave the subject out"
        raise ValueError(message)
    if kind != "global" and not subject:
        message = f"{text!r} is over nothing: write {kind}:NAME"
        raise ValueError(message)
    return Scope(kind), subject
