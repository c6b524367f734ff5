"""What the keyboard may do to a connection: boom, interrupt, and a client of one's own."""

import asyncio

import pytest
from support import (
    PATIENCE,
    SELECTORS,
    SOCKETS,
    Flavour,
    a_lab,
    a_peer,
    connected,
    each_flavour,
    happens,
    told,
)

from echotui.server import client, events
from echotui.server.lab import MOST_CLIENTS, Refused
from echotui.server.naming import address
from echotui.server.observe.events import Complained
from echotui.server.records import Treatment
from echotui.server.servers.books import socket_of


@each_flavour
async def test_a_boom_by_keyboard_raises_in_that_handler_and_no_other(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server) as peer, a_peer(lab, flavour.server) as other:
        assert await peer.echoes()
        lab.boom(peer.connection.id)
        assert await peer.hear_out() == b""
        boom = await happens(lab, events.HandlerFailed, connection=peer.connection.id)
        assert (boom.cause, boom.error) == ("keyboard", "KeyboardBoom: Unexpected network error")
        assert await other.echoes()


async def test_a_boom_by_keyboard_is_treated_as_a_boom_by_the_peer_is() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_peer(lab, "sockets") as peer:
        lab.treat(Treatment.UNRETRIEVED)
        lab.boom(peer.connection.id)
        await happens(lab, Complained, task=f"echo-{peer.connection.id}")


@each_flavour
async def test_a_boom_by_keyboard_reaches_a_connection_whose_peer_does_not_read(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server, receive_buffer=4096) as peer:
        await peer.gets_stuck()
        lab.boom(peer.connection.id)
        await happens(lab, events.HandlerFailed, connection=peer.connection.id, cause="keyboard")


@each_flavour
async def test_a_boom_for_a_peer_that_has_just_reset_is_no_error(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        async with a_peer(lab, flavour.server) as peer:
            peer.reset()
            lab.boom(peer.connection.id)
        await happens(lab, events.Closed, connection=peer.connection.id)


@each_flavour
async def test_an_interrupt_ends_that_connection_and_no_other(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server) as peer, a_peer(lab, flavour.server) as other:
        assert await peer.echoes()
        lab.interrupt(peer.connection.id)
        assert await peer.hear_out() == b""
        closed = await happens(lab, events.Closed, connection=peer.connection.id)
        asked = [(event.connection, event.by) for event in told(lab, events.CancelAsked)]
        if lab.servers[flavour.server].has_tasks:
            assert (closed.reason, asked) == ("cancelled by the keyboard", [(peer.connection.id, "the keyboard")])
        else:
            assert (closed.reason, asked) == ("closed by the keyboard", [])
        assert await other.echoes()


@each_flavour
async def test_an_interrupt_reaches_a_connection_whose_peer_does_not_read(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server, receive_buffer=4096) as peer:
        await peer.gets_stuck()
        lab.interrupt(peer.connection.id)
        closed = await happens(lab, events.Closed, connection=peer.connection.id)
        assert closed.reason.endswith(" by the keyboard")


@each_flavour
async def test_an_interrupt_before_the_first_step_closes_the_socket_all_the_same(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        lab.journal.subscribe(interrupt_at_once := lambda entry: _interrupt_if_accepted(entry.event))

        def _interrupt_if_accepted(event: events.Event) -> None:
            if isinstance(event, events.Accepted):
                asyncio.get_running_loop().call_soon(lab.interrupt, event.connection)

        async with a_peer(lab, flavour.server) as peer:
            assert await peer.hear_out() == b""
            closed = await happens(lab, events.Closed, connection=peer.connection.id)
            # An eager task has had its first step. selectors has no tasks, protocol only until its transport is made.
            ended = "cancelled" if lab.servers[flavour.server].has_tasks else "closed"
            assert closed.reason in ("cancelled before its first step", f"{ended} by the keyboard")
        lab.journal.unsubscribe(interrupt_at_once)
        async with a_peer(lab, flavour.server) as peer:
            assert await peer.echoes()


@each_flavour
async def test_an_ended_connection_takes_no_commands(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        async with a_peer(lab, flavour.server) as peer:
            pass
        await happens(lab, events.Closed, connection=peer.connection.id)
        for command in (lab.boom, lab.interrupt):
            with pytest.raises(Refused, match="closed already"):
                command(peer.connection.id)


@each_flavour
async def test_two_commands_in_one_turn_end_a_connection_once(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server) as peer:
        lab.boom(peer.connection.id)
        lab.boom(peer.connection.id)
        lab.interrupt(peer.connection.id)
        assert await peer.hear_out() == b""
        await happens(lab, events.Closed, connection=peer.connection.id)
        assert len(told(lab, events.Closed)) == 1


# -- a client of one's own -----------------------------------------------------------------------------------------


@each_flavour
async def test_a_built_in_client_chats_and_its_connection_is_marked(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAUSE", 0.01)
    async with a_lab(flavour) as lab:
        lab.chat(flavour.server)
        started = await happens(lab, events.ClientStarted, server=flavour.server)
        accepted = await happens(lab, events.Accepted, peer=started.peer)
        connection = lab.connections.get(accepted.connection)
        assert connection is not None
        assert connection.built_in
        await happens(lab, events.Received, connection=connection.id, text=b"hello 3\r\n")
        lab.boom(connection.id)
        await happens(lab, events.ClientEnded, peer=started.peer, reason="the server hung up")


async def test_other_peers_are_not_marked_as_built_in() -> None:
    async with a_lab(SELECTORS) as lab, a_peer(lab, "selectors") as peer:
        assert not peer.connection.built_in


async def test_a_stop_ends_the_built_in_clients_too() -> None:
    async with a_lab() as lab:
        started = [record.name for record in lab.records if record.wanted]
        for server in started:
            lab.chat(server)
            await happens(lab, events.ClientStarted, server=server)
        await lab.stop(drain=60)
        assert len(told(lab, events.ClientEnded)) == len(started)
        assert not lab.connections.open


async def test_nobody_chats_with_a_server_that_does_not_serve() -> None:
    async with a_lab(SOCKETS) as lab:
        await lab.stop()
        with pytest.raises(Refused, match="nobody can connect"):
            lab.chat("sockets")


async def test_the_number_of_built_in_clients_is_bounded() -> None:
    async with a_lab(SOCKETS) as lab:
        for _ in range(MOST_CLIENTS):
            lab.chat("sockets")
        with pytest.raises(Refused, match=str(MOST_CLIENTS)):
            lab.chat("sockets")


async def test_a_built_in_client_that_hears_something_else_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE", 0.2)
    async with a_lab(SOCKETS) as lab:
        lab.chat("sockets")
        started = await happens(lab, events.ClientStarted)
        accepted = await happens(lab, events.Accepted, peer=started.peer)
        await happens(lab, events.Sent, connection=accepted.connection)
        socket_of(lab.connections.open[accepted.connection]).send(b"psst")
        await happens(lab, events.ClientEnded, reason="b'psst' came unasked")


async def test_connections_that_wait_to_be_accepted_are_taken_in_after_each_other() -> None:
    async with a_lab() as lab:
        socks = [
            await connected(lab, server)
            for server in ("selectors", "sockets", "streams", "protocol")
            for _ in range(100)
        ]
        for sock in socks:
            await happens(lab, events.Accepted, peer=address(sock.getsockname()))
            sock.close()
        await asyncio.wait_for(lab.connections.wait_until_none_is_open(), PATIENCE)
        assert lab.connections.most_open <= len(socks) == lab.connections.closed
