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

_FORBIDDEN: Final = 403


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


_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        name: words
        for words, names in {
            "permission denied": "Forbidden AccessDenied AccessDeniedException PermissionDenied",
            "there is no such secret": "InvalidPath NotFound ResourceNotFoundError "
            "ResourceNotFoundException",
            "it refuses the request": "InvalidRequest BadRequest ValidationException "
            "InvalidCiphertextException",
            "it refuses the credentials": "Unauthorized Unauthenticated ClientAuthenticationError "
            "UnrecognizedClientException ExpiredTokenException InvalidSignatureException "
            "RefreshError",
            "there are no credentials": "NoCredentialsError PartialCredentialsError "
            "CredentialUnavailableError DefaultCredentialsError",
            "no region is named": "NoRegionError",
            "it cannot be reached": "ConnectionError EndpointConnectionError ServiceRequestError "
            "ConnectTimeoutError ConnectTimeout ProxyError",
            "it does not answer": "ReadTimeout ReadTimeoutError ServiceResponseError "
            "DeadlineExceeded ServiceResponseTimeoutError",
            "its certificate is not trusted": "SSLError",
            "it is sealed or busy": "VaultDown ServiceUnavailable InternalServerError",
        }.items()
        for name in names.split()
    }
)


def in_words(error: Exception) -> str:
    """The kind of error and no more: its text may hold a token, or a part of the secret."""
    name = type(error).__name__
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # AWS: the service's own name for it
        name = str(response.get("Error", {}).get("Code") or name)
    if getattr(error, "status_code", None) == _FORBIDDEN:  # Azure: it has no class of its own
        name = "Forbidden"
    return _WORDS.get(name, name)


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
