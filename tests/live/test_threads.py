"""The two servers on threads of their own: what they cost, whom they let wait, and that they end when asked to."""

import asyncio
import socket
import sys
import threading
from time import monotonic

import pytest
from support import BLOCKING, PATIENCE, POLLING, SELECTORS, SOCKETS, Flavour, a_lab, a_peer, connected, happens, told

from echotui.server import events
from echotui.server.events import AcceptFailed
from echotui.server.lab import Lab, Refused
from echotui.server.naming import address
from echotui.server.observe.events import Complained
from echotui.server.records import ServerState
from echotui.server.servers.blocking import _knock
from echotui.server.settings import Settings

each_threaded = pytest.mark.parametrize("flavour", [POLLING, BLOCKING], ids=str)

#: How long stopping may take, in seconds, however a thread is blocked. The promise is 0.1; the rest is for a machine
#: that is busy.
AT_ONCE = 2.0

#: Long lines fill a socket in less time than many short ones.
LONG_LINE = b"never read" * 3000 + b"\r\n"

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a connection was queued")


# -- what they cost --------------------------------------------------------------------------------------------------


async def test_spinning_costs_a_core_and_blocking_and_selecting_next_to_nothing() -> None:
    async with a_lab(SELECTORS, POLLING, BLOCKING, select_timeout=1.0) as lab:
        await asyncio.sleep(0.5)  # what they cost in half a second
        spent = {name: server.record.busy or 0.0 for name, server in lab.servers.items()}
        assert spent["polling"] > 0.1
        assert spent["polling"] > 10 * spent["blocking"]
        assert spent["polling"] > 10 * spent["selectors"]


async def test_a_server_that_spins_does_not_flood_the_loop() -> None:
    async with a_lab(POLLING) as lab, a_peer(lab, "polling") as peer:
        assert await peer.echoes()
        told_so_far, began = lab.journal.recorded, lab.servers["polling"].record.busy or 0.0
        await asyncio.sleep(0.3)  # it spins for a while
        assert (lab.servers["polling"].record.busy or 0.0) > began + 0.05
        assert lab.journal.recorded <= told_so_far + 2  # what was still on its way, and nothing since


# -- whom they let wait (A1, A3) -------------------------------------------------------------------------------------


@on_linux
async def test_a_second_client_waits_for_as_long_as_the_first_one_is_silent() -> None:
    async with a_lab(BLOCKING) as lab:
        async with a_peer(lab, "blocking") as first:
            second = await connected(lab, "blocking")
            silent_since = monotonic()
            name = address(second.getsockname())
            await asyncio.get_running_loop().sock_sendall(second, b"me too\r\n")
            hearing = asyncio.get_running_loop().create_task(asyncio.get_running_loop().sock_recv(second, 100))
            await asyncio.wait({hearing}, timeout=0.4)
            assert not hearing.done()
            lab.servers["blocking"].measure()
            assert lab.records[0].queued == 1
            assert await first.echoes(b"at last\r\n")
            first.say_no_more()
            silence = monotonic() - silent_since
            assert await asyncio.wait_for(hearing, PATIENCE) == b"me too\r\n"
        accepted = await happens(lab, events.Accepted, peer=name)
        connection = lab.connections.get(accepted.connection)
        assert connection is not None
        assert connection.waited == pytest.approx(silence, abs=0.1)
        second.close()
        lab.servers["blocking"].measure()
        assert lab.records[0].queued == 0


async def test_pieces_are_shown_and_then_the_whole() -> None:
    async with a_lab(BLOCKING) as lab, a_peer(lab, "blocking") as peer:
        assert await peer.echoes(b"hello\r\n")
        await happens(lab, events.Sent)
        assert [event.text for event in told(lab, events.Received)] == [b"he", b"ll", b"o\r", b"\n"]
        assert [event.text for event in told(lab, events.LineWhole)] == [b"hello\r\n"]


async def test_with_a_larger_receive_size_several_lines_are_answered_one_by_one() -> None:
    async with a_lab(BLOCKING, blocking_receive=1000) as lab, a_peer(lab, "blocking") as peer:
        assert await peer.echoes(b"one\r\ntwo\nthree\n")
        await happens(lab, events.Sent, size=6)
        assert [event.text for event in told(lab, events.LineWhole)] == [b"one\r\n", b"two\n", b"three\n"]


async def test_for_one_client_it_is_done_when_that_one_is_and_can_be_started_again() -> None:
    async with a_lab(BLOCKING, blocking_clients=1) as lab:
        for _ in range(2):
            async with a_peer(lab, "blocking") as peer:
                assert await peer.echoes(b"only me\r\n")
                stopped = lab.journal.recorded
            await happens(lab, events.ServerStopped, after=stopped)
            assert _state(lab, "blocking") is ServerState.STOPPED
            await lab.restart()


async def test_a_client_that_closes_in_the_middle_of_a_line_ends_and_is_answered() -> None:
    async with a_lab(BLOCKING) as lab, a_peer(lab, "blocking") as peer:
        await peer.say(b"no end")
        peer.say_no_more()
        assert await peer.hear_out() == b"no end"
        await happens(lab, events.Closed, reason="closed by peer")


# -- that they end, though they block --------------------------------------------------------------------------------


@each_threaded
async def test_a_stop_waits_for_no_client(flavour: Flavour) -> None:
    async with a_lab(flavour, blocking_receive=4096) as lab:
        name, took = flavour.server, []

        async def stop() -> None:
            began = monotonic()
            await lab.stop_server(name)
            took.append(monotonic() - began)

        await stop()  # it waits for somebody to accept
        await lab.start_server(name)
        async with a_peer(lab, name):
            with await connected(lab, name):
                await stop()  # it waits for somebody to speak, and somebody else is queued
        await lab.start_server(name)
        async with a_peer(lab, name, receive_buffer=4096) as stuck:
            await stuck.gets_stuck(LONG_LINE)
            await stop()  # it waits for somebody to read
        assert max(took) < AT_ONCE
        assert [thread for thread in threading.enumerate() if thread.name == f"echotui-{name}"] == []


@each_threaded
async def test_a_boom_and_an_interrupt_reach_a_thread_that_waits(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        async with a_peer(lab, flavour.server) as peer:
            lab.boom(peer.connection.id)
            assert await peer.hear_out() == b""
            boom = await happens(lab, events.HandlerFailed, connection=peer.connection.id)
            assert boom.cause == "keyboard"
        async with a_peer(lab, flavour.server) as peer:
            lab.interrupt(peer.connection.id)
            assert await peer.hear_out() == b""
            await happens(lab, events.Closed, connection=peer.connection.id, reason="closed by the keyboard")
        async with a_peer(lab, flavour.server) as peer:
            assert await peer.echoes()


@each_threaded
async def test_who_says_nothing_for_too_long_is_ended(flavour: Flavour) -> None:
    async with a_lab(flavour, idle_timeout=0.05) as lab, a_peer(lab, flavour.server) as peer:
        assert await peer.hear_out() == b""
        await happens(lab, events.IdleTimeout, connection=peer.connection.id, limit=0.05)


@each_threaded
async def test_a_mistake_in_the_thread_is_told_and_the_server_stops(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_lab(flavour, may_complain=True) as lab:
        await lab.stop_server(flavour.server)
        monkeypatch.setattr(lab.servers[flavour.server], "_run", lambda _: 1 / 0)
        stopped = lab.journal.recorded
        await lab.start_server(flavour.server)
        complaint = await happens(lab, Complained)
        assert complaint.error == "ZeroDivisionError: division by zero"
        await happens(lab, events.ServerStopped, after=stopped)


def _accept(listener: socket.socket) -> None:
    listener.accept()[0].close()


def test_where_a_listening_socket_cannot_be_shut_down_a_knock_wakes_whoever_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        woken = threading.Thread(target=_accept, args=(listener,))
        woken.start()
        _knock(listener)
        woken.join(PATIENCE)
        assert not woken.is_alive()


# -- on demand -------------------------------------------------------------------------------------------------------


async def test_they_stay_stopped_until_somebody_asks_for_them_by_name() -> None:
    async with Lab(Settings(port=0, drain=0)) as lab:
        states = {record.name: record.state for record in lab.records}
        assert {name for name, state in states.items() if state is ServerState.STOPPED} == {"polling", "blocking"}
        await lab.start_server("polling")
        async with a_peer(lab, "polling") as peer:
            assert await peer.echoes()
        await lab.stop()
        await lab.restart()  # what was running runs again
        assert _state(lab, "polling") is ServerState.SERVING
        assert _state(lab, "blocking") is ServerState.STOPPED
        await lab.stop_server("polling")
        await lab.restart()
        assert _state(lab, "polling") is ServerState.STOPPED


def _state(lab: Lab, server: str) -> ServerState:
    return lab.servers[server].record.state


@pytest.mark.parametrize("name", ["selectors", "sockets", "streams", "protocol", "polling", "blocking"])
async def test_one_server_can_be_stopped_and_the_others_go_on(name: str) -> None:
    other = "sockets" if name != "sockets" else "selectors"
    async with a_lab(Flavour(name), Flavour(other)) as lab, a_peer(lab, other) as bystander:
        async with a_peer(lab, name) as peer:
            await peer.say(b"HERE\n")
            assert await peer.hear(5) == b"HERE\n"  # else it may be ended before its first step, and says so
            await lab.stop_server(name)
            assert await peer.hear_out() in (b"", b"Connection dropped!\r\n")
            assert lab.servers[name].record.state is ServerState.STOPPED
            await happens(lab, events.Closed, connection=peer.connection.id, reason=f"{name} was stopped")
        assert await bystander.echoes()
        await lab.start_server(name)
        async with a_peer(lab, name) as peer:
            await peer.say(b"AGAIN\n")
            assert await peer.hear(6) == b"AGAIN\n"


async def test_a_server_that_is_not_here_cannot_be_started() -> None:
    async with a_lab(SOCKETS) as lab:
        with pytest.raises(Refused, match="no server polling here, but sockets"):
            await lab.start_server("polling")
        assert told(lab, AcceptFailed) == []
