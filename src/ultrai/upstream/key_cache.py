"""KeyCache: a KeySource over a place that must be asked, such as a file or a store.

Theory of operation. A key that was read counts for `fresh_s`. In the last fifth of that time it is
read anew beside the requests, so that none waits for it; only after an idle time longer than that
do they wait for the place, two seconds at most. When reading fails, the key that is known
goes on being used and the place is tried again after a pause that doubles; only where no key was
ever read does the failure reach the caller. There is one read at a time, and whoever needs its
result waits for that one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Final

from ultrai.domain.errors import CredentialsError
from ultrai.domain.secret import Secret

_EARLY: Final = 0.8
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_WAIT_S: Final = 2.0
_SAME_DENIAL_S: Final = 1.0


class KeyCache:
    """Reads with `read`, which raises CredentialsError; `known` was read already.

    `tell` is given one line when reading begins to fail and one when it works again.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Secret]],
        *,
        fresh_s: float,
        tell: Callable[[str], None],
        known: Secret | None = None,
    ) -> None:
        self._read = read
        self._fresh_s = fresh_s
        self._tell = tell
        self._key = known
        self._read_at: float | None = None
        self._began_at = self._try_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._problem: CredentialsError | None = None
        self._reading: asyncio.Task[None] | None = None
        self._denied: tuple[Secret, float] | None = None

    async def current(self) -> Secret:
        """The key to send now. Raises CredentialsError when there has never been one."""
        now = asyncio.get_running_loop().time()
        if self._key is None:
            await asyncio.shield(self._begun())
            return self._known()
        if self._read_at is None:  # settings read it when they were loaded, moments ago
            self._read_at = now
        age_s = now - self._read_at
        if age_s >= _EARLY * self._fresh_s and now >= self._try_at:
            reading = self._begun()
            left_s = self._began_at + _LONGEST_WAIT_S - now
            if age_s >= self._fresh_s and self._problem is None and left_s > 0:
                await asyncio.wait({reading}, timeout=left_s)
        return self._known()

    async def refresh_after_denial(self, denied: Secret) -> Secret | None:
        """The key that has taken the place of one that was refused; None: there is no other.

        Many requests may be refused at once: they share a read. One that had begun before this
        refusal may have found the old key just before it was replaced, and is not the last word.
        """
        if self._key is not None and self._key != denied:
            return self._key
        now = asyncio.get_running_loop().time()
        if self._denied is not None and self._denied[0] == denied and now < self._denied[1]:
            return None
        had_begun = self._reading is not None
        await asyncio.shield(self._begun())
        if had_begun and self._key == denied:
            await asyncio.shield(self._begun())
        if self._key == denied:
            self._denied = denied, asyncio.get_running_loop().time() + _SAME_DENIAL_S
            return None
        return self._key

    async def aclose(self) -> None:
        """Wait for no read any more; a thread that still reads ends by itself."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _known(self) -> Secret:
        if self._key is not None:
            return self._key
        problem = self._problem
        assert problem is not None, "a read ends in a key or in a problem"
        raise CredentialsError(str(problem), hint=problem.hint)

    def _begun(self) -> asyncio.Task[None]:
        """The read that runs, or one that begins now."""
        if self._reading is None:
            self._began_at = asyncio.get_running_loop().time()
            self._reading = asyncio.create_task(self._renew())
        return self._reading

    async def _renew(self) -> None:
        try:
            key = await self._read()
        except CredentialsError as error:
            self._missed(error)
        else:
            self._found(key)
        finally:
            self._reading = None

    def _found(self, key: Secret) -> None:
        if self._problem is not None and self._key is not None:
            self._tell("the key can be read again")
        self._key, self._problem = key, None
        self._read_at = asyncio.get_running_loop().time()
        self._try_at, self._pause_s = 0.0, _FIRST_PAUSE_S

    def _missed(self, error: CredentialsError) -> None:
        if self._problem is None and self._key is not None:
            hint = f"; {error.hint}" if error.hint else ""
            self._tell(f"{error}; the key that was read before stays in use{hint}")
        self._problem = error
        self._try_at = asyncio.get_running_loop().time() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


async def in_a_thread(read: Callable[[], Secret]) -> Secret:
    """What `read` gives, without the loop waiting, nor the end of the program.

    A thread of a pool would hold up the end until a store that does not answer gives up.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Secret] = loop.create_future()

    def conclude(key: Secret | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        elif key is not None:
            future.set_result(key)

    def work() -> None:
        key: Secret | None = None
        error: BaseException | None = None
        try:
            key = read()
        except BaseException as raised:  # noqa: BLE001 - it is raised again where it is awaited
            error = raised
        try:
            loop.call_soon_threadsafe(conclude, key, error)
        except RuntimeError:
            return  # the loop was closed in the meantime; nobody waits

    threading.Thread(target=work, name="ultrai-key", daemon=True).start()
    return await future
