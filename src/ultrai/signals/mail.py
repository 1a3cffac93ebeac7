"""Alerts by e-mail, with the standard library's SMTP client on a thread of its own."""

from __future__ import annotations

import json
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage

from ultrai.domain.alert import Alert
from ultrai.domain.errors import CredentialsError
from ultrai.signals.kept import Kept, read
from ultrai.signals.threads import on_a_thread

_STEP_S = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. `tls`: from the first byte; `plain`: without any, on loopback."""

    host: str
    port: int
    tls: bool = False
    plain: bool = False
    user: str | None = None
    password: Kept = None


@dataclass(frozen=True, slots=True)
class Mail:
    """Fits `engine.ports.AlertSink`. `problem`: why it has no password."""

    server: Server
    sender: str
    to: tuple[str, ...]
    problem: str | None = None

    async def deliver(self, alert: Alert) -> str | None:
        """The server has taken it for everybody; else why not."""
        if self.problem is not None:
            return self.problem
        return await on_a_thread(lambda: self._send(alert), name="ultrai-mail")

    def _send(self, alert: Alert) -> str | None:
        message = EmailMessage()
        message["Subject"] = f"UltrAI: {alert.message}"
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message["Message-ID"] = f"<{alert.id}@ultrai>"  # the same for a second delivery
        facts = json.dumps(alert.to_dict(), indent=2, ensure_ascii=False)
        message.set_content(f"{alert.message}\n\n{facts}\n")
        try:
            with self._connected() as client:
                refused = client.send_message(message, self.sender, list(self.to))
        except CredentialsError as error:
            return str(error)
        except smtplib.SMTPResponseException as error:
            return f"the mail server refused: {error.smtp_code}"
        except (smtplib.SMTPException, OSError) as error:
            return f"the mail server cannot be used: {type(error).__name__}"
        return f"the mail server refused {', '.join(refused)}" if refused else None

    def _connected(self) -> smtplib.SMTP:
        server = self.server
        context = ssl.create_default_context()
        client: smtplib.SMTP
        if server.tls:
            client = smtplib.SMTP_SSL(server.host, server.port, timeout=_STEP_S, context=context)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=_STEP_S)
        try:
            if not server.tls and not server.plain:
                client.starttls(context=context)
            if server.user is not None and server.password is not None:
                client.login(server.user, read(server.password).reveal())
        except BaseException:
            client.close()
            raise
        return client
