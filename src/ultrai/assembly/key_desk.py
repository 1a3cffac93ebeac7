"""`UltrAI.key_desk`: the upstream's keys, looked after with a management key."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.domain.errors import CredentialsError, NotFound, UltraiError, UsageError
from ultrai.domain.stamp import stamp
from ultrai.policy.key_terms import checked_terms

if TYPE_CHECKING:
    from ultrai.domain.secret import Secret
    from ultrai.domain.upstream_key import NewKey, UpstreamKey
    from ultrai.engine.ports import Upstream
    from ultrai.upstream.key_management import KeyManagement

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: `left` says in one line what is still to be done, if it broke off."""

    made: NewKey
    retired: UpstreamKey
    is_done: bool
    left: str = ""


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """Every method raises CredentialsError (no management key, or refused) or UpstreamUnavailable.

    `probe` makes an upstream that asks with a given key.
    """

    management: KeyManagement
    probe: Callable[[Secret], Upstream]
    now: Callable[[], datetime]

    async def list_keys(self) -> Sequence[UpstreamKey]:
        """All keys, also disabled ones."""
        return await self.management.list_keys()

    async def create(self, asked: Mapping[str, object], *, warn: Callable[[str], None]) -> NewKey:
        """Make a key; `warn` hears, before that, which others have its name. Raises UsageError."""
        terms = checked_terms(asked, now=self.now())
        name = str(terms["name"])
        same = [key for key in await self.list_keys() if key.name == name and not key.disabled]
        if same:
            hashes = ", ".join(key.hash[:12] for key in same[:_NAMED])
            warn(
                f"another key is called {name!r} already ({hashes}): "
                "tell them apart by the beginning of the hash"
            )
        return await self.management.create(terms)

    async def find(self, name: str) -> UpstreamKey:
        """The key of that name, or whose hash begins so; of several the one that is not disabled.

        Raises NotFound, UsageError.
        """
        keys = await self.list_keys()
        exact = [key for key in keys if name in (key.hash, key.name)]
        found = exact or [key for key in keys if len(name) >= _NAMED and key.hash.startswith(name)]
        working = [key for key in found if not key.disabled]
        if len(working) == 1:
            return working[0]
        if not found:
            raise NotFound(f"there is no key {name!r}", hint="list them with `ultrai keys list`")
        if len(found) > 1:
            hashes = ", ".join(key.hash[:12] for key in found[:_NAMED])
            raise UsageError(f"{len(found)} keys are called {name!r}", hint=f"name one: {hashes}")
        return found[0]

    async def rotate(
        self,
        old: UpstreamKey,
        *,
        hand_over: Callable[[NewKey], None],
        wait: Callable[[], Awaitable[None]],
        delete_old: bool,
    ) -> Rotation:
        """A new key with the same limits takes the place of an old one, which is disabled.

        The new one is handed over, tried and used; `wait` lets what is in flight with the old one
        end. Whatever breaks off leaves the old key working, and says what became of the new one.
        One that expires gets a successor that lasts as long as it was to last itself.
        """
        wishes: dict[str, object] = {"name": old.name or "rotated"}
        if old.limit_nanos is not None:
            wishes["limit"] = old.limit_nanos / 1_000_000_000
        if old.reset is not None:
            wishes["limit_reset"] = old.reset
        if old.expires_at is not None:
            wishes["expires_at"] = _next_expiry(old, now=self.now())
        made = await self.management.create(wishes)
        try:
            hand_over(made)
        except UltraiError as error:
            return Rotation(made, old, is_done=False, left=await self._take_back(made, error))
        try:
            await self.probe(made.value).read_account()
            await wait()
            if delete_old:
                await self.management.delete(old.hash)
            else:
                await self.management.change(old.hash, {"disabled": True})
        except (UltraiError, asyncio.CancelledError) as error:
            left = f"the new key was made, and the old one {old.hash[:12]} still works"
            why = str(error) or "interrupted"
            return Rotation(made, old, is_done=False, left=f"{left}: {why}")
        return Rotation(made, old, is_done=True)

    async def _take_back(self, made: NewKey, error: UltraiError) -> str:
        """A new key that nobody got must not stay; one line that says what became of it."""
        try:
            await self.management.delete(made.key.hash)
        except UltraiError:
            return f"{error}; the new key {made.key.hash[:12]} was made and is lost: delete it"
        return f"{error}; the new key was taken back, and the old one still works"


def _next_expiry(old: UpstreamKey, *, now: datetime) -> str:
    told = old.expires_at or ""
    try:
        expires, made = (datetime.fromisoformat(each or "") for each in (told, old.created_at))
        later = max(now + (expires - made), expires)
    except (ValueError, TypeError, OverflowError):
        return told  # stamps that nobody can reckon with: as the old one's
    return stamp(later)


def check_place(path: Path) -> None:
    """Whether a key can be put there, asked before it is made. Raises UsageError."""
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(
            f"{path} cannot be written: there is no directory {folder}", hint="make it first"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{path} cannot be written: its directory does not allow it")


def write_key(path: Path, value: Secret) -> None:
    """Put a key into a file that only its owner may read, all at once. Raises UsageError."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{value.reveal()}\n")
        fresh.chmod(0o600)
        fresh.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def no_management_key(problem: str | None) -> CredentialsError:
    """Why keys cannot be looked after."""
    message = problem or "no management key is set"
    return CredentialsError(message, hint="set OPENROUTER_MANAGEMENT_KEY, or management_key")
