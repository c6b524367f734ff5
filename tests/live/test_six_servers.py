"""The same conversation over the wire, on all six servers: whatever is said, however it is cut, however it ends."""

import asyncio
import itertools
import re
import socket
from collections.abc import Callable
from typing import Any, Literal

import psutil
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import BLOCKING, PATIENCE, POLLING, PROTOCOL, SELECTORS, SOCKETS, STREAMS, Flavour, a_lab, reset

from echotui.server import events
from echotui.server.servers import SERVERS
from echotui.server.settings import SERVER_NAMES

Ending = Literal["half-closing", "closing", "resetting"]
ENDINGS: list[Ending] = ["half-closing", "closing", "resetting"]

ALL_SIX = [SELECTORS, SOCKETS, STREAMS, PROTOCOL, POLLING, BLOCKING]

#: What a server makes of the lines it answers; those that are not in here echo what arrives, as it arrives.
BY_LINE: dict[str, Callable[[bytes], bytes]] = {"streams": bytes.upper, "blocking": bytes}

#: Text made of the word's own pieces, of bytes that are no text, and of more than one read takes.
said_by_a_peer = st.lists(
    st.one_of(
        st.sampled_from([b"b", b"o", b"bo", b"om", b"boom", b"\r", b"\n", b"\r\n", b"Hello\r\n", "größer\n".encode()]),
        st.binary(min_size=1, max_size=40),
        st.builds(lambda text, times: text * times, st.binary(min_size=1, max_size=3), st.integers(1, 3000)),
    ),
    max_size=12,
).map(b"".join)


@pytest.mark.parametrize("flavour", ALL_SIX, ids=str)
async def test_every_server_holds_the_same_conversation(flavour: Flavour) -> None:
    process = psutil.Process()
    async with a_lab(flavour) as lab:
        server = lab.servers[flavour.server]
        address = ("127.0.0.1", server.record.port)
        await asyncio.to_thread(_talk, address, flavour.server, b"first\r\n", [], "half-closing")
        await asyncio.wait_for(lab.connections.wait_until_none_is_open(), PATIENCE)
        descriptors = process.num_fds()

        @settings(
            max_examples=80,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(said_by_a_peer, st.lists(st.integers(0, 20_000), max_size=6), st.sampled_from(ENDINGS))
        def converse(said: bytes, cuts: list[int], ending: Ending) -> None:
            _talk(address, flavour.server, said, cuts, ending)

        await asyncio.to_thread(converse)
        await asyncio.to_thread(_talk, address, flavour.server, b"last\r\n", [], "half-closing")
        await asyncio.wait_for(server.wait_until_none_is_open(), PATIENCE)
        assert server.record.open == 0
        assert process.num_fds() == descriptors


def _talk(address: tuple[str, int], server: str, said: bytes, cuts: list[int], ending: Ending) -> None:
    """Be one peer. After a half-close all answers are checked; the other endings only must not hurt the next peer."""
    boom = re.search(rb"(?:\A|\n)(boom\r?\n)", said)
    with socket.create_connection(address, PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for segment in _split(said, cuts):
                sock.sendall(segment)
            if ending == "resetting":
                reset(sock)
                return
            if ending == "half-closing":
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            assert boom, f"{server} closed although nobody said boom"
        if ending == "half-closing":
            _check(server, said, boom, _hear_out(sock, may_be_reset=boom is not None))


def _check(server: str, said: bytes, boom: re.Match[bytes] | None, heard: bytes) -> None:
    answer = BY_LINE.get(server, bytes)
    if boom is None:
        assert heard == answer(said)
    elif server in BY_LINE:
        assert heard == answer(said[: boom.start(1)])
    else:  # of the line itself at most what came in an earlier segment
        assert said.startswith(heard)
        assert boom.start(1) <= len(heard) < boom.end(1)


def _hear_out(sock: socket.socket, *, may_be_reset: bool) -> bytes:
    heard = bytearray()
    try:
        while more := sock.recv(2**16):
            heard += more
    except ConnectionResetError:
        assert may_be_reset
    return bytes(heard)


def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if end > start]


def test_ports_follow_the_order_of_the_names() -> None:
    assert tuple(SERVERS) == SERVER_NAMES == ("selectors", "sockets", "streams", "protocol", "polling", "blocking")


async def test_a_hundred_starts_and_stops_of_all_six_leave_nothing() -> None:
    process = psutil.Process()

    def left() -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        scheduled = getattr(loop, "_scheduled", ())
        return {
            "descriptors": process.num_fds(),
            "threads": process.num_threads(),
            "tasks": len(asyncio.all_tasks()),
            "timers": len([timer for timer in scheduled if not timer.cancelled() and timer is not lab._pulse._timer]),
        }

    async with a_lab(*ALL_SIX) as lab:
        ports = [record.port for record in lab.records]
        before: dict[str, Any] = {}
        for cycle in range(101):
            await lab.restart()
            socks = []
            for port in ports:
                sock = socket.create_connection(("127.0.0.1", port))
                sock.setblocking(False)
                socks.append(sock)
                await asyncio.get_running_loop().sock_sendall(sock, b"HI\n")
            for sock in socks:
                assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 10), PATIENCE) == b"HI\n"
            await lab.stop(drain=0)
            for sock in socks:
                sock.close()
            if cycle == 0:  # with its first stream libuv opens a descriptor that it keeps in reserve
                before = left()
            assert lab.connections.open == {}
            assert left() == before
        assert [record.port for record in lab.records] == ports
        assert lab.journal.counts[events.Listening.kind] == 6 * 102 - 6
