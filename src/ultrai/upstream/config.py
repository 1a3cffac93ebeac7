"""What distinguishes one upstream from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ultrai.domain.secret import Secret
from ultrai.upstream.key_source import KeySource


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """One server with OpenAI's format.

    `prefix` stands before its own model ids in ours: with `ollama`, `ollama/llama3` is sent as
    `llama3`; empty for OpenRouter. `headers` go with every request (attribution). `proxy` is a URL
    or None. `key_source`, where there is one, knows the key of each moment; `key` is then the one
    that this configuration was last given. `free`: its models cost nothing. `manages_keys`: the
    key looks after others and asks no models. `wire_log` is given masked lines of what goes over
    the wire, without prompts.
    """

    name: str
    base_url: str
    key: Secret | None = None
    key_source: KeySource | None = None
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy: str | None = None
    is_openrouter: bool = False
    manages_keys: bool = False
    free: bool = False
    wire_log: Callable[[str], None] | None = None
    user_agent: str = "ultrai"

    @property
    def has_key(self) -> bool:
        """Whether it is asked with a key at all, known by now or not."""
        return self.key is not None or self.key_source is not None

    def url(self, path: str) -> str:
        """The address of `path` (which begins with a slash) below the base."""
        return self.base_url.rstrip("/") + path

    def local_id(self, model_id: str) -> str:
        """The server's own name for one of our model ids."""
        return model_id.removeprefix(f"{self.prefix}/") if self.prefix else model_id

    def global_id(self, local_id: str) -> str:
        """Our id for one of the server's models."""
        return f"{self.prefix}/{local_id}" if self.prefix else local_id
