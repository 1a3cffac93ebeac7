"""How references to secret stores are written, and what reading any of them shares."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Final

from ultrai.domain.errors import CredentialsError

PATIENCE_S: Final = 10
"""How long a store may take to connect, and to answer, in seconds."""


@dataclass(frozen=True, slots=True)
class Form:
    """What follows a scheme: how it is written, and the extra that brings the maker's library."""

    scheme: str
    extra: str
    pattern: re.Pattern[str]
    what: str
    how: str

    @property
    def hint(self) -> str:
        """How it is written, for a person."""
        return f"write {self.how}"

    def match(self, rest: str) -> re.Match[str]:
        """Its parts; raises CredentialsError, which does not echo them."""
        match = self.pattern.fullmatch(rest.strip())
        if match is None:
            raise CredentialsError(f"{self.scheme}: is not followed by {self.what}", hint=self.hint)
        return match

    def library(self, name: str) -> ModuleType:
        """A module of the extra. Raises CredentialsError where it is not installed."""
        from importlib import import_module  # noqa: PLC0415 - only a reference needs it

        try:
            return import_module(name)
        except ModuleNotFoundError:
            raise CredentialsError(
                f"{self.scheme}: references need the extra {self.extra!r}, which is not installed",
                hint=f"install it with: pip install 'ultrai[{self.extra}]'",
            ) from None


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        form.scheme: form
        for form in (
            Form(
                "keyring",
                "secrets-keyring",
                re.compile(r"(?P<service>[^\x00-\x1f]+)/(?P<name>[^/\x00-\x1f]+)"),
                "a service and a name",
                "keyring:SERVICE/NAME, such as keyring:openrouter/me",
            ),
            Form(
                "vault",
                "secrets-vault",
                re.compile(r"(?P<mount>[^/#\s]+)/(?P<path>[^#\s]+?)#(?P<field>[^#\s]+)"),
                "a path and a field",
                "vault:MOUNT/PATH#FIELD, such as vault:secret/ultrai#openrouter",
            ),
            Form(
                "aws-sm",
                "secrets-aws",
                re.compile(r"(?P<id>[A-Za-z0-9/_+=.@:-]+)(?:#(?P<field>[^#\s]+))?"),
                "the name or ARN of a secret",
                "aws-sm:NAME or aws-sm:NAME#FIELD, such as aws-sm:ultrai/prod#openrouter",
            ),
            Form(
                "aws-kms",
                "secrets-aws",
                re.compile(r"(?P<ciphertext>[A-Za-z0-9+/]{4,}={0,2})"),
                "a ciphertext in base64",
                "aws-kms:BASE64, the CiphertextBlob of `aws kms encrypt`",
            ),
            Form(
                "azure-kv",
                "secrets-azure",
                re.compile(
                    r"(?P<vault>[A-Za-z0-9][A-Za-z0-9.:-]*)/(?P<name>[A-Za-z0-9-]{1,127})"
                    r"(?:/(?P<version>[A-Za-z0-9]{1,64}))?"
                ),
                "a vault and the name of a secret",
                "azure-kv:VAULT/NAME, such as azure-kv:team-vault/openrouter",
            ),
            Form(
                "gcp-sm",
                "secrets-gcp",
                re.compile(
                    r"(?:projects/)?(?P<project>[a-z0-9][a-z0-9.:-]*)/(?:secrets/)?"
                    r"(?P<name>[A-Za-z0-9_-]{1,255})(?:/(?:versions/)?(?P<version>[A-Za-z0-9_-]+))?"
                ),
                "a project and the name of a secret",
                "gcp-sm:PROJECT/NAME, such as gcp-sm:team-prod/openrouter",
            ),
        )
    }
)
"""By scheme: checked when settings load, before any store is asked."""


def field_of(text: object, field: str | None, *, of: str, form: Form) -> str:
    """The text itself, or one field of the JSON that it is. Raises CredentialsError."""
    value = text
    if field is not None:
        try:
            whole = json.loads(text) if isinstance(text, str) else None
        except ValueError:
            whole = None
        value = whole.get(field) if isinstance(whole, dict) else None
    if not isinstance(value, str) or not value:
        told = "no text" if field is None else f"no text in its field {field!r}"
        raise CredentialsError(f"{of} has {told}", hint=form.hint)
    if field is None and value.lstrip().startswith("{"):
        raise CredentialsError(f"{of} holds JSON", hint=f"name the field: {form.how}")
    return value
