"""Secret references that lead to a store: `keyring:SERVICE/NAME` and `vault:PATH#FIELD`.

Each is read with its maker's own library, which comes with an extra and is imported when a
reference needs it. What a store says is never echoed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ultrai.domain.errors import CredentialsError
from ultrai.settings.hush import hushed
from ultrai.settings.places import World
from ultrai.settings.store_forms import FORMS, PATIENCE_S, in_words

_HOST: Final = re.compile(r"(https?://)(?:[^/?#]*@)?([^/?#@]*)(?:[/?#][^@]*)?")


def from_keyring(rest: str, *, world: World, folder: Path) -> str:
    """The password that the system's keyring keeps for `SERVICE/NAME`."""
    del world, folder
    service, name = FORMS["keyring"].match(rest).group("service", "name")
    keyring = FORMS["keyring"].library("keyring")
    try:
        with hushed():
            value = keyring.get_password(service, name)
    except Exception as error:  # noqa: BLE001 - each back end has errors of its own
        raise CredentialsError(
            f"the keyring cannot be read: {type(error).__name__}",
            hint="unlock it, or choose another back end of the keyring",
        ) from None
    if not value:
        raise CredentialsError(
            f"the keyring keeps nothing for {service}/{name}",
            hint=f"put it there with: keyring set {service} {name}",
        )
    return str(value)


def from_vault(rest: str, *, world: World, folder: Path) -> str:
    """One field of a KV version 2 secret of HashiCorp Vault or OpenBao.

    `VAULT_ADDR` says where; `VAULT_TOKEN`, or `VAULT_ROLE_ID` and `VAULT_SECRET_ID` (AppRole), open
    it; `VAULT_NAMESPACE` and `VAULT_CACERT` are honoured.
    """
    del folder
    match = FORMS["vault"].match(rest)
    address = world.environ.get("VAULT_ADDR", "").strip()
    if not address:
        raise CredentialsError("VAULT_ADDR is not set", hint="set it to the address of the Vault")
    hvac = FORMS["vault"].library("hvac")
    try:
        with hushed():
            client = _opened(hvac, address, environ=world.environ)
            answer = client.secrets.kv.v2.read_secret_version(
                path=match["path"], mount_point=match["mount"], raise_on_deleted_version=True
            )
        value = answer["data"]["data"].get(match["field"])
    except CredentialsError:
        raise
    except Exception as error:  # noqa: BLE001 - of hvac, of requests, of a body that is no JSON
        raise CredentialsError(
            f"the Vault{_at(address)} did not give "
            f"{match['mount']}/{match['path']}: {in_words(error)}",
            hint="check VAULT_ADDR, the token and its policy",
        ) from None
    if not isinstance(value, str) or not value:
        raise CredentialsError(
            f"{match['mount']}/{match['path']} has no text in its field {match['field']!r}",
            hint=FORMS["vault"].hint,
        )
    return value


def _at(address: str) -> str:
    """Where a Vault is, as it may be told: its host. Nothing where a password may be in it."""
    match = _HOST.fullmatch(address)
    return "" if match is None else f" at {match[1]}{match[2]}"


def _opened(hvac: ModuleType, address: str, *, environ: Mapping[str, str]) -> Any:
    client = hvac.Client(
        url=address,
        token=environ.get("VAULT_TOKEN") or None,
        namespace=environ.get("VAULT_NAMESPACE") or None,
        verify=environ.get("VAULT_CACERT") or True,
        timeout=PATIENCE_S,
    )
    if client.token:
        return client
    role, secret = environ.get("VAULT_ROLE_ID"), environ.get("VAULT_SECRET_ID")
    if not role:
        raise CredentialsError(
            "neither VAULT_TOKEN nor VAULT_ROLE_ID is set", hint="set one of them"
        )
    client.auth.approle.login(role_id=role, secret_id=secret or None)
    return client
