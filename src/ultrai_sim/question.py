"""What a chat request says: its texts, its media and its wishes about the answer.

Reading is lenient, as OpenRouter is: what has the wrong type is passed over, and a wish that the
model does not support is dropped (`routing` refuses instead where `require_parameters` asks so).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ultrai_sim.tokens import FAMILIES, count

SEARCH = "openrouter:web_search"
MOST_STOPS = 4
MOST_TOP_LOGPROBS = 20
AUDIO_BYTES_PER_TOKEN = 500
VIDEO_BYTES_PER_TOKEN = 400
FILE_BYTES_PER_PAGE = 50_000
TOKENS_OF_A_LINK = 2_000
TOKENS_PER_TOOL = 8
TOKENS_OF_RESULTS = 1_500
"""What the pages found by a search of the web add to the prompt."""
IMAGE_AT_LOW_DETAIL = 85


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; ``parameters`` is a JSON schema."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Media:
    """What comes beside the text: images, pages, and the tokens of sound and film."""

    images: int = 0
    small_images: int = 0
    pages: int = 0
    audio_tokens: int = 0
    video_tokens: int = 0


NO_MEDIA = Media()


@dataclass(frozen=True, slots=True)
class Question:
    """A chat request, read. ``prompt`` is all its text, ``asked`` what the user said last.

    ``earlier`` is what the user said before that, ``instructions`` what the system did, and
    ``results`` what tools answered since. ``choice`` is ``none``, ``auto``, ``required`` or the one
    function's name after a colon. ``shape`` is the schema that the answer has to satisfy, ``{}``
    for any JSON object, None for text. ``top_logprobs`` None: none were asked for. ``said`` are the
    messages as they came. ``served`` are the tools, but for search, that
    OpenRouter runs for the model. ``legacy``: it was a ``prompt``, and wants a text completion.
    """

    prompt: str
    asked: str
    messages: int
    earlier: str = ""
    instructions: str = ""
    results: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    tools_text: str = ""
    shape: Mapping[str, Any] | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    top_logprobs: int | None = None
    searches: bool = False
    served: tuple[str, ...] = ()
    said: Sequence[Mapping[str, Any]] = ()
    cache_control: Any = None
    legacy: bool = False
    media: Media = NO_MEDIA

    def count(self, family: str) -> int:
        """The prompt's tokens as models of this family count them, media included."""
        terms, media = FAMILIES[family], self.media
        total = count(self.prompt, family) + terms.per_message * self.messages + terms.per_request
        if self.tools_text:
            total += count(self.tools_text, family) + TOKENS_PER_TOOL * len(self.tools)
        total += media.images * terms.image + media.pages * terms.page
        total += media.small_images * min(terms.image, IMAGE_AT_LOW_DETAIL)
        total += TOKENS_OF_RESULTS if self.searches else 0
        return max(total + media.audio_tokens + media.video_tokens, 1)


def read_question(
    body: Mapping[str, Any],
    messages: Sequence[Any],
    *,
    supported: Collection[str],
    asked: str = "",
) -> Question:
    """The question of a chat request's body to the model ``asked``, with its suffixes.

    ``supported`` are the model's parameters.
    """
    said = [message for message in messages if isinstance(message, dict)]
    texts = [text_of_message(message) for message in said]
    roles = [message.get("role") for message in said]
    by_user = [n for n, role in enumerate(roles) if role == "user"]
    last = by_user[-1] if by_user else len(said) - 1

    def wish(name: str) -> Any:
        return body.get(name) if name in supported else None

    tools, seed = _tools(wish("tools")), wish("seed")
    return Question(
        prompt=texts[0] if len(texts) == 1 else "\n".join(filter(None, texts)),
        asked=texts[last] if texts else "",
        messages=len(messages),
        earlier=texts[by_user[-2]] if len(by_user) > 1 else "",
        instructions="\n".join(_told_by(roles, texts, wanted=("system", "developer"))),
        results=tuple(_told_by(roles[last + 1 :], texts[last + 1 :], wanted=("tool",))),
        tools=tools,
        choice=_choice(wish("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        tools_text=msgspec.json.encode(body["tools"]).decode() if tools else "",
        shape=_shape(wish("response_format")),
        stop=_stop(wish("stop")),
        seed=seed if isinstance(seed, int) else None,
        top_logprobs=_top(wish("top_logprobs")) if wish("logprobs") is True else None,
        searches=_searches(body, asked),
        served=_served(body.get("tools")),
        said=said,
        cache_control=body.get("cache_control"),
        legacy=not body.get("messages"),
        media=_media(said),
    )


def _told_by(roles: list[Any], texts: list[str], *, wanted: Collection[str]) -> list[str]:
    return [text for role, text in zip(roles, texts, strict=True) if role in wanted]


def text_of_message(message: Mapping[str, Any]) -> str:
    """All text of one message, what it calls included."""
    content = message.get("content")
    if isinstance(content, str) and "tool_calls" not in message:
        return content
    texts = [content] if isinstance(content, str) else []
    texts += [part["text"] for part in _rows(content) if isinstance(part.get("text"), str)]
    for call in _rows(message.get("tool_calls")):
        function = call.get("function")
        if isinstance(function, dict):
            texts += [str(function.get(name, "")) for name in ("name", "arguments")]
    return "\n".join(texts)


def _rows(value: Any) -> list[dict[str, Any]]:
    """The objects of an array, none for what is no array."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _tools(value: Any) -> tuple[Tool, ...]:
    tools = []
    for row in _rows(value):
        function = row.get("function")
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            parameters = function.get("parameters")
            tools.append(Tool(function["name"], parameters if isinstance(parameters, dict) else {}))
    return tuple(tools)


def _choice(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        return f":{value['function'].get('name')}"
    return value if value in ("none", "required") else "auto"


def _shape(value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, dict):
        return None
    if value.get("type") == "json_object":
        return {}
    described = value.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    return schema if value.get("type") == "json_schema" and isinstance(schema, dict) else None


def _stop(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(text for text in texts if isinstance(text, str) and text)[:MOST_STOPS]


def _top(value: Any) -> int:
    return min(max(value, 0), MOST_TOP_LOGPROBS) if isinstance(value, int) else 0


def _searches(body: Mapping[str, Any], asked: str) -> bool:
    """Whether the web is searched: by suffix, plugin or server tool."""
    return (
        ":online" in asked
        or any(
            row.get("id") == "web" and row.get("enabled") is not False
            for row in _rows(body.get("plugins"))
        )
        or any(row.get("type") == SEARCH for row in _rows(body.get("tools")))
    )


def _served(tools: Any) -> tuple[str, ...]:
    kinds = (str(row.get("type")) for row in _rows(tools))
    return tuple(kind for kind in kinds if kind.startswith("openrouter:") and kind != SEARCH)


def _media(messages: Sequence[Mapping[str, Any]]) -> Media:
    """What the parts that are not text amount to."""
    media = NO_MEDIA
    for message in messages:
        for part in _rows(message.get("content")):
            kind = str(part.get("type"))
            held = part.get(kind)
            if isinstance(held, dict) and kind in MEDIA_KINDS:
                media = MEDIA_KINDS[kind](media, held)
    return media


def _with_image(media: Media, held: Mapping[str, Any]) -> Media:
    if held.get("detail") == "low":
        return replace(media, small_images=media.small_images + 1)
    return replace(media, images=media.images + 1)


def _with_file(media: Media, held: Mapping[str, Any]) -> Media:
    pages = _share(held.get("file_data"), FILE_BYTES_PER_PAGE, unknown=1)
    return replace(media, pages=media.pages + pages)


def _with_audio(media: Media, held: Mapping[str, Any]) -> Media:
    tokens = _share(held.get("data"), AUDIO_BYTES_PER_TOKEN, unknown=TOKENS_OF_A_LINK)
    return replace(media, audio_tokens=media.audio_tokens + tokens)


def _with_video(media: Media, held: Mapping[str, Any]) -> Media:
    tokens = _share(held.get("url"), VIDEO_BYTES_PER_TOKEN, unknown=TOKENS_OF_A_LINK)
    return replace(media, video_tokens=media.video_tokens + tokens)


MEDIA_KINDS: Mapping[str, Callable[[Media, Mapping[str, Any]], Media]] = {
    "image_url": _with_image,
    "file": _with_file,
    "input_audio": _with_audio,
    "video_url": _with_video,
    "input_video": _with_video,
}


def _share(data: Any, unit: int, *, unknown: int) -> int:
    """How many units the bytes behind base64 text amount to; ``unknown`` where there is a link."""
    if not isinstance(data, str) or data.startswith(("http:", "https:")):
        return unknown
    return 1 + len(data.rpartition(",")[2]) * 3 // 4 // unit
