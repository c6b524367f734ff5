"""A lab starts what it can, says why it could not start the rest, and stops and starts any number of times."""

import asyncio
import socket
import threading
from contextlib import ExitStack, suppress
from itertools import count
from time import monotonic

import psutil
import pytest
from support import (
    PATIENCE,
    SOCKETS,
    Flavour,
    a_lab,
    a_listener_between_free_ports,
    a_peer,
    connected,
    each_flavour,
    happens,
    told,
)

from echotui.server import events
from echotui.server.lab import Lab, Refused
from echotui.server.observe.events import Complained
from echotui.server.records import ServerState
from echotui.server.settings import Settings


async def test_where_a_port_is_taken_that_server_says_why_and_the_others_serve() -> None:
    with a_listener_between_free_ports() as taken:
        base = taken.getsockname()[1]
        async with Lab(Settings(port=base, drain=0)) as lab:
            record = lab.servers["selectors"].record
            assert record.state is ServerState.FAILED
            assert record.why == f"port {base} is taken by another program: end it, or choose another with --port"
            failed = await happens(lab, events.ListenFailed)
            assert (failed.server, failed.host, failed.port) == ("selectors", "127.0.0.1", base)
            async with a_peer(lab, "sockets") as peer:
                assert await peer.echoes()
            taken.close()
            await lab.restart()
            assert (record.state, record.why) == (ServerState.SERVING, "")
            async with a_peer(lab, "selectors") as peer:
                assert await peer.echoes()


async def test_a_host_that_is_not_ours_is_named_as_the_reason() -> None:
    async with Lab(Settings(port=0, host="192.0.2.1")) as lab:
        assert {record.why for record in lab.records if record.wanted} == {
            "that address is not one of this machine's: choose another with --host"
        }


@each_flavour
async def test_it_serves_on_ipv6_as_well(flavour: Flavour) -> None:
    async with a_lab(flavour, host="::1") as lab:
        with socket.socket(socket.AF_INET6) as sock:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("::1", lab.records[0].port))
            accepted = await happens(lab, events.Accepted)
            assert accepted.peer == f"[::1]:{sock.getsockname()[1]}"
            lab.chat(flavour.server)
            await happens(lab, events.ClientStarted)


@each_flavour
async def test_what_was_said_before_the_stop_is_answered_and_a_drain_ends_as_soon_as_all_have(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server) as peer:
        await peer.say(b"last words\r\n")
        stopping = asyncio.get_running_loop().create_task(lab.stop(drain=3600))
        await happens(lab, events.ListenerClosed, server=flavour.server)
        assert await peer.hear(12) == b"last words\r\n"
        assert await peer.echoes(b"not yet the last\r\n")
        with pytest.raises(Refused, match="still stopping"):
            await lab.restart()
        peer.say_no_more()
        assert await peer.hear_out() == b""
        await asyncio.wait_for(stopping, PATIENCE)
        clean_up = await happens(lab, events.CleaningUp)
        assert (clean_up.finished, clean_up.ended) == (1, 0)


@each_flavour
async def test_while_it_drains_nobody_is_accepted_any_more(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server):
        stopping = asyncio.get_running_loop().create_task(lab.stop(drain=3600))
        await happens(lab, events.ListenerClosed)
        while not await _refused(lab, flavour.server):  # the listener is closed in a turn of its own
            pass
        await lab.stop(drain=0)
        await stopping


async def _refused(lab: Lab, server: str) -> bool:
    try:
        (await connected(lab, server)).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # it was in the queue when the listener was closed
    return False


@each_flavour
async def test_whoever_has_not_finished_in_time_is_a_straggler_that_is_named_and_ended(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        async with a_peer(lab, flavour.server) as silent, a_peer(lab, flavour.server, receive_buffer=4096) as stuck:
            await stuck.gets_stuck()
            await lab.stop(drain=0.01)
            doing = {straggler.peer: straggler.doing for straggler in told(lab, events.Straggler)}
            assert doing[silent.name].startswith("it was waiting for its peer to say something")
            assert doing[stuck.name].startswith("it has not read ")
            for closed in told(lab, events.Closed):
                assert closed.reason == "not finished when the drain time was over"
            assert told(lab, events.Stopped)[0].left == 0
            assert await silent.hear_out() == b""


@each_flavour
async def test_a_second_stop_cuts_the_first_one_short(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server):
        first = asyncio.get_running_loop().create_task(lab.stop(drain=3600))
        await happens(lab, events.Stopping, drain=3600)
        await asyncio.wait_for(lab.stop(drain=0), PATIENCE)
        await first
        assert len(told(lab, events.Stopped)) == 1


@each_flavour
async def test_the_stop_is_told_in_its_order(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server):
        await lab.stop(drain=0)
    # What the observed loop tells of the tasks that are cancelled on the way comes in between.
    told_by_lab = [entry.event for entry in lab.journal.since(0) if type(entry.event).__module__ == events.__name__]
    assert [event.kind for event in told_by_lab if not event.detail] == [
        *("listening", "accepted", "stopping", "listener_closed", "clean_up", "straggler", "closed"),
        *("server_stopped", "stopped", "closed_down"),
    ]


@each_flavour
async def test_it_starts_and_stops_many_times_and_leaves_nothing(flavour: Flavour) -> None:
    process = psutil.Process()
    async with a_lab(flavour) as lab:
        port = lab.records[0].port
        async with a_peer(lab, flavour.server):
            pass  # with its first stream libuv opens a descriptor that it keeps in reserve
        await lab.stop()
        descriptors, threads, tasks = process.num_fds(), threading.active_count(), len(asyncio.all_tasks())
        for _ in range(30):
            await lab.restart()
            async with a_peer(lab, flavour.server) as peer:
                assert await peer.echoes()
                await lab.stop(drain=0)
            assert lab.records[0].port == port
            assert lab.records[0].open == len(lab.connections.open) == 0
            assert process.num_fds() == descriptors
            assert threading.active_count() == threads
            assert len(asyncio.all_tasks()) == tasks


@each_flavour
async def test_starting_or_stopping_twice_is_no_error(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        await lab.start()
        assert len(told(lab, events.Listening)) == 1
        await lab.stop()
        await lab.stop()
        assert len(told(lab, events.Stopped)) == 1


@each_flavour
@pytest.mark.parametrize("turns", range(6))
async def test_a_stop_in_the_very_turn_of_an_accept_leaks_no_socket(flavour: Flavour, turns: int) -> None:
    async with a_lab(flavour) as lab:
        # Connected without giving the loop a turn: the listener is ready, and nobody has looked yet.
        with socket.create_connection(("127.0.0.1", lab.records[0].port)):
            for _ in range(turns):
                await asyncio.sleep(0)
            lab.servers[flavour.server].stop_accepting()
            await lab.stop(drain=0)


@each_flavour
@pytest.mark.parametrize("turns", range(6))
async def test_somebody_who_comes_while_the_listener_ends_is_accepted_for_nobody(flavour: Flavour, turns: int) -> None:
    async with a_lab(flavour) as lab:
        address = "127.0.0.1", lab.records[0].port
        with socket.create_connection(address), ExitStack() as others:
            for _ in range(turns):
                await asyncio.sleep(0)
            lab.servers[flavour.server].stop_accepting()
            with suppress(ConnectionError):  # the listener is closed at once, or in a moment
                others.enter_context(socket.create_connection(address))
            await lab.stop(drain=0)
        assert not told(lab, Complained)


@each_flavour
async def test_a_stop_ends_the_listener_and_every_task_although_peers_keep_coming(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        server = lab.servers[flavour.server]
        address = "127.0.0.1", lab.records[0].port
        with ExitStack() as peers:
            until = monotonic() + PATIENCE
            for turn in count():
                try:
                    peers.enter_context(socket.create_connection(address, PATIENCE))
                except ConnectionError:
                    break
                if turn == 10:
                    server.stop_accepting()
                # By the clock: where a thread selects, it has to come to its turn before the listener can be closed.
                assert monotonic() < until, "it goes on listening"
                await asyncio.sleep(0)
            await lab.stop(drain=0)
            assert not lab.connections.open
            assert not getattr(server, "_tasks", None)


async def test_an_exception_in_the_block_of_a_lab_stops_the_servers_and_passes() -> None:
    with pytest.raises(ZeroDivisionError):
        async with a_lab(SOCKETS) as lab, a_peer(lab, "sockets"):
            raise ZeroDivisionError
    assert lab.records[0].state is ServerState.STOPPED
    assert not lab.connections.open
