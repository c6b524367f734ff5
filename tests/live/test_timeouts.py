"""Time limits: a select that finds nothing, and a peer that says nothing."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from support import SOCKETS, Flavour, a_lab, a_peer, each_flavour, each_selecting, happens, told
from support_faults import soon

from echotui.server import events
from echotui.server.faults.events import FaultStruck
from echotui.server.journal import Journal


@each_selecting
async def test_a_select_that_finds_nothing_is_told_and_counted(flavour: Flavour) -> None:
    async with a_lab(flavour, select_timeout=0.01) as lab:
        record = lab.servers["selectors"].record
        for count in (1, 2, 3):
            after = lab.journal.recorded
            timeout = await happens(lab, events.SelectTimeout, after=after)
            assert timeout.waited >= 0.01
            assert record.select_timeouts is not None
            assert record.select_timeouts >= count
        assert record.select_timeouts == len(told(lab, events.SelectTimeout))


@each_selecting
async def test_select_timeouts_are_counted_also_where_no_detail_is_recorded(flavour: Flavour) -> None:
    async with a_lab(flavour, select_timeout=0.01, journal=Journal(detail_rate=0)) as lab:
        record = lab.servers["selectors"].record
        await soon(lambda: bool(record.select_timeouts))
        assert told(lab, events.SelectTimeout) == []
        assert lab.journal.details_skipped


@each_selecting
async def test_an_answer_does_not_wait_for_the_select_timeout(flavour: Flavour) -> None:
    async with a_lab(flavour, select_timeout=3600) as lab, a_peer(lab, "selectors") as peer:
        assert await peer.echoes()
        lab.interrupt(peer.connection.id)
        assert await peer.hear_out() == b""
        assert lab.servers["selectors"].record.select_timeouts == 0


@each_flavour
async def test_a_peer_that_says_nothing_for_too_long_is_closed(flavour: Flavour) -> None:
    async with a_lab(flavour, idle_timeout=0.05, select_timeout=3600) as lab, a_peer(lab, flavour.server) as peer:
        assert await peer.hear_out() == b""
        idle = await happens(lab, events.IdleTimeout, connection=peer.connection.id)
        assert idle.limit == 0.05
        closed = await happens(lab, events.Closed, connection=peer.connection.id)
        assert closed.reason == "idle too long"
        assert closed.seconds > 0.048  # uvloop's timers count in milliseconds
        assert lab.servers[flavour.server].record.idle_timeouts == 1


@each_flavour
async def test_whoever_speaks_is_not_idle(flavour: Flavour) -> None:
    async with a_lab(flavour, idle_timeout=0.1) as lab:
        async with a_peer(lab, flavour.server) as silent, a_peer(lab, flavour.server) as talker:
            hearing = asyncio.ensure_future(silent.hear_out())  # noqa: TID251 - awaited below
            while not hearing.done():
                assert await talker.echoes()
                await asyncio.wait([hearing], timeout=0.01)
            assert await talker.echoes()
            await happens(lab, events.IdleTimeout)
            assert [idle.peer for idle in told(lab, events.IdleTimeout)] == [silent.name]
            # … and from its last word on its time runs too.
            assert await talker.hear_out() == b""
            await happens(lab, events.Closed, connection=talker.connection.id, reason="idle too long")
            assert talker.connection.closed_at is not None
            assert talker.connection.last_in_at is not None
            assert talker.connection.closed_at - talker.connection.last_in_at > 0.098  # uvloop's timers count in ms


@each_flavour
async def test_a_peer_that_never_reads_is_idle_too(flavour: Flavour) -> None:
    async with a_lab(flavour, idle_timeout=0.1) as lab, a_peer(lab, flavour.server, receive_buffer=4096) as peer:
        with pytest.raises(ConnectionError):
            await peer.say(b"never read\r\n" * 2**21)
        await happens(lab, events.Closed, connection=peer.connection.id, reason="idle too long")


@each_flavour
async def test_without_an_idle_limit_nobody_is_idle(flavour: Flavour) -> None:
    async with a_lab(flavour, idle_timeout=None) as lab, a_peer(lab, flavour.server) as peer:
        await asyncio.sleep(0.1)
        assert await peer.echoes()


@pytest.mark.parametrize("limit", [0.05, None])
async def test_an_idle_limit_changes_nothing_about_boom(limit: float | None) -> None:
    async with a_lab(SOCKETS, idle_timeout=limit) as lab, a_peer(lab, "sockets") as peer:
        await peer.say(b"boom\r\n")
        assert await peer.hear_out() == b""
        await happens(lab, events.HandlerFailed, connection=peer.connection.id)


@each_selecting
async def test_a_select_timeout_shorter_than_a_timer_can_be_is_no_trouble(flavour: Flavour) -> None:
    async with a_lab(flavour, select_timeout=0.0002) as lab, a_peer(lab, "selectors") as peer:
        for _ in range(200):
            assert await peer.echoes()


async def test_a_peer_that_speaks_while_its_handler_cleans_up_puts_nothing_off() -> None:
    """The time limit is over by then, and a timer that is over cannot be set anew."""
    async with a_lab(idle_timeout=3600) as lab, a_peer(lab, "streams") as peer:
        await peer.say(b"HELLO\r\n")
        assert await peer.hear(7) == b"HELLO\r\n"
        fault = lab.faults.inject("slow-cleanup", peer.connection.id, {"ms": 60_000})
        await happens(lab, FaultStruck, connection=peer.connection.id)
        before = peer.connection.reads
        await peer.say(b"ANYBODY?\r\n")
        await soon(lambda: peer.connection.reads > before)
        fault.undo()
        assert await peer.hear_out() == b"Connection dropped!\r\n"


@pytest.mark.parametrize("server", ["sockets", "streams"])
async def test_a_task_that_is_cancelled_under_a_time_limit_is_no_garbage(server: str) -> None:
    async with a_lab(Flavour(server), idle_timeout=3600) as lab:
        gc.collect()
        gc.disable()
        try:
            async with a_peer(lab, server) as peer:
                serving: Any = lab.servers[server]
                task = weakref.ref(serving._tasks[peer.connection.id])
                lab.interrupt(peer.connection.id)
                await happens(lab, events.Closed, connection=peer.connection.id)
                del serving
            await soon(lambda: task() is None)
        finally:
            gc.enable()
