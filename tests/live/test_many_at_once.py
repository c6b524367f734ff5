"""Many who are ready at once are served in portions, so that a turn of the hand-written loop never takes long."""

from contextlib import AsyncExitStack

import pytest
from support import SOCKETS, STREAMS, Flavour, Peer, a_lab, a_peer, each_selecting, told

from echotui.server import events
from echotui.server.exchange import FAIR_SHARE
from echotui.server.lab import Lab
from echotui.server.servers import hosting, sockets

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
