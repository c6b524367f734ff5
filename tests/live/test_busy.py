"""How busy a server is: the time its tasks run, of those that are there and those that were."""

import asyncio
from time import monotonic

import pytest
from support import PATIENCE, PROTOCOL, SOCKETS, STREAMS, Flavour, a_lab, a_peer, happens

from echotui.server import events
from echotui.server.lab import Lab


def busy(lab: Lab, server: str) -> float:
    """Return how long a server has been busy until now, in seconds."""
    lab.servers[server].count_busy()
    known = lab.servers[server].record.busy
    assert known is not None
    return known


@pytest.mark.parametrize("flavour", [SOCKETS, STREAMS], ids=str)
async def test_a_server_with_tasks_is_as_busy_as_they_are_and_no_busier_when_they_have_ended(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        at_first = busy(lab, flavour.server)
        began = monotonic()
        async with a_peer(lab, flavour.server) as peer:
            for _ in range(50):
                assert await peer.echoes(b"BUSY BUSY\r\n")
            spent = busy(lab, flavour.server)
            assert 0 < spent - at_first < monotonic() - began
            assert lab.observation is not None
            task = lab.observation.tasks.get(peer.connection.task)
            assert task is not None
            assert task.busy <= spent
        await happens(lab, events.Closed)
        await asyncio.sleep(0)
        ended = busy(lab, flavour.server)
        assert spent <= ended < spent + task.busy
        await lab.stop()
        assert ended <= busy(lab, flavour.server) < ended + PATIENCE / 100
        await lab.start()
        assert busy(lab, flavour.server) >= ended


async def test_callbacks_are_not_timed_and_a_server_made_of_them_does_not_say_it_is_idle() -> None:
    async with a_lab(PROTOCOL) as lab, a_peer(lab, "protocol") as peer:
        assert await peer.echoes()
        lab.servers["protocol"].count_busy()
        assert lab.servers["protocol"].record.busy is None


async def test_what_a_connection_is_served_by_is_known_also_when_it_has_ended() -> None:
    async with a_lab(SOCKETS) as lab:
        async with a_peer(lab, "sockets") as peer:
            pass
        await happens(lab, events.Closed)
        assert lab.observation is not None
        task = lab.observation.tasks.get(peer.connection.task)
        assert task is not None
        assert task.name == f"echo-{peer.connection.id}"
