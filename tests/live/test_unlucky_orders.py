"""What happens in an order, or in a moment, that nobody would choose: faults, ends and undoing meet each other."""

import asyncio
import errno
import os
import signal
import socket
import time
from contextlib import suppress

import pytest
from support import PATIENCE, SELECTORS, SOCKETS, Flavour, Peer, a_lab, a_peer, connected, happens, told
from support_faults import a_case, soon

from echotui.server import events
from echotui.server.faults.events import FaultEnded, FaultStruck
from echotui.server.lab import Lab, Refused
from echotui.server.records import ConnectionState, ServerState
from echotui.server.servers import SERVERS
from echotui.server.servers.books import socket_of
from echotui.server.settings import Settings
from echotui.server.waterfall import What

#: The servers that live on the loop.
ON_LOOP = ("selectors", "sockets", "streams", "protocol")

each_on_loop = pytest.mark.parametrize("server", ON_LOOP)

#: What a peer says that is not going to read: in upper case, so that it is the same from each server.
LINE = b"NEVER READ" * 800 + b"\r\n"


async def _does_not_read(peer: Peer) -> int:
    """Say lines until an answer cannot be sent to its end. All of them are read: no close will reset. Returns bytes."""
    said = 0
    while not peer.connection.unsent:
        await peer.say(LINE)
        said += len(LINE)
        await soon(lambda said=said: peer.connection.bytes_out == said or peer.connection.unsent > 0)  # type: ignore[misc]
    await soon(lambda: peer.connection.bytes_in == said)
    return said


async def _hear_what_comes(peer: Peer) -> bytes:
    """Hear until the server closes, or resets."""
    heard = bytearray()
    with suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            while more := await asyncio.get_running_loop().sock_recv(peer.sock, 2**20):
                heard += more
    return bytes(heard)


@pytest.mark.parametrize("ends_by", ["undoing", "itself"])
async def test_a_listener_that_has_just_rested_can_be_closed(ends_by: str) -> None:
    async with a_lab(SELECTORS) as lab, a_peer(lab, "selectors") as peer:
        fault = lab.faults.inject("accept-delay", "selectors", {"ms": 60_000 if ends_by == "undoing" else 30})
        with await connected(lab, "selectors"):
            await happens(lab, FaultStruck)
            if ends_by == "undoing":
                fault.undo()
            else:
                await soon(lambda: not lab.servers["selectors"]._listener._rests)  # type: ignore[attr-defined]
            lab.servers["selectors"].stop_accepting()
            assert await peer.echoes()
            assert await peer.echoes()


@each_on_loop
@pytest.mark.parametrize("end", [Lab.boom, Lab.interrupt])
async def test_who_is_ended_in_the_middle_of_an_answer_is_counted_what_the_peer_hears(server: str, end: object) -> None:
    async with a_lab() as lab, a_peer(lab, server, receive_buffer=8192) as peer:
        await _does_not_read(peer)
        assert callable(end)
        end(lab, peer.connection.id)
        heard = await _hear_what_comes(peer)
        await happens(lab, events.Closed, connection=peer.connection.id)
        assert heard.startswith(LINE)
        assert peer.connection.bytes_out == len(heard)
        assert lab.servers[server].record.bytes_out == len(heard)


@each_on_loop
async def test_a_half_close_comes_after_the_answer_that_is_being_sent(server: str) -> None:
    async with a_lab() as lab, a_peer(lab, server, receive_buffer=8192) as peer:
        said = await _does_not_read(peer)
        lab.faults.inject("half-close", peer.connection.id)
        heard = await peer.hear_out()
        assert len(heard) == said == peer.connection.bytes_out


@pytest.mark.parametrize("server", ["sockets", "streams"])
async def test_a_fault_is_there_although_another_one_ends_while_it_comes(server: str) -> None:
    async with a_lab() as lab, a_peer(lab, server, receive_buffer=8192) as peer:
        first = lab.faults.inject("latency", peer.connection.id, {"ms": 1})
        await peer.gets_stuck(LINE)
        first.undo()  # its answer is being sent just now
        second = lab.faults.inject("stop-reading", peer.connection.id)
        hearing = asyncio.get_running_loop().create_task(_hear_what_comes(peer), name="hearing")
        await soon(lambda: peer.connection.condition == "held" and not peer.connection.unsent)
        assert second.active
        hearing.cancel()
        await asyncio.wait([hearing])


@each_on_loop
async def test_a_peer_that_has_closed_is_let_go_once_nothing_holds_it(server: str) -> None:
    async with a_case(server) as case:
        case.inject("stop-reading")
        case.victim.say_no_more()
        await case.bystanders_echo()
        case.fault.undo()
        assert await case.victim.hear_out() == b""
        closed = await happens(case.lab, events.Closed, connection=case.victim.connection.id)
        assert closed.reason == "closed by peer"


@each_on_loop
async def test_a_boom_is_raised_although_the_fault_that_held_it_ended_while_its_answer_is_sent(server: str) -> None:
    async with a_lab() as lab, a_peer(lab, server, receive_buffer=4096) as peer:
        socket_of(peer.connection).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        fault = lab.faults.inject("latency", peer.connection.id, {"ms": 50})
        await peer.say(4 * LINE + b"boom\r\n")
        await soon(lambda: peer.connection.unsent > 0)
        fault.undo()
        assert await _hear_what_comes(peer) == 4 * LINE
        assert (await happens(lab, events.HandlerFailed, connection=peer.connection.id)).cause == "peer"


@each_on_loop
async def test_a_boom_from_the_keyboard_does_not_wait_for_a_fault_to_let_go(server: str) -> None:
    async with a_case(server) as case:
        connection = case.victim.connection
        case.inject("stop-reading")
        await case.victim.say(b"HELLO\r\n")
        await soon(lambda: connection.condition == "held")
        case.lab.boom(connection.id)
        assert (await happens(case.lab, events.HandlerFailed, connection=connection.id)).cause == "keyboard"
        assert (await happens(case.lab, events.Closed, connection=connection.id)).reason == "handled, socket closed"


@pytest.mark.parametrize("then", ["reads", "closes"])
async def test_an_answer_goes_on_after_a_cancellation_that_was_swallowed(then: str) -> None:
    async with a_lab(may_complain=True) as lab, a_peer(lab, "streams", receive_buffer=8192) as peer:
        said = await _does_not_read(peer)
        lab.faults.inject("swallow-cancel", peer.connection.id)
        lab.interrupt(peer.connection.id)
        await happens(lab, FaultStruck)
        if then == "closes":
            peer.say_no_more()
            assert len(await peer.hear_out()) == said
        else:
            assert len(await peer.hear(said)) == said
            await soon(lambda: peer.connection.bytes_out == said)
            assert not peer.connection.unsent


async def test_nothing_is_counted_that_is_said_into_a_socket_that_was_half_closed() -> None:
    async with a_case("streams") as case:
        connection = case.victim.connection
        assert await case.victim.echoes(b"FOUR\r\n")
        case.inject("half-close")
        assert await case.victim.hear_out() == b""
        before = connection.bytes_out
        case.lab.interrupt(connection.id)
        await happens(case.lab, events.Closed, connection=connection.id)
        assert connection.bytes_out == before


@pytest.mark.parametrize("server", [name for name in SERVERS if "reset" not in SERVERS[name].cannot])
async def test_a_reset_may_meet_a_connection_that_is_closed_already(server: str) -> None:
    async with a_lab() as lab:
        await lab.start_server(server)
        for _ in range(10):
            async with a_peer(lab, server) as peer:
                assert await peer.echoes(b"HELLO\r\n")
                handle = socket_of(peer.connection)
                peer.sock.close()
                await soon(lambda handle=handle: handle.fileno() == -1)  # type: ignore[misc]
                lab.faults.inject("reset", server)
            assert not lab.faults.active
        assert len(told(lab, FaultEnded)) == 10


async def test_servers_that_nobody_is_connected_to_can_be_started_again() -> None:
    async with a_lab(SELECTORS) as lab:
        if (eager := getattr(asyncio, "eager_task_factory", None)) is not None:
            asyncio.get_running_loop().set_task_factory(eager)  # as Textual does
        await lab.stop()
        await lab.restart()
        assert lab.servers["selectors"].record.state is ServerState.SERVING
        async with a_peer(lab, "selectors") as peer:
            assert await peer.echoes()
            assert peer.connection.state is ConnectionState.OPEN


async def test_the_second_signal_cuts_it_short_although_both_come_while_the_loop_is_blocked() -> None:
    async with Lab(Settings(port=0, servers=("sockets",), drain=600), signals=True) as lab, a_peer(lab, "sockets"):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)  # noqa: ASYNC251 - it blocks the loop, until the signal has come
        await asyncio.wait_for(lab.ended_by, PATIENCE)
        assert told(lab, events.CutShort)


async def test_a_signal_that_found_nothing_to_stop_is_no_part_of_a_later_stop() -> None:
    async with Lab(Settings(port=0, servers=("sockets",), drain=0), signals=True) as lab:
        await lab.stop_server("sockets")
        lab.send_signal(signal.SIGTERM)
        await happens(lab, events.SignalReceived)
        await soon(lambda: not lab._stops)  # it has found nothing to stop
        await lab.start_server("sockets")
        await lab.stop()
        assert What.SIGNAL not in {step.what for step in lab.shutdowns[-1].steps}


async def test_who_comes_while_the_servers_stop_has_not_finished_by_himself() -> None:
    async with a_lab(SOCKETS, drain=0.1) as lab, a_peer(lab, "sockets"):
        with socket.create_connection(("127.0.0.1", lab.servers["sockets"].record.port)):  # no turn in between
            await lab.stop()
        (cleaning_up,) = told(lab, events.CleaningUp)
        assert cleaning_up.finished == 0


@each_on_loop
@pytest.mark.parametrize("second", [Lab.boom, Lab.interrupt])
async def test_who_is_ended_twice_is_counted_once(server: str, second: object) -> None:
    async with a_lab() as lab, a_peer(lab, server, receive_buffer=8192) as peer:
        await _does_not_read(peer)
        lab.boom(peer.connection.id)
        assert callable(second)
        with suppress(Refused):  # it may have ended already
            second(lab, peer.connection.id)
        assert len(await _hear_what_comes(peer)) == peer.connection.bytes_out


@each_on_loop
async def test_a_boom_that_comes_when_the_answer_has_just_gone_counts_it_once(server: str) -> None:
    async with a_lab() as lab, a_peer(lab, server, receive_buffer=8192) as peer:
        said = await _does_not_read(peer)
        heard = 0
        while heard < said:  # without a turn of the loop: what it could tell of the last bytes has to wait
            with suppress(BlockingIOError):
                heard += len(peer.sock.recv(2**20))
            if heard < said:
                await asyncio.sleep(0)
        with suppress(Refused):
            lab.boom(peer.connection.id)
        await _hear_what_comes(peer)
        assert peer.connection.bytes_out == said


@pytest.mark.parametrize("server", ["sockets", "streams"])
async def test_what_a_fault_holds_is_sent_although_a_cancellation_was_swallowed(server: str) -> None:
    async with a_case(server, may_complain=True) as case:
        connection = case.victim.connection
        case.lab.faults.inject("swallow-cancel", connection.id)
        held = case.lab.faults.inject("latency", connection.id, {"ms": 60_000})
        await case.victim.say(b"HELD\r\n")
        await soon(lambda: connection.held > 0)
        case.lab.interrupt(connection.id)
        await happens(case.lab, FaultStruck, name="swallow-cancel")
        held.undo()
        assert await case.victim.hear(6) == b"HELD\r\n"


@each_on_loop
async def test_an_answer_that_a_reset_has_overtaken_is_not_counted(server: str) -> None:
    async with a_lab() as lab, a_peer(lab, server) as peer:
        peer.sock.send(b"HELLO\r\n")
        peer.reset()  # before the server has had a turn
        await happens(lab, events.Closed, connection=peer.connection.id)
        assert peer.connection.bytes_out == 0


@pytest.mark.parametrize("server", ["sockets", "streams"])
async def test_who_is_given_up_in_the_middle_of_an_answer_is_counted_what_the_peer_hears(server: str) -> None:
    async with a_lab(may_complain=True) as lab, a_peer(lab, server, receive_buffer=8192) as peer:
        await _does_not_read(peer)
        lab.faults.inject("swallow-cancel", peer.connection.id)
        stopping = asyncio.get_running_loop().create_task(lab.stop_server(server), name="stopping")
        await happens(lab, events.Closed, connection=peer.connection.id)
        assert len(await _hear_what_comes(peer)) == peer.connection.bytes_out
        await stopping


async def test_a_terminal_that_is_gone_is_no_second_signal() -> None:
    async with Lab(Settings(port=0, servers=("sockets",), drain=0.2), signals=True) as lab, a_peer(lab, "sockets"):
        os.kill(os.getpid(), signal.SIGHUP)
        await happens(lab, events.SignalReceived)
        lab.hang_up()
        await asyncio.wait_for(lab.ended_by, PATIENCE)
        assert not told(lab, events.CutShort)


async def test_a_signal_that_tells_late_of_a_terminal_that_is_gone_is_no_second_one_but_another_is() -> None:
    async with Lab(Settings(port=0, servers=("sockets",), drain=600), signals=True) as lab, a_peer(lab, "sockets"):
        lab.hang_up()
        os.kill(os.getpid(), signal.SIGHUP)
        await soon(lambda: len(told(lab, events.SignalReceived)) == 2)
        assert len(lab._stops) == 1
        os.kill(os.getpid(), signal.SIGHUP)
        cut_short = await happens(lab, events.CutShort)
        assert len(told(lab, events.SignalReceived)) == 3
        assert cut_short.by == "SIGHUP from outside"
        await asyncio.wait_for(lab.ended_by, PATIENCE)


async def test_what_was_sent_before_a_cancellation_was_swallowed_is_counted() -> None:
    async with a_lab(may_complain=True) as lab, a_peer(lab, "sockets", receive_buffer=8192) as peer:
        await _does_not_read(peer)
        lab.faults.inject("swallow-cancel", peer.connection.id)
        lab.interrupt(peer.connection.id)
        await happens(lab, FaultStruck)
        await soon(lambda: not peer.connection.unsent)  # the rest of the answer is lost
        peer.say_no_more()
        heard = await peer.hear_out()
        await happens(lab, events.Closed, connection=peer.connection.id)
        assert peer.connection.bytes_out == len(heard)


async def test_the_end_of_a_half_close_is_not_counted_as_a_byte_when_the_peer_resets() -> None:
    async with a_case("protocol") as case:
        assert await case.victim.echoes(b"FOUR\r\n")
        case.inject("half-close")
        assert await case.victim.hear_out() == b""
        case.victim.reset()
        await happens(case.lab, events.Closed, connection=case.victim.connection.id)
        assert case.victim.connection.bytes_out == 6


@pytest.mark.parametrize("server", list(SERVERS))
async def test_a_peer_that_has_gone_while_it_was_queued_is_no_reason_to_rest(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, fails = socket.socket.accept, [OSError(errno.ECONNABORTED, "Software caused connection abort")]

    def fail_first(listener: socket.socket) -> tuple[socket.socket, object]:
        if fails:
            raise fails.pop()
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", fail_first)  # some systems tell of such a peer, Linux lets it be
    async with a_lab(Flavour(server)) as lab:
        async with a_peer(lab, server) as peer:
            assert await peer.echoes(b"HELLO\r\n")
        assert not fails
        assert told(lab, events.AcceptFailed) == []
