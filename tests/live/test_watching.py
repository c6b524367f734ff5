"""What watches: the pulse, the complaints and the sinks, and that none of them breaks what it watches."""

import asyncio
import os
import signal
import time

import psutil
import pytest
from support import PATIENCE, SOCKETS, a_lab, a_peer, happens, told

from echotui.server import events
from echotui.server.counting import LAST_KEPT, beginning
from echotui.server.journal import Entry, Journal
from echotui.server.lab import Lab, Refused
from echotui.server.observe.events import Complained
from echotui.server.records import ENDED_KEPT, ServerState
from echotui.server.settings import Settings
from echotui.server.vitals import Vitals


async def measured(lab: Lab) -> Vitals:
    """Return the vitals after the next time they were measured."""
    before = lab.vitals.samples
    async with asyncio.timeout(PATIENCE):
        while lab.vitals.samples == before:  # noqa: ASYNC110 - vitals are plain data and tell nobody
            await asyncio.sleep(0.01)
    return lab.vitals


async def test_the_pulse_measures_the_process_its_servers_and_what_holds_up_the_loop() -> None:
    async with a_lab(may_complain=True) as lab, a_peer(lab, "sockets") as peer:
        assert lab.vitals.cpu is None
        assert await peer.echoes(b"x" * 1000)
        vitals = await measured(lab)
        assert vitals.cpu is not None
        assert 0 <= vitals.cpu <= 2
        assert vitals.rss is not None
        assert vitals.rss > 10 * 2**20
        assert vitals.fds is not None
        counted = psutil.Process().num_fds()  # with the one that it takes to count them
        assert counted - 1 <= vitals.fds <= counted
        assert vitals.lag is not None
        assert vitals.lag >= 0
        assert vitals.rates["sockets"].reads >= 1
        assert vitals.rates["sockets"].bytes == pytest.approx(2000, rel=0.5)
        assert 0 < (vitals.rates["sockets"].busy or 0) < 1
        assert vitals.rates["selectors"].reads == 0
        busy = vitals.rates["selectors"].busy
        assert busy is not None
        assert 0 <= busy < 1
        # A beat was just now, and the next one is due within the block, on uvloop 0.05 s later: it is seen as lag all
        # the same, by as much less.
        time.sleep(0.25)  # noqa: ASYNC251 - it has to block
        await measured(lab)
        assert vitals.lag >= 0.15
        assert vitals.rates["sockets"].reads == 0
        assert len(vitals.rates["sockets"].history) == 2


async def test_details_flow_again_with_every_beat() -> None:
    async with a_lab(SOCKETS, journal=Journal(detail_rate=8)) as lab, a_peer(lab, "sockets") as peer:
        for _ in range(20):
            assert await peer.echoes()
        assert not lab.journal.details_open
        skipped = await happens(lab, events.DetailsSkipped)
        assert skipped.count >= 20
        assert await peer.echoes()
        assert lab.journal.counts["received"] + lab.journal.counts["sent"] >= 9


async def test_a_sink_that_raises_breaks_no_conversation() -> None:
    def raises(_: Entry) -> None:
        raise ZeroDivisionError

    async with Lab(Settings(port=0, drain=0)) as lab, a_peer(lab, "selectors") as peer, a_peer(lab, "sockets") as other:
        lab.journal.subscribe(raises)
        assert await peer.echoes()
        assert await other.echoes()
        assert len(told(lab, events.InstrumentDisabled)) == 1


async def test_what_asyncio_complains_about_gets_into_the_journal() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await happens(lab, Complained, error="ZeroDivisionError: division by zero")


async def test_ended_connections_and_last_words_are_kept_within_bounds() -> None:
    async with a_lab(SOCKETS) as lab:
        for number in range(ENDED_KEPT + 20):
            async with a_peer(lab, "sockets") as peer:
                if number == 0:
                    assert await peer.echoes(b"x" * 5000)
                    assert peer.connection.last_in == b"x" * LAST_KEPT
        await asyncio.wait_for(lab.connections.wait_until_none_is_open(), PATIENCE)
        assert len(lab.connections.ended) == ENDED_KEPT
        assert lab.connections.forgotten == 20
        assert lab.connections.get(1) is None
        assert lab.connections.get(ENDED_KEPT + 20) is peer.connection


async def test_a_signal_of_ones_own_stops_the_servers_and_not_the_process() -> None:
    async with Lab(Settings(port=0, drain=0), signals=True) as lab:
        for number in (signal.SIGINT, signal.SIGTERM):
            lab.send_signal(number)
            received = await happens(lab, events.SignalReceived, signal=number.name)
            assert received.origin == "this keyboard"
            await happens(lab, events.Stopped, after=lab.journal.recorded - 3)
            assert {record.state for record in lab.records} == {ServerState.STOPPED}
            assert not lab.ended_by.done()
            await asyncio.sleep(0)
            await lab.restart()
            async with a_peer(lab, "sockets") as peer:
                assert await peer.echoes()
                assert lab.draining_until is None


async def test_a_signal_from_outside_is_told_apart_from_ones_own() -> None:
    async with Lab(Settings(port=0, drain=0), signals=True) as lab:
        asked: list[tuple[signal.Signals, float]] = []
        lab.on_last_call = lambda number, seconds: asked.append((number, seconds))
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(lab.ended_by, PATIENCE) is signal.SIGTERM
        assert (await happens(lab, events.SignalReceived)).origin == "outside"
        assert [number for number, _ in asked] == [signal.SIGTERM]


async def test_without_its_handlers_a_lab_sends_no_signal() -> None:
    async with a_lab(SOCKETS) as lab:
        with pytest.raises(Refused, match="not handled"):
            lab.send_signal(signal.SIGINT)


@pytest.mark.parametrize("server", ["selectors", "sockets", "streams", "protocol"])
async def test_the_journal_keeps_no_memory_that_was_meant_for_much_longer_reads(server: str) -> None:
    async with Lab(Settings(port=0, drain=0)) as lab, a_peer(lab, server) as peer:
        assert await peer.echoes(b"SHORT\n")
        received = await happens(lab, events.Received, connection=peer.connection.id)
        assert received.text == peer.connection.last_in == b"SHORT\n"


def test_what_is_kept_of_a_message_is_an_object_of_its_own() -> None:
    data = b"SHORT\n"
    assert beginning(data) == data
    assert beginning(data) is not data  # which lies where `recv` had room for 64 KiB
