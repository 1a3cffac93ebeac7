"""A key that may change: when it is read, when it is not, and what is sent while it cannot be."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ultrai.domain.errors import CredentialsError
from ultrai.domain.secret import Secret
from ultrai.testing import run_in_virtual_time
from ultrai.upstream.key_cache import KeyCache, in_a_thread

OLD, NEW = Secret("sk-old-0123456789"), Secret("sk-new-0123456789")
FRESH_S = 100.0
READ_S = 1.5


class Place:
    """Keeps a key; a read takes a while, and finds what is there when it begins."""

    def __init__(self, key: Secret | None = OLD) -> None:
        self.key = key
        self.reads = 0
        self.at_once = 0
        self.most_at_once = 0
        self.told: list[str] = []

    async def read(self) -> Secret:
        self.reads += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        key = self.key
        await asyncio.sleep(READ_S)
        self.at_once -= 1
        if key is None:
            raise CredentialsError("the store is away", hint="wake it")
        return key

    def cache(self, known: Secret | None = None) -> KeyCache:
        return KeyCache(self.read, fresh_s=FRESH_S, tell=self.told.append, known=known)


def seconds() -> float:
    return asyncio.get_running_loop().time()


def test_many_wait_for_one_read_and_later_ones_for_none():
    place = Place()

    async def story():
        cache = place.cache()
        first = await asyncio.gather(*(cache.current() for _ in range(50)))
        began = seconds()
        again = await cache.current()
        return first, again, seconds() - began

    first, again, waited = run_in_virtual_time(story())
    assert first == [OLD] * 50
    assert (again, waited, place.reads) == (OLD, 0.0, 1)


def test_a_key_that_was_read_before_is_not_read_at_once():
    place = Place()
    assert run_in_virtual_time(place.cache(OLD).current()) == OLD
    assert place.reads == 0


def test_it_is_read_anew_before_it_is_old_and_nobody_waits():
    place = Place()

    async def story():
        cache = place.cache(OLD)
        await cache.current()
        place.key = NEW
        await asyncio.sleep(FRESH_S * 0.79)
        early = await cache.current(), place.reads
        await asyncio.sleep(FRESH_S * 0.02)
        began = seconds()
        meanwhile = await cache.current(), seconds() - began
        await asyncio.sleep(2 * READ_S)
        return early, meanwhile, await cache.current()

    early, meanwhile, after = run_in_virtual_time(story())
    assert early == (OLD, 0)
    assert meanwhile == (OLD, 0.0)
    assert (after, place.reads) == (NEW, 1)
    assert place.told == []


def test_after_a_long_idle_time_the_place_is_asked_first():
    place = Place()

    async def story():
        cache = place.cache(OLD)
        await cache.current()
        place.key = NEW
        await asyncio.sleep(FRESH_S * 10)
        return await cache.current()

    assert run_in_virtual_time(story()) == NEW


def test_while_the_place_is_away_the_old_key_serves_and_one_line_tells():
    place = Place()

    async def story():
        cache = place.cache(OLD)
        await cache.current()
        place.key = None
        await asyncio.sleep(FRESH_S)
        waits = []
        for _ in range(600):
            began = seconds()
            assert await cache.current() == OLD
            waits.append(seconds() - began)
            await asyncio.sleep(1)
        tries = place.reads
        place.key = NEW
        await asyncio.sleep(70)
        await cache.current()
        await asyncio.sleep(2 * READ_S)
        return waits, tries, await cache.current()

    waits, tries, after = run_in_virtual_time(story())
    assert waits == [READ_S] + [0.0] * 599, "only the first, which did not know, waits"
    assert 10 <= tries <= 16, "the pauses between the tries grow to a minute"
    assert after == NEW
    assert place.told == [
        "the store is away; the key that was read before stays in use; wake it",
        "the key can be read again",
    ]


def test_a_place_that_does_not_answer_holds_up_no_request_for_long():
    async def silent() -> Secret:
        await asyncio.Event().wait()
        return NEW

    async def story():
        cache = KeyCache(silent, fresh_s=FRESH_S, tell=print, known=OLD)
        await cache.current()
        await asyncio.sleep(FRESH_S)
        waits = []
        for _ in range(3):
            began = seconds()
            assert await cache.current() == OLD
            waits.append(seconds() - began)
        await cache.aclose()
        return waits

    assert run_in_virtual_time(story()) == [2.0, 0.0, 0.0]


def test_a_place_that_never_gave_a_key_is_the_callers_error_each_time():
    place = Place(None)

    async def story():
        cache = place.cache()
        errors = await asyncio.gather(*(cache.current() for _ in range(3)), return_exceptions=True)
        place.key = NEW
        return errors, await cache.current()

    errors, after = run_in_virtual_time(story())
    assert [(str(error), error.hint) for error in errors] == [("the store is away", "wake it")] * 3
    assert len(set(map(id, errors))) == 3, "each with a traceback of its own"
    assert (after, place.reads) == (NEW, 2)
    assert place.told == []


def test_many_denials_share_one_read_and_get_the_new_key():
    place = Place(NEW)

    async def story():
        cache = place.cache(OLD)
        return await asyncio.gather(*(cache.refresh_after_denial(OLD) for _ in range(20)))

    assert run_in_virtual_time(story()) == [NEW] * 20
    assert (place.reads, place.most_at_once) == (1, 1)


def test_a_denial_of_a_key_that_was_replaced_meanwhile_needs_no_read():
    place = Place(NEW)
    assert run_in_virtual_time(place.cache(NEW).refresh_after_denial(OLD)) == NEW
    assert place.reads == 0


@pytest.mark.parametrize("kept", [OLD, None])
def test_a_denial_of_the_key_that_is_still_kept_stands(kept):
    place = Place(kept)

    async def story():
        cache = place.cache(OLD)
        first = await cache.refresh_after_denial(OLD)
        at_once = await cache.refresh_after_denial(OLD)
        reads = place.reads
        place.key = NEW
        await asyncio.sleep(1.5)
        return first, at_once, reads, await cache.refresh_after_denial(OLD)

    assert run_in_virtual_time(story()) == (None, None, 1, NEW)


def test_a_read_that_had_begun_before_the_denial_is_not_the_last_word():
    place = Place()

    async def story():
        cache = place.cache()
        reading = asyncio.create_task(cache.current())
        await asyncio.sleep(1)
        place.key = NEW  # and the old one is disabled, while the read is under way
        renewed = await cache.refresh_after_denial(OLD)
        return await reading, renewed

    assert run_in_virtual_time(story()) == (OLD, NEW)
    assert (place.reads, place.most_at_once) == (2, 1)


def test_whoever_gives_up_waiting_does_not_end_the_read_of_others():
    place = Place()

    async def story():
        cache = place.cache()
        impatient = asyncio.create_task(cache.current())
        patient = asyncio.create_task(cache.current())
        await asyncio.sleep(1)
        impatient.cancel()
        return await patient

    assert run_in_virtual_time(story()) == OLD
    assert place.reads == 1


def test_closing_does_not_wait_for_a_store_that_does_not_answer():
    released = threading.Event()

    def read() -> Secret:
        released.wait(60)
        return OLD

    async def story():
        cache = KeyCache(lambda: in_a_thread(read), fresh_s=FRESH_S, tell=print)
        waiting = asyncio.create_task(cache.current())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await cache.aclose()
        await asyncio.gather(waiting, return_exceptions=True)
        return waiting.cancelled()

    try:
        assert asyncio.run(story())
    finally:
        released.set()


def test_what_a_read_raises_is_raised_where_it_is_awaited():
    def read() -> Secret:
        raise CredentialsError("no")

    with pytest.raises(CredentialsError, match="no"):
        asyncio.run(in_a_thread(read))
