"""The timer of an Attempt on a real loop, with waits of hundredths of a second."""

import asyncio

import pytest

from ultrai.upstream.watchdog import TimerExpired, Watchdog

SHORT = 0.03


def test_a_stage_that_lasts_too_long_ends_in_an_error_that_names_it():
    async def run():
        with Watchdog() as watchdog:
            watchdog.enter("head", SHORT)
            await asyncio.Event().wait()

    with pytest.raises(TimerExpired, match=r"no head within 0\.03 s"):
        asyncio.run(run())


def test_silence_ends_a_stage_before_its_own_limit():
    async def run():
        with Watchdog() as watchdog:
            watchdog.enter("text", 60, silence_s=SHORT)
            await asyncio.Event().wait()

    with pytest.raises(TimerExpired, match=r"nothing at all came for 0\.03 s"):
        asyncio.run(run())


def test_a_stage_that_is_renewed_lives_on():
    async def run():
        with Watchdog() as watchdog:
            watchdog.enter("text", SHORT, silence_s=60)
            for _ in range(8):
                await asyncio.sleep(SHORT / 4)
                watchdog.renew(watchdog.now_s())
            return "alive"

    assert asyncio.run(run()) == "alive"


def test_signs_of_life_do_not_renew_the_stage():
    async def run():
        with Watchdog() as watchdog:
            watchdog.enter("text", SHORT * 2, silence_s=SHORT)
            while True:
                await asyncio.sleep(SHORT / 4)
                watchdog.alive_s = watchdog.now_s()

    with pytest.raises(TimerExpired, match="no text within"):
        asyncio.run(run())


def test_a_cancellation_from_outside_is_no_expiry():
    async def guarded():
        with Watchdog() as watchdog:
            watchdog.enter("head", 60)
            await asyncio.Event().wait()

    async def run():
        task = asyncio.create_task(guarded())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_cancellation_from_outside_wins_over_an_expiry_at_the_same_moment():
    async def guarded():
        with Watchdog() as watchdog:
            watchdog.enter("head", SHORT)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asyncio.current_task().cancel()
                raise

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(guarded())


def test_after_an_expiry_the_task_goes_on_as_if_it_had_never_been_cancelled():
    async def expire():
        with Watchdog() as watchdog:
            watchdog.enter("head", SHORT)
            await asyncio.Event().wait()

    async def run():
        with pytest.raises(TimerExpired):
            await expire()
        await asyncio.sleep(0)
        return asyncio.current_task().cancelling()

    assert asyncio.run(run()) == 0


def test_bytes_that_waited_while_the_loop_was_blocked_come_before_the_verdict():
    async def run():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            with Watchdog() as watchdog:
                watchdog.enter("text", 60, silence_s=SHORT)
                blocked_until = watchdog.now_s() + 2 * SHORT
                writer.write(b"?")
                while watchdog.now_s() < blocked_until:
                    pass
                answer = await reader.readexactly(1)
                watchdog.alive_s = watchdog.now_s()
                return answer
        finally:
            writer.close()
            await writer.wait_closed()

    import socket
    import threading

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        with listener, listener.accept()[0] as connection:
            connection.recv(1)
            connection.send(b"!")
            connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert asyncio.run(run()) == b"!"
    finally:
        thread.join()


def test_a_block_that_ends_in_time_leaves_no_timer():
    async def run():
        with Watchdog() as watchdog:
            watchdog.enter("head", SHORT)
            handle = watchdog._handle
        return handle.cancelled(), watchdog._handle

    assert asyncio.run(run()) == (True, None)


def test_a_stage_announced_after_the_block_cancels_nothing():
    async def run():
        with Watchdog() as watchdog:
            watchdog.enter("connection", 60)
        watchdog.enter("head", SHORT / 4)
        await asyncio.sleep(SHORT)
        return "undisturbed"

    assert asyncio.run(run()) == "undisturbed"
