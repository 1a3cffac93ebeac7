"""Alerts in the settings: `[alerts]`, and who is told: `[[alerts.to]]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from ultrai.domain.errors import CredentialsError, SettingsError
from ultrai.domain.secret import Secret
from ultrai.policy.alerting import AlertRules
from ultrai.settings.alert_sinks import AlertSettings, CommandTo, EmailTo, Kept, Sink, WebhookTo
from ultrai.settings.budgets import read_usd
from ultrai.settings.entry import Entry, shown
from ultrai.settings.key_reference import KeyReference
from ultrai.settings.layers import Layer
from ultrai.settings.network import is_loopback, proxy_for
from ultrai.settings.node import Node
from ultrai.settings.places import World
from ultrai.settings.schema import TOGGLE, UNSET, Number
from ultrai.settings.secrets import (
    RESOLVERS,
    STORES,
    canonical,
    check,
    is_reference,
    resolve,
    scheme_of,
)

_MOST_SINKS = 20
_MOST_PERCENT = 1000
_PORTS: Final = MappingProxyType({"smtp": 587, "smtps": 465})
HOW_TO_TELL: Final = "[[alerts.to]] with a webhook, email or command names who is told"
_HANDED_ON: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT"),
    }
)


@dataclass(frozen=True, slots=True)
class _Usd:
    """An amount in USD; `can_be_unset` allows the word `none`."""

    can_be_unset: bool = False

    def read(self, entry: Entry) -> object:
        """Nanodollars."""
        return None if self.can_be_unset and entry.value == UNSET else read_usd(entry)


def _whole(what: str, high: int) -> Number:
    return Number(what, "0", str(high), make=int, is_whole=True, can_be_unset=True)


_FIELDS: Final[Mapping[str, tuple[str, Any]]] = MappingProxyType(
    {
        "speed_factor": (
            "speed_factor",
            Number("a factor", "1", "1000", make=Decimal, can_be_unset=True),
        ),
        "speed_least_usd": ("speed_least_nanos", _Usd()),
        "unknown_usd": ("unknown_nanos", _Usd(can_be_unset=True)),
        "drift_usd": ("drift_nanos", _Usd(can_be_unset=True)),
        "key_expires_days": ("key_expires_days", _whole("a number of days", 3650)),
        "key_age_days": ("key_age_days", _whole("a number of days", 3650)),
        "free_left_percent": ("free_left_percent", _whole("a percentage", 100)),
    }
)


def read_alerts(layer: Layer, world: World) -> AlertSettings | None:
    """What the table says; None where there is none, and then nothing is watched."""
    if ("alerts",) not in layer:
        return None
    parts = {path[1]: entry for path, entry in layer.items() if path[0] == "alerts" and path[1:]}
    chosen: dict[str, Any] = {
        name: rule.read(parts[key]) for key, (name, rule) in _FIELDS.items() if key in parts
    }
    rules = replace(AlertRules(), **chosen)
    if "thresholds" in parts:
        rules = replace(rules, thresholds=_thresholds(parts["thresholds"]))
    return AlertSettings(
        rules=rules,
        to=_sinks(parts["to"], world) if "to" in parts else (),
        log=TOGGLE.read(parts["log"]) if "log" in parts else True,
    )


def alerts_off(source: Path | None) -> SettingsError:
    """What to raise where alerts are asked about and the settings turn none on."""
    file = source or "ultrai.toml"
    return SettingsError(
        "alerts are off: nothing is watched and nobody is told",
        hint=f"write a line [alerts] in {file}; below it, {HOW_TO_TELL}",
    )


def _thresholds(entry: Entry) -> tuple[int, ...]:
    found = []
    for item in _node(entry).items(most=20):
        value = item.value
        if isinstance(value, bool) or not isinstance(value, int):
            raise item.problem(f"must be a whole number of per cent, not {shown(value)}")
        if not 1 <= value <= _MOST_PERCENT:
            raise item.problem(f"must be from 1 to {_MOST_PERCENT} per cent, not {value}")
        found.append(value)
    return tuple(sorted(set(found)))


def _sinks(entry: Entry, world: World) -> tuple[Sink, ...]:
    sinks: list[Sink] = []
    for number, item in enumerate(_node(entry).items(most=_MOST_SINKS), 1):
        kinds = [kind for kind in _READERS if isinstance(item.value, dict) and kind in item.value]
        if len(kinds) != 1:
            raise item.problem(
                "must name one way to tell somebody", hint=f"write one of {', '.join(_READERS)}"
            )
        valid, read = _READERS[kinds[0]]
        parts = item.parts("a key of it", ("name", *valid))
        name = parts["name"].text() if "name" in parts else f"{kinds[0]}-{number}"
        if name == "log" or any(sink.name == name for sink in sinks):
            raise item.problem(f"{shown(name)} is the name of another one", hint="choose another")
        sinks.append(read(name, parts, reader=_Reader(world, entry.origin.folder)))
    return tuple(sinks)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Follows references; what cannot be had is a problem of the sink, not of the settings."""

    world: World
    folder: Path

    def secret(self, node: Node | None) -> tuple[Kept, str]:
        """The value behind a reference, or the store that keeps it, or why there is neither."""
        if node is None:
            return None, ""
        text = node.text()
        if not is_reference(text):
            raise node.problem(
                "must be a reference, because a secret in a settings file is soon shared",
                hint=f"write {' or '.join(f'{s}:…' for s in RESOLVERS)}",
            )
        try:
            check(text)
            if scheme_of(text) in STORES:
                place = canonical(text, world=self.world, folder=self.folder)
                return KeyReference(place, node.path, self.world), ""
            return resolve(text, world=self.world, folder=self.folder), ""
        except CredentialsError as error:
            return None, f"{node.path}: {error}"

    def address(self, node: Node) -> tuple[Secret | None, str]:
        """An address as it is, or behind `env:` or `file:`: it holds what no key does."""
        text = node.text()
        scheme = scheme_of(text)
        if scheme is None:
            return Secret(text), ""
        if scheme in STORES or scheme not in RESOLVERS:
            raise node.problem("must be an address, or a reference with env: or file:")
        try:
            rest = text.partition(":")[2]
            found = RESOLVERS[scheme](rest, world=self.world, folder=self.folder)
        except CredentialsError as error:
            return None, f"{node.path}: {error}"
        return Secret(found.strip()), ""


class _ReadSink(Protocol):
    """Reads one way to tell somebody."""

    def __call__(self, name: str, parts: Mapping[str, Node], *, reader: _Reader) -> Sink:
        """The sink; SettingsError where it cannot be."""


def _webhook(name: str, parts: Mapping[str, Node], *, reader: _Reader) -> Sink:
    address, problem = reader.address(parts["webhook"])
    secret, unsigned = reader.secret(parts.get("secret"))
    proxy = None
    if address is not None:
        _check_address(parts["webhook"], address.reveal())
        proxy = proxy_for(address.reveal(), reader.world.environ)
    return WebhookTo(name, address, secret, problem or unsigned or None, proxy)


def _check_address(node: Node, text: str) -> None:
    """It is not echoed: it may be all that somebody needs to post there."""
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or not text.isascii() or not text.isprintable() or " " in text:
        raise node.problem("must be an address such as https://example.org/hook")
    if urlsplit(text).scheme == "http" and not is_loopback(text):
        raise node.problem("must be encrypted", hint="plain http:// is for this machine only")


def _email(name: str, parts: Mapping[str, Node], *, reader: _Reader) -> Sink:
    node = parts["email"]
    listed = [node] if isinstance(node.value, str) else list(node.items(most=20))
    if not listed:
        raise node.problem("names nobody")
    to = tuple(_mail_address(each) for each in listed)
    if "smtp" not in parts:
        raise node.problem("needs a server beside it", hint='smtp = "smtp://mail.example.org:587"')
    server = parts["smtp"]
    try:
        url = urlsplit(server.text())
        port = url.port
    except ValueError:
        raise server.problem("has a port that is none") from None
    if url.scheme not in _PORTS or not url.hostname or "@" in url.netloc or url.path.strip("/"):
        raise server.problem(
            "must be smtp://HOST:PORT or smtps://HOST:PORT", hint="user and password stand apart"
        )
    password, problem = reader.secret(parts.get("password"))
    if ("user" in parts) != ("password" in parts):
        raise node.problem("has a user or a password without the other")
    return EmailTo(
        name=name,
        to=to,
        sender=_mail_address(parts["from"]) if "from" in parts else to[0],
        host=url.hostname,
        port=port or _PORTS[url.scheme],
        tls=url.scheme == "smtps",
        user=parts["user"].text() if "user" in parts else None,
        password=password,
        problem=problem or None,
    )


def _mail_address(node: Node) -> str:
    text = node.text()
    local, at, domain = text.rpartition("@")
    if not (local and at and domain) or " " in text or "," in text:
        raise node.problem(f"must be a mail address, not {shown(text)}")
    return text


def _command(name: str, parts: Mapping[str, Node], *, reader: _Reader) -> Sink:
    node = parts["command"]
    if isinstance(node.value, str):
        raise node.problem(
            "must be a list: no shell reads it", hint='such as ["notify-send", "UltrAI"]'
        )
    argv = tuple(item.text() for item in node.items(most=100))
    if not argv or not argv[0]:
        raise node.problem("names no program")
    environ = {
        key: value
        for key, value in reader.world.environ.items()
        if key in _HANDED_ON or key.startswith("LC_")
    }
    return CommandTo(name, argv, environ)


_READERS: Final[Mapping[str, tuple[tuple[str, ...], _ReadSink]]] = MappingProxyType(
    {
        "webhook": (("webhook", "secret"), _webhook),
        "email": (("email", "from", "smtp", "user", "password"), _email),
        "command": (("command",), _command),
    }
)


def _node(entry: Entry) -> Node:
    if not isinstance(entry.value, list | tuple):
        example = "write [[alerts.to]]" if entry.key.endswith("to") else "such as [50, 80, 100]"
        raise SettingsError(f"{entry.origin.name}: {entry.key} must be a list", hint=example)
    return Node(entry.origin.name, entry.key, entry.value)
