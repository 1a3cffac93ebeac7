"""The web page: its few files, with headers that let a browser run and fetch nothing else.

They are read once, when the server starts. Everything that the page shows it asks of the JSON
routes, with the access key that its user gives it. https://www.w3.org/TR/CSP3/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ultrai.domain.errors import NotFound
from ultrai.server.exchange import Exchange

_FOLDER = Path(__file__).parent / "web"
_ENTRY = "index.html"
_TYPES: Mapping[str, bytes] = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types ultrai"
)
_GUARDS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-cache"),  # asked for again, and answered by 304 as long as it is so
)


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    tag: str


class WebPage:
    """Answers with the page's files."""

    def __init__(self) -> None:
        self._files = {
            path.relative_to(_FOLDER).as_posix(): _file(path)
            for path in sorted(_FOLDER.rglob("*"))
            if path.suffix in _TYPES
        }

    @property
    def total_bytes(self) -> int:
        """Of all files together."""
        return sum(len(file.body) for file in self._files.values())

    async def index(self, exchange: Exchange) -> None:
        """The page itself."""
        await self._send(exchange, _ENTRY)

    async def file(self, exchange: Exchange) -> None:
        """One of its files. Raises NotFound."""
        await self._send(exchange, exchange.parameter("name"))

    async def _send(self, exchange: Exchange, name: str) -> None:
        file = self._files.get(name)
        if file is None:
            raise NotFound(f"the page has no file {name!r}")
        if exchange.header(b"if-none-match") == file.tag:
            await exchange.answer(304, b"", headers=file.headers)
            return
        await exchange.answer(200, file.body, headers=file.headers)


def _file(path: Path) -> _File:
    body = path.read_bytes()
    tag = f'"{sha256(body).hexdigest()[:20]}"'
    headers = ((b"content-type", _TYPES[path.suffix]), (b"etag", tag.encode()), *_GUARDS)
    return _File(body, headers, tag)
