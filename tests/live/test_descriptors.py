"""Out of descriptors: it is said, nothing spins, whoever is in is served, and everybody is once there is room."""

import sys
from contextlib import ExitStack
from socket import create_connection
from time import monotonic

import psutil
import pytest
from support import PATIENCE
from support_serve import echoes, eventually, hear, serving

from echotui.server.loops import LoopKind
from echotui.server.servers import SERVERS

ROOM = 10


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process can be changed on Linux only")
@pytest.mark.parametrize("server", ["selectors", "sockets", "protocol"])
def test_whoever_is_in_is_served_and_the_others_are_as_soon_as_there_is_room(loop_kind: LoopKind, server: str) -> None:
    with serving("--loop", loop_kind, "--servers", server) as served, ExitStack() as peers:
        address = ("127.0.0.1", served.port(server))
        process = psutil.Process(served.process.pid)
        served.connect(server).close()
        served.tells("closed")
        before = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + ROOM, before[1]))

        socks = [peers.enter_context(create_connection(address, PATIENCE)) for _ in range(3 * ROOM)]
        failed = served.tells("accept_failed", server=server)
        assert failed["reason"] == "Too many open files (EMFILE)"
        served.tells("accepted", count=1 + ROOM)
        used = sum(process.cpu_times()[:2])
        so_far = len(served.lines)
        assert not eventually(lambda: len(served.lines) > so_far, within=1.2)  # it is said once, and nothing else is
        assert sum(process.cpu_times()[:2]) - used < 0.3

        first, second, third = (socks[start : start + ROOM] for start in range(0, 3 * ROOM, ROOM))
        assert all(echoes(sock) for sock in first)
        for sock in first:
            sock.close()
        for sock in second + third:
            sock.sendall(b"let me in\r\n")
        assert [hear(sock, 11) for sock in second] == [b"let me in\r\n"] * ROOM
        process.rlimit(psutil.RLIMIT_NOFILE, before)
        assert [hear(sock, 11) for sock in third] == [b"let me in\r\n"] * ROOM
        assert all(echoes(sock) for sock in second)

        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds(), before[1]))
        peers.enter_context(create_connection(address, PATIENCE))
        served.tells("accept_failed", count=2)  # it had worked in between, so this is news

@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process can be changed on Linux only")
@pytest.mark.parametrize("server", list(SERVERS))
def test_with_64_descriptors_200_clients_are_all_served_as_room_is_made(loop_kind: LoopKind, server: str) -> None:
    with serving("--loop", loop_kind, "--servers", server) as served, ExitStack() as peers:
        address = ("127.0.0.1", served.port(server))
        process = psutil.Process(served.process.pid)
        process.rlimit(psutil.RLIMIT_NOFILE, (64, process.rlimit(psutil.RLIMIT_NOFILE)[1]))
        waiting = [peers.enter_context(create_connection(address, PATIENCE)) for _ in range(200)]
        if server != "blocking":  # it has one client at a time, and never runs out
            served.tells("accept_failed", server=server, reason="Too many open files (EMFILE)")
        used, since = sum(process.cpu_times()[:2]), monotonic()
        while monotonic() - since < 1.0:  # it says nothing more, and does not spin but for the one that always does
            assert not eventually(lambda: False, within=0.1)
        if server != "polling":
            assert (sum(process.cpu_times()[:2]) - used) / (monotonic() - since) < 0.2
        for sock in waiting:
            sock.sendall(b"LET ME IN\r\n")
        while waiting:  # those within the limit are served; each that leaves makes room for the next
            assert hear(waiting[0], 11) == b"LET ME IN\r\n"
            waiting.pop(0).close()
        assert served.tells("accepted", count=200)
