"""Exceptions: raised only where no Report is possible.

What the world does to an Attempt is a Failure, a value (see `outcome`). The tree:

    UltraiError            something a person can act on; `code` for programs, `hint` for people
      SettingsError        a settings file, environment variable or flag is wrong
      UsageError           the call is wrong: flags that exclude, numbers out of bounds
        ModelNotFound      the cocktail or model that it names does not exist
      BudgetRefusal        refused before anything was spent
      CredentialsError     no key, or a secret reference that cannot be read
      UpstreamUnavailable  the upstream's catalogue or account could not be read, and it was needed
        KeyRefused         the same, because the upstream refused the key
      StoreError           the database cannot be opened, read or written
      LocalModelError      embedded weights or their runtime are missing or broken
      NotFound             a run, cocktail or model that was asked for does not exist
"""

from __future__ import annotations


class UltraiError(Exception):
    """The root. `str(error)` is the cause; `hint` is what the user can do about it."""

    code: str = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(UltraiError):
    """A settings file, environment variable or flag holds something that cannot be used."""

    code = "bad_settings"


class UsageError(UltraiError):
    """The request itself is wrong; nothing was sent."""

    code = "bad_usage"


class ModelNotFound(UsageError):
    """The cocktail or model that the request names does not exist; nothing was sent."""

    code = "model_not_found"


class BudgetRefusal(UltraiError):
    """The worst case does not fit; nothing was spent.

    `budget` names the Budget that said no; "" where it was the Run's own cap.
    """

    code = "refused_by_budget"

    def __init__(self, message: str, *, hint: str = "", budget: str = "") -> None:
        super().__init__(message, hint=hint)
        self.budget = budget


class CredentialsError(UltraiError):
    """A key is missing or its secret reference cannot be read."""

    code = "credentials"


class UpstreamUnavailable(UltraiError):
    """The upstream did not give what was needed before any attempt."""

    code = "upstream_unavailable"


class KeyRefused(UpstreamUnavailable):
    """The upstream read the key and refused it for what was asked."""

    code = "upstream_auth"


class StoreError(UltraiError):
    """The database cannot be opened, read or written."""

    code = "store"


class LocalModelError(UltraiError):
    """Embedded weights or their runtime are missing or broken."""

    code = "local_model"


class NotFound(UltraiError):
    """What was named does not exist."""

    code = "not_found"
