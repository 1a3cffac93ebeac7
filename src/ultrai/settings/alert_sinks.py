"""Who is told when something about money or keys is not well, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ultrai.domain.secret import Secret
from ultrai.policy.alerting import AlertRules
from ultrai.settings.key_reference import KeyReference

Kept = Secret | KeyReference | None
"""A secret, or the store that is asked for it when it is needed."""


@dataclass(frozen=True, slots=True)
class WebhookTo:
    """An address that is posted to; `secret` signs. `problem`: what could not be had, and why."""

    name: str
    address: Secret | None
    secret: Kept = None
    problem: str | None = None
    proxy: str | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """The host: the rest of the address may be a secret."""
        return "" if self.address is None else urlsplit(self.address.reveal()).hostname or ""


@dataclass(frozen=True, slots=True)
class EmailTo:
    """Addresses that are mailed to. `tls`: from the first byte; else STARTTLS, but on loopback."""

    name: str
    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: Kept = None
    problem: str | None = None

    @property
    def where(self) -> str:
        """Who is mailed."""
        return ", ".join(self.to)


@dataclass(frozen=True, slots=True)
class CommandTo:
    """A program and its arguments; `environ` is this process's without what opens accounts."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def where(self) -> str:
        """The program."""
        return self.argv[0]


Sink = WebhookTo | EmailTo | CommandTo


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """What is told and to whom; `log`: also to Python's logger `ultrai.alerts`."""

    rules: AlertRules = field(default_factory=AlertRules)
    to: tuple[Sink, ...] = ()
    log: bool = True

    def secrets(self) -> Iterator[Kept]:
        """All that nobody may see."""
        for sink in self.to:
            if isinstance(sink, WebhookTo):
                yield from (sink.address, sink.secret)
            elif isinstance(sink, EmailTo):
                yield sink.password
