"""A mail server of a few lines: it takes mail, can refuse it, can speak TLS, can hang."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Mailbox:
    """`starttls` or `tls`: with this context; `refuse`: the answer to every recipient."""

    starttls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    refuse: str | None = None
    hangs: bool = False
    port: int = 0
    logins: list[tuple[str, str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Mailbox]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        if self.hangs:
            await reader.read()
            return
        say("220 here")
        is_secret = self.tls is not None
        while line := (await reader.readline()).decode().strip():
            verb = line.split(maxsplit=1)[0].upper()
            if verb == "EHLO":
                say("250-here")
                say("250-STARTTLS" if self.starttls and not is_secret else "250-SIZE 99999")
                say("250 AUTH PLAIN")
            elif verb == "STARTTLS":
                say("220 go on")
                await writer.start_tls(self.starttls)
                is_secret = True
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                self.logins.append((user, password))
                say("235 welcome")
            elif verb == "RCPT" and self.refuse:
                say(self.refuse)
            elif verb == "DATA":
                say("354 go on")
                body = (await reader.readuntil(b"\r\n.\r\n"))[:-5]
                self.mails.append(message_from_bytes(body, policy=policy.default))
                self.encrypted.append(is_secret)
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 fine")
