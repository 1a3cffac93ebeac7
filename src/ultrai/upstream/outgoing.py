"""What is sent: the body and headers of a request."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from ultrai.domain.attempt import AttemptRequest, PriceCap
from ultrai.domain.query import Message
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.words import keepable

_encode: Final = msgspec.json.Encoder().encode


def request_body(config: UpstreamConfig, request: AttemptRequest) -> bytes:
    """The JSON of `POST /chat/completions`. `max_tokens` is always in it.

    A price cap goes to OpenRouter only (`provider.max_price`, decimal strings in USD per million
    tokens); other servers are asked to report usage when they stream, which OpenRouter always does.
    """
    shape: dict[str, object] = {
        "model": config.local_id(request.model),
        "messages": [message.to_dict() for message in request.messages],
        **request.sampling.to_dict(),
        "stream": request.stream,
    }
    if config.is_openrouter and request.price_cap is not None:
        shape["provider"] = {"max_price": _max_price(request.price_cap)}
    if request.stream and not config.is_openrouter:
        shape["stream_options"] = {"include_usage": True}
    try:
        return _encode(shape)
    except UnicodeEncodeError:
        # A prompt from a terminal may hold bytes that are no text (surrogateescape).
        shape["messages"] = [_keepable_message(message) for message in request.messages]
        return _encode(shape)


def request_headers(config: UpstreamConfig, accept: str) -> dict[str, str]:
    """Headers of any request. `identity`: a compressed stream arrives late and in lumps."""
    headers = {
        "Accept": accept,
        "Accept-Encoding": "identity",
        "User-Agent": config.user_agent,
        **config.headers,
    }
    if config.key is not None:
        headers["Authorization"] = f"Bearer {config.key.reveal()}"
    return headers


def is_usable_key(config: UpstreamConfig) -> bool:
    """Whether the key can stand in a header: printable ASCII without spaces at its ends."""
    if config.key is None:
        return True
    key = config.key.reveal()
    return key.isascii() and key.isprintable() and key == key.strip()


def _max_price(cap: PriceCap) -> dict[str, str]:
    prices = {"prompt": _plain(cap.prompt), "completion": _plain(cap.completion)}
    if cap.request is not None:
        prices["request"] = _plain(cap.request)
    return prices


def _plain(price: Decimal) -> str:
    return format(price, "f")


def _keepable_message(message: Message) -> dict[str, object]:
    return {**message.to_dict(), "content": keepable(message.content)}
