"""Many who are ready at once are served in portions, so that a turn of the hand-written loop never takes long."""

import asyncio
import socket
from contextlib import AsyncExitStack, ExitStack, suppress
from itertools import pairwise

import pytest
from support import (
    PATIENCE,
    PROTOCOL,
    SELECTORS,
    SOCKETS,
    STREAMS,
    Flavour,
    Peer,
    a_lab,
    a_peer,
    each_selecting,
    told,
)

from echotui.server import events
from echotui.server.exchange import FAIR_SHARE
from echotui.server.lab import Lab
from echotui.server.servers import accepting, hosting, selectors, sockets

LINE = b"all at once\r\n"


@pytest.fixture(autouse=True)
def _two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "AT_ONCE", 2)


async def peers_of(lab: Lab, stack: AsyncExitStack, count: int) -> list[Peer]:
    return [await stack.enter_async_context(a_peer(lab, "selectors")) for _ in range(count)]


@each_selecting
async def test_everybody_is_served_and_no_turn_takes_more_than_its_portion(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, AsyncExitStack() as stack:
        peers = await peers_of(lab, stack, 9)
        for _ in range(3):
            for peer in peers:
                peer.sock.send(LINE)  # none of them is awaited, so all are ready at the same time
            assert [await peer.hear(len(LINE)) for peer in peers] == [LINE] * 9
        selected = [event.ready for event in told(lab, events.Selected)]
    assert max(selected) <= 2


@each_selecting
async def test_who_is_ended_while_waiting_for_a_portion_stays_ended_and_the_others_go_on(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, AsyncExitStack() as stack:
        peers = await peers_of(lab, stack, 9)
        for peer in peers:
            peer.sock.send(LINE)
        for peer in peers[::2]:
            lab.interrupt(peer.connection.id)
        for peer in peers[1::2]:
            assert await peer.hear(len(LINE)) == LINE
            assert await peer.echoes()
        assert {peer.connection.outcome for peer in peers[::2]} == {"closed by the keyboard"}


@each_selecting
async def test_the_server_can_be_stopped_while_somebody_waits_for_a_portion(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, AsyncExitStack() as stack:
        for peer in await peers_of(lab, stack, 9):
            peer.sock.send(LINE)
        await lab.stop(drain=0)
        assert not lab.connections.open


@pytest.mark.parametrize("flavour", [SOCKETS, STREAMS], ids=str)
async def test_who_has_much_to_say_lets_another_one_be_answered_after_a_fair_share(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "RECEIVE_SIZE", len(LINE))  # a read a line
    async with (
        a_lab(flavour) as lab,
        a_peer(lab, flavour.server) as first,
        a_peer(lab, flavour.server) as greedy,
        a_peer(lab, flavour.server) as last,
    ):
        for peer in (first, greedy, last):
            assert await peer.echoes(LINE.upper())  # so that none of them is still being taken in
        begun = lab.journal.recorded
        # In the same turn, so all are ready at the same time; a loop may begin with either end.
        first.sock.send(LINE)
        greedy.sock.send(LINE * 20 * FAIR_SHARE)
        last.sock.send(LINE)
        for modest in (first, last):
            assert (await modest.hear(len(LINE))).lower() == LINE
        assert (await greedy.hear(len(LINE) * 20 * FAIR_SHARE)).lower() == LINE * 20 * FAIR_SHARE
        since = [entry.event for entry in lab.journal.since(begun)]
    answered = [event.connection for event in since if isinstance(event, events.Sent)]
    # Where somebody else has read during its first share, it has a second one.
    assert {first.connection.id, last.connection.id} <= {*answered[: 2 * FAIR_SHARE + 2]}


def connect_without_a_turn(lab: Lab, server: str, count: int, peers: ExitStack) -> list[socket.socket]:
    """Have so many wait to be accepted: the loop does not turn meanwhile."""
    address = ("127.0.0.1", lab.servers[server].record.port)
    return [peers.enter_context(socket.create_connection(address, PATIENCE)) for _ in range(count)]


@pytest.fixture
def portion(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many are accepted at a stretch."""
    portion = 4
    monkeypatch.setattr(accepting, "ACCEPT_BATCH", portion)
    monkeypatch.setattr(selectors, "ACCEPT_BATCH", portion)
    return portion


each_that_accepts = pytest.mark.parametrize("flavour", [SELECTORS, SOCKETS, STREAMS, PROTOCOL], ids=str)


@each_that_accepts
async def test_a_flood_of_new_peers_is_accepted_in_portions(flavour: Flavour, portion: int) -> None:
    many = 20 * portion
    here = asyncio.get_running_loop()
    accepted = [0]

    def look() -> None:
        accepted.append(len(lab.connections.open))
        if accepted[-1] < many:
            here.call_soon(look)
        else:
            all_are_in.set()

    async with a_lab(flavour) as lab:
        all_are_in = asyncio.Event()
        with ExitStack() as peers:
            connect_without_a_turn(lab, flavour.server, many, peers)
            look()
            async with asyncio.timeout(PATIENCE):
                await all_are_in.wait()
    assert max(after - before for before, after in pairwise(accepted)) <= portion


@each_that_accepts
async def test_the_server_can_be_stopped_while_a_flood_of_new_peers_is_accepted(flavour: Flavour, portion: int) -> None:
    many = 20 * portion
    async with a_lab(flavour) as lab:
        with ExitStack() as peers:
            socks = connect_without_a_turn(lab, flavour.server, many, peers)
            await asyncio.sleep(0)
            await lab.stop(drain=0)
            assert not lab.connections.open
            assert len(told(lab, events.Accepted)) == len(told(lab, events.Closed)) < many
            for sock in socks:
                with suppress(ConnectionError):  # whoever was not accepted is turned away by the system
                    while sock.recv(1_000):
                        pass  # streams says good-bye
