"""Where requests go: base addresses that may be used, and the proxy in between.

The rules for proxies are those of `urllib.request` (`getproxies_environment`,
`proxy_bypass_environment`), restated here because they read a mapping instead of the process, and
because that module would triple the time that settings take to import.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ultrai.domain.errors import SettingsError

_SUFFIX: Final = "_proxy"
_HINT_HTTPS: Final = "use https://; plain http:// is for this machine only (localhost, 127.0.0.1)"


def checked_base_url(text: str) -> str:
    """A usable base address without its last slash.

    Raises ValueError whose text completes a sentence ("OPENROUTER_BASE_URL … must …") and does not
    echo the address, which may hold a password.
    """
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("must be an address without blanks and special characters")
    parts = _split(text)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as https://openrouter.ai/api/v1")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password; the key has a setting of its own")
    if "?" in text or "#" in text:
        raise ValueError("must not have a query (?) or a fragment (#)")
    if parts.scheme == "http" and not is_loopback(text):
        raise ValueError(f"must be encrypted: {_HINT_HTTPS}")
    return text.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine: 127.0.0.0/8, ::1 or localhost."""
    parts = _split(url)
    host = (parts.hostname or "").removesuffix(".") if parts else ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy through which `url` is reached, or None for straight there.

    `HTTPS_PROXY` or `HTTP_PROXY` by the scheme of `url`, else `ALL_PROXY`; lower case comes first;
    `NO_PROXY` lists exceptions. An address on this machine never has one. SettingsError for a
    proxy that cannot be used, without echoing it: it may hold a password.
    """
    parts = _split(url)
    if parts is None or is_loopback(url):
        return None
    proxies = _proxies(environ)
    if _is_bypassed(parts.netloc.rpartition("@")[2], proxies.get("no")):
        return None
    for name in (parts.scheme, "all"):
        if name in proxies:
            return _checked_proxy(proxies[name], f"{name}{_SUFFIX}".upper())
    return None


def _split(url: str) -> SplitResult | None:
    """The parts of an address, or None if it is none."""
    try:
        parts = urlsplit(url)
        is_usable = parts.port != 0  # reading the port checks it
    except ValueError:
        return None
    return parts if is_usable else None


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Proxies by scheme. A web server's CGI must not let a request header choose the proxy."""
    proxies = {
        name.lower().removesuffix(_SUFFIX): value
        for name, value in environ.items()
        if value and name.lower().endswith(_SUFFIX)
    }
    if "REQUEST_METHOD" in environ:
        proxies.pop("http", None)
    for name, value in environ.items():
        if name.endswith(_SUFFIX):
            scheme = name.removesuffix(_SUFFIX).lower()
            proxies[scheme] = value
    return {scheme: value for scheme, value in proxies.items() if value}


def _is_bypassed(netloc: str, exceptions: str | None) -> bool:
    """Whether `NO_PROXY` names this host, its domain, or host and port."""
    if exceptions is None:
        return False
    if exceptions == "*":
        return True
    with_port = netloc.lower()
    host, colon, port = with_port.rpartition(":")
    bare = host if colon and (port.isdigit() or not port) else with_port
    for listed in exceptions.split(","):
        name = listed.strip().lstrip(".").lower()
        if name and any(h == name or h.endswith(f".{name}") for h in (bare, with_port)):
            return True
    return False


def _checked_proxy(text: str, variable: str) -> str:
    """A proxy that speaks HTTP; without a scheme it is taken to."""
    address = text.strip()
    if "://" not in address:
        address = f"http://{address}"
    parts = _split(address)
    if address.lower().startswith("socks"):
        raise SettingsError(
            f"environment: {variable} names a SOCKS proxy, which is not supported",
            hint="name an http:// proxy, or list the host in NO_PROXY",
        )
    is_clean = address.isascii() and address.isprintable() and " " not in address
    if parts is None or not is_clean or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            f"environment: {variable} is not the address of a proxy",
            hint="write http://host:port",
        )
    return address
