"""Opens what watches money and keys, where the settings ask for it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ultrai.assembly.clients import USER_AGENT, Clients
from ultrai.assembly.key_ring import KeyRing
from ultrai.engine.alerting import Alarm, Lookout
from ultrai.settings.alert_sinks import CommandTo, EmailTo
from ultrai.settings.key_reference import KeyReference
from ultrai.settings.model import OPENROUTER
from ultrai.settings.network import is_loopback
from ultrai.signals.command import Command
from ultrai.signals.mail import Mail, Server
from ultrai.signals.webhook import Webhook
from ultrai.store.alert_book import SqlAlertBook
from ultrai.upstream.session import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from ultrai.assembly.opening import Pieces, StoreRoom
    from ultrai.domain.secret import Secret
    from ultrai.engine.ports import AlertSink, Upstream
    from ultrai.settings.alert_sinks import AlertSettings, Sink
    from ultrai.settings.model import Settings
    from ultrai.signals.kept import Kept


async def open_alarm(
    pieces: Pieces,
    settings: Settings,
    *,
    store: StoreRoom,
    upstreams: Mapping[str, Upstream],
    stack: AsyncExitStack,
) -> Alarm | None:
    """The Alarm, closed by `stack`; None where nothing is watched or nothing can be written."""
    alerts = settings.alerts
    if alerts is None or not store.database.is_writable:
        return None
    session = pieces.session
    if session is None:
        session = await stack.enter_async_context(
            open_session(connect_timeout_s=settings.connect_timeout_s)
        )
    alarm = Alarm(
        SqlAlertBook(
            store.database,
            scope=settings.environment or "",
            key=settings.key_identity,
        ),
        {sink.name: _sink(sink, session, pieces=pieces) for sink in alerts.to},
        rules=alerts.rules,
        lookout=_lookout(pieces, settings, upstreams=upstreams, session=session, stack=stack),
        log=alerts.log,
    )
    stack.push_async_callback(alarm.aclose)
    return alarm


def sinks_of(alerts: AlertSettings) -> Mapping[str, tuple[str, str]]:
    """Each sink's kind and where it leads, without what is secret."""
    kinds = {CommandTo: "command", EmailTo: "email"}
    return {sink.name: (kinds.get(type(sink), "webhook"), sink.where) for sink in alerts.to}


def _lookout(
    pieces: Pieces,
    settings: Settings,
    *,
    upstreams: Mapping[str, Upstream],
    session: aiohttp.ClientSession,
    stack: AsyncExitStack,
) -> Lookout:
    if not settings.names_a_key:
        return Lookout(pieces.clock)
    account = upstreams[OPENROUTER].read_account
    if settings.management_key is None and settings.management_key_reference is None:
        return Lookout(pieces.clock, account)
    ring = KeyRing(settings)
    stack.push_async_callback(ring.aclose)
    clients = Clients(settings, session, pieces.clock.now, ring, pieces.wire_log)
    return Lookout(pieces.clock, account, clients.manager().keys.list_keys)


def _sink(sink: Sink, session: aiohttp.ClientSession, *, pieces: Pieces) -> AlertSink:
    if isinstance(sink, CommandTo):
        return Command(sink.argv, sink.environ)
    if isinstance(sink, EmailTo):
        is_here = is_loopback(f"smtp://{sink.host}")
        server = Server(sink.host, sink.port, sink.tls, is_here, sink.user, _kept(sink.password))
        return Mail(server, sink.sender, sink.to, sink.problem)
    return Webhook(
        session=session,
        now=pieces.clock.now,
        address=sink.address,
        secret=_kept(sink.secret),
        proxy=sink.proxy,
        problem=sink.problem,
        user_agent=USER_AGENT,
    )


def _kept(kept: Secret | KeyReference | None) -> Kept:
    return kept.read if isinstance(kept, KeyReference) else kept
