"""The network in memory keeps the manners of TCP."""

from __future__ import annotations

import asyncio

import pytest

from ultrai.testing import run_in_virtual_time
from ultrai.testing.memory_transport import Link
from ultrai.testing.network import MemoryNetwork, Weather


class Peer(asyncio.Protocol):
    """Writes down what happens to it."""

    def __init__(self):
        self.heard: list[object] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard.append(bytes(data))

    def eof_received(self):
        self.heard.append("eof")

    def connection_lost(self, error):
        self.heard.append("reset" if error else "lost")

    def pause_writing(self):
        self.heard.append("pause")

    def resume_writing(self):
        self.heard.append("resume")


def meet(act, link=None):
    """Two peers, what `act` does with them, and what both then heard."""

    async def meeting():
        server = Peer()
        network = MemoryNetwork(lambda: Weather(link or Link()))
        network.listen(("here", 80), lambda: server)
        client = Peer()
        await network.open(("here", 80), lambda: client)
        await act(client, server, network)
        await asyncio.sleep(10)
        return client, server, network

    return run_in_virtual_time(meeting())


def test_bytes_arrive_in_order_after_the_delay_and_in_the_pieces_of_the_link():
    async def act(client, server, _):
        client.transport.write(b"abc")
        client.transport.write(b"def")
        await asyncio.sleep(0.9)
        assert server.heard == []

    link = Link(1.0, lambda data: [data[:1], data[1:]])
    _, server, _ = meet(act, link)
    assert server.heard == [b"a", b"bc", b"d", b"ef"]


def test_a_close_delivers_what_was_written_and_ends_both_sides():
    async def act(client, _server, _network):
        client.transport.write(b"last words")
        client.transport.close()
        client.transport.write(b"too late")

    client, server, network = meet(act)
    assert server.heard == [b"last words", "eof", "lost"]
    assert client.heard == ["lost"]
    assert network.open_connections == 0


def test_a_reset_loses_what_was_on_its_way_to_a_reader_that_paused():
    async def act(client, server, _):
        server.transport.pause_reading()
        client.transport.write(b"never read")
        client.transport.abort()

    client, server, _ = meet(act)
    assert server.heard == ["reset"]
    assert client.heard == ["lost"]


def test_writing_to_one_who_has_gone_is_answered_with_a_reset():
    async def act(client, server, _):
        server.transport.close()
        client.transport.write(b"are you there?")

    client, _, _ = meet(act)
    assert "reset" in client.heard or client.heard == ["eof", "lost"]


def test_a_slow_reader_stops_the_writer_until_it_reads_again():
    async def act(client, server, _):
        server.transport.pause_reading()
        client.transport.write(b"x" * 100_000)
        await asyncio.sleep(1)
        assert client.heard == ["pause"]
        assert client.transport.get_write_buffer_size() == 100_000
        server.transport.resume_reading()

    client, server, _ = meet(act)
    assert client.heard == ["pause", "resume"]
    assert sum(map(len, server.heard)) == 100_000


def test_half_of_a_connection_can_end():
    async def act(client, server, _):
        client.transport.write_eof()
        client.transport.write(b"no more")
        await asyncio.sleep(0)

    _, server, _ = meet(act)
    assert server.heard == ["eof", "lost"]


def test_who_is_cut_off_hears_nothing_and_the_others_hear_a_reset():
    async def act(_client, _server, network):
        network.cut_off()

    client, server, _ = meet(act)
    assert client.heard == []
    assert server.heard == ["reset"]


@pytest.mark.parametrize("weather", [Weather(), Weather(refuse=True)])
def test_an_address_where_nobody_listens_refuses_and_so_does_bad_weather(weather):
    async def knock():
        network = MemoryNetwork(lambda: weather)
        if weather.refuse:
            network.listen(("here", 80), Peer)
        with pytest.raises(ConnectionRefusedError):
            await network.open(("here", 80), Peer)

    run_in_virtual_time(knock())


def test_what_is_meant_for_a_thread_is_done_at_once_on_virtual_time():
    async def working():
        assert await asyncio.to_thread(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    run_in_virtual_time(working())
