"""Who runs models: providers by display name."""

from __future__ import annotations

from collections.abc import Mapping

# Display name -> routing slug, and whether closing the connection also stops the bill. The second
# column is OpenRouter's documented list of providers that honour a cancelled stream.
PROVIDERS: Mapping[str, tuple[str, bool]] = {
    "OpenAI": ("openai", True),
    "Azure": ("azure", True),
    "Anthropic": ("anthropic", True),
    "Amazon Bedrock": ("amazon-bedrock", False),
    "Google": ("google-vertex", False),
    "Google AI Studio": ("google-ai-studio", False),
    "Mistral": ("mistral", False),
    "xAI": ("xai", True),
    "DeepSeek": ("deepseek", True),
    "DeepInfra": ("deepinfra", True),
    "Together": ("together", True),
    "Groq": ("groq", False),
    "Chutes": ("chutes", True),
    "Cohere": ("cohere", True),
    "Alibaba": ("alibaba", False),
    "Z.AI": ("z-ai", False),
    "Moonshot AI": ("moonshotai", False),
    "Liquid": ("liquid", True),
    "Nvidia": ("nvidia", False),
    "Dots Studio": ("dots-studio", False),
    "OpenRouter": ("openrouter", False),
    "Typesafe": ("typesafe", False),
}


def slug_of(name: str) -> str:
    """The routing slug of a provider, also of one that is not in the table."""
    known = PROVIDERS.get(name)
    return name.lower().replace(" ", "-") if known is None else known[0]


def is_named(provider: str, name: str) -> bool:
    """Whether a name, a slug or a slug with a variant means this provider."""
    return name.partition("/")[0].lower() in (provider.lower(), slug_of(provider))
