"""Secret references that lead to the stores of AWS, Azure and Google.

Each is read with its maker's own library, which finds its credentials in its own way: variables,
profiles, the identity of the machine. What a store says is never echoed, only the kind of error.
"""

from __future__ import annotations

import logging
from base64 import b64decode
from binascii import Error as NotBase64
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from ultrai.domain.errors import CredentialsError
from ultrai.settings.hush import hushed
from ultrai.settings.places import World
from ultrai.settings.store_forms import FORMS, PATIENCE_S, Form, field_of, in_words

_ARN: Final = "arn:"
_ARN_REGION: Final = 3
# Azure's library warns at length of each identity that it tries. A program that has set up logging
# hears it; without, it must not end up on standard error.
_UNHEARD: Final = logging.NullHandler()
_AZURE_PUBLIC: Final = "vault.azure.net"
# The variable that Google's own command line takes for a private endpoint.
_GCP_ENDPOINT: Final = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"


def from_secrets_manager(rest: str, *, world: World, folder: Path) -> str:
    """The current version of a secret of AWS Secrets Manager, or one field of its JSON."""
    del world, folder
    form = FORMS["aws-sm"]
    match = form.match(rest)
    name, field = match["id"], match["field"]
    region = name.split(":")[_ARN_REGION] if name.startswith(_ARN) else None
    client = _aws(form, "secretsmanager", region=region)
    try:
        with hushed():
            answer = client.get_secret_value(SecretId=name)
    except Exception as error:  # noqa: BLE001 - of botocore, of its service, of the transport
        raise _not_given(f"Secrets Manager did not give {name}", error, of="AWS") from None
    finally:
        client.close()
    return field_of(answer.get("SecretString"), field, of=name, form=form)


def from_kms(rest: str, *, world: World, folder: Path) -> str:
    """A value that a symmetric key of AWS KMS has encrypted; the ciphertext names that key."""
    del world, folder
    form = FORMS["aws-kms"]
    try:
        ciphertext = b64decode(form.match(rest)["ciphertext"], validate=True)
    except NotBase64:
        raise CredentialsError("aws-kms: is followed by broken base64", hint=form.hint) from None
    client = _aws(form, "kms", region=None)
    try:
        with hushed():
            plaintext = client.decrypt(CiphertextBlob=ciphertext)["Plaintext"]
    except Exception as error:  # noqa: BLE001 - of botocore, of its service, of the transport
        raise _not_given("KMS did not decrypt the value", error, of="AWS") from None
    finally:
        client.close()
    return _text(plaintext, of="the decrypted value", form=form)


def from_key_vault(rest: str, *, world: World, folder: Path) -> str:
    """A secret of Azure Key Vault, its newest version where none is named."""
    del world, folder
    form = FORMS["azure-kv"]
    match = form.match(rest)
    vault, name, version = match.group("vault", "name", "version")
    identity = form.library("azure.identity")
    library = form.library("azure.keyvault.secrets")
    logging.getLogger("azure").addHandler(_UNHEARD)
    host = vault if "." in vault else f"{vault}.{_AZURE_PUBLIC}"
    patience = {"connection_timeout": PATIENCE_S, "read_timeout": PATIENCE_S, "retry_total": 1}
    try:
        with hushed(), ExitStack() as stack:
            credential = stack.enter_context(identity.DefaultAzureCredential())
            client = library.SecretClient(f"https://{host}", credential, **patience)
            value = stack.enter_context(client).get_secret(name, version).value
    except Exception as error:  # noqa: BLE001 - of azure.core, of its credentials, of the transport
        raise _not_given(f"{host} did not give {name}", error, of="Azure") from None
    return field_of(value, None, of=f"{host}/{name}", form=form)


def from_secret_manager(rest: str, *, world: World, folder: Path) -> str:
    """A secret of Google Secret Manager, its latest version where none is named."""
    del folder
    form = FORMS["gcp-sm"]
    match = form.match(rest)
    project, name, version = match.group("project", "name", "version")
    library = form.library("google.cloud.secretmanager")
    endpoint = world.environ.get(_GCP_ENDPOINT, "").strip().rstrip("/")
    options = {"api_endpoint": endpoint} if endpoint else None
    path = f"projects/{project}/secrets/{name}/versions/{version or 'latest'}"
    try:
        # REST: it honours proxies and certificates as the other stores do, and starts no threads.
        client = library.SecretManagerServiceClient(transport="rest", client_options=options)
        with hushed(), client:
            answer = client.access_secret_version(name=path, retry=None, timeout=PATIENCE_S)
            data = answer.payload.data
    except Exception as error:  # noqa: BLE001 - of google.api_core, of google.auth, of the transport
        raise _not_given(f"Secret Manager did not give {path}", error, of="Google") from None
    return _text(data, of=path, form=form)


def _aws(form: Form, service: str, *, region: str | None) -> Any:
    # A session of its own: the shared one keeps the credentials that it found first.
    boto3 = form.library("boto3")
    config = form.library("botocore.config").Config(
        connect_timeout=PATIENCE_S, read_timeout=PATIENCE_S, retries={"total_max_attempts": 2}
    )
    try:
        return boto3.Session().client(service, region_name=region, config=config)
    except Exception as error:  # noqa: BLE001 - no region, a broken profile, an odd endpoint
        raise _not_given("AWS cannot be asked", error, of="AWS") from None


def _text(data: object, *, of: str, form: Form) -> str:
    try:
        text = bytes(data).decode() if isinstance(data, bytes | bytearray) else None
    except UnicodeDecodeError:
        text = None
    return field_of(text, None, of=of, form=form)


_HINTS: Final = {
    "AWS": "check AWS_REGION, the credentials (aws sts get-caller-identity) and their policy",
    "Azure": "check the name of the vault, the credentials (az login) and their role",
    "Google": "check the project, the credentials (gcloud auth application-default login) and "
    "their role",
}


def _not_given(what: str, error: Exception, *, of: str) -> CredentialsError:
    return CredentialsError(f"{what}: {in_words(error)}", hint=_HINTS[of])
