"""The streams server: lines in upper case, bounded, with a last word; and what blocking has in common with it."""

import asyncio
import weakref

from support import STREAMS, Flavour, a_lab, a_peer, each_by_line, happens, no_garbage_collection, told
from support_faults import soon

from echotui.server import events
from echotui.server.conversation import LONGEST_LINE
from echotui.server.records import ConnectionState

#: Long lines fill a socket in less time than many short ones.
LONG_LINE = b"never read" * 3000 + b"\r\n"


async def test_lines_come_back_in_upper_case_and_only_ascii_is_changed() -> None:
    async with a_lab(STREAMS) as lab, a_peer(lab, "streams") as peer:
        await peer.say("hello\r\nGröße \0\x1b\n".encode() + b"\xff\xe4z\n")
        heard = "HELLO\r\nGRößE \0\x1b\n".encode() + b"\xff\xe4Z\n"
        assert await peer.hear(len(heard)) == heard


async def test_whoever_is_cancelled_is_told_that_the_connection_is_dropped() -> None:
    async with a_lab(STREAMS) as lab, a_peer(lab, "streams") as peer, a_peer(lab, "streams") as other:
        for one in (peer, other):
            assert await one.echoes(b"HERE\n")  # its handler has begun
        lab.interrupt(peer.connection.id)
        assert await peer.hear_out() == b"Connection dropped!\r\n"
        await happens(lab, events.Closed, connection=peer.connection.id, reason="cancelled by the keyboard")
        await lab.stop(drain=0)
        assert await other.hear_out() == b"Connection dropped!\r\n"


async def test_a_cancellation_ends_a_connection_whose_peer_does_not_read() -> None:
    async with a_lab(STREAMS) as lab, a_peer(lab, "streams", receive_buffer=4096) as peer:
        await peer.gets_stuck(LONG_LINE)
        lab.interrupt(peer.connection.id)
        await happens(lab, events.Closed, connection=peer.connection.id, reason="cancelled by the keyboard")


async def test_a_boom_by_keyboard_reaches_who_waits_for_a_line_and_who_waits_for_room() -> None:
    async with a_lab(STREAMS) as lab, a_peer(lab, "streams") as quiet:
        async with a_peer(lab, "streams", receive_buffer=4096) as stuck:
            await stuck.gets_stuck(LONG_LINE)
            for peer in (quiet, stuck):
                lab.boom(peer.connection.id)
                boom = await happens(lab, events.HandlerFailed, connection=peer.connection.id)
                assert (boom.cause, boom.error) == ("keyboard", "KeyboardBoom: Unexpected network error")
        assert await quiet.hear_out() == b""


@each_by_line
async def test_boom_ends_its_own_connection_after_what_came_before(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab, a_peer(lab, flavour.server) as peer:
        await peer.say(b"BEFORE\r\nboom\r\nafter\r\n")
        assert await peer.hear_out() == b"BEFORE\r\n"
        boom = await happens(lab, events.HandlerFailed, connection=peer.connection.id)
        assert (boom.cause, boom.outcome) == ("peer", "handled, socket closed")


@each_by_line
async def test_the_longest_line_is_answered_and_a_longer_one_refused(flavour: Flavour) -> None:
    async with a_lab(flavour, blocking_receive=1000) as lab:
        async with a_peer(lab, flavour.server) as peer:
            line = b"X" * LONGEST_LINE + b"\n"
            _, heard = await asyncio.gather(peer.say(line), peer.hear(len(line)))
            assert heard == line
            peer.say_no_more()
            assert await peer.hear_out() == b""
        async with a_peer(lab, flavour.server) as peer:
            await peer.say(b"SHORT\n" + b"X" * (LONGEST_LINE + 1))
            assert await peer.hear_out() == b"SHORT\n"
            refused = await happens(lab, events.LineRefused, connection=peer.connection.id)
            assert refused.limit == LONGEST_LINE
            closed = await happens(lab, events.Closed, connection=peer.connection.id)
            assert closed.reason == "line too long: more than 65,536 B without an end"


@each_by_line
async def test_a_half_close_is_answered_entirely_before_the_close(flavour: Flavour) -> None:
    said = b"A LINE OF SOME LENGTH\r\n" * 10_000 + b"NO END"
    async with a_lab(flavour, blocking_receive=4096) as lab:
        async with a_peer(lab, flavour.server, receive_buffer=4096) as peer:

            async def say() -> None:
                await peer.say(said)
                peer.say_no_more()

            _, heard = await asyncio.gather(say(), peer.hear_out())
            assert heard == said
            closed = await happens(lab, events.Closed, connection=peer.connection.id)
            assert (closed.reason, closed.bytes_in, closed.bytes_out) == ("closed by peer", len(said), len(said))


async def test_a_peer_that_does_not_read_is_not_read_from() -> None:
    async with a_lab(STREAMS) as lab, a_peer(lab, "streams", receive_buffer=4096) as peer:
        said = await peer.gets_stuck(LONG_LINE)
        assert peer.connection.bytes_in < said
        assert told(lab, events.LineRefused) == []


async def test_who_says_nothing_for_too_long_is_ended_without_a_word() -> None:
    async with a_lab(STREAMS, idle_timeout=0.05) as lab, a_peer(lab, "streams") as peer:
        assert await peer.hear_out() == b""
        await happens(lab, events.IdleTimeout, connection=peer.connection.id, limit=0.05)
        closed = await happens(lab, events.Closed, connection=peer.connection.id)
        assert closed.reason == "idle too long"


async def test_who_sends_a_line_byte_by_byte_is_not_idle() -> None:
    async with a_lab(STREAMS, idle_timeout=0.1) as lab:
        async with a_peer(lab, "streams") as slow, a_peer(lab, "streams") as silent:
            hearing = asyncio.ensure_future(silent.hear_out())  # noqa: TID251 - awaited below
            said = 0
            while not hearing.done():
                await slow.say(b"x")
                said += 1
                await asyncio.wait([hearing], timeout=0.01)
            await slow.say(b"\n")
            assert await slow.hear(said + 1) == b"X" * said + b"\n"
            assert [idle.peer for idle in told(lab, events.IdleTimeout)] == [silent.name]


async def test_what_comes_in_is_counted_at_once_although_its_line_is_not_whole() -> None:
    async with a_lab(STREAMS) as lab, a_peer(lab, "streams") as peer:
        await peer.say(b"no end")
        await happens(lab, events.Received, connection=peer.connection.id, text=b"no end")
        assert (peer.connection.reads, peer.connection.bytes_in, peer.connection.last_in) == (1, 6, b"no end")
        assert lab.servers["streams"].record.bytes_in == 6
        await peer.say(b" yet\nand two\n")
        assert await peer.hear(19) == b"NO END YET\nAND TWO\n"
        assert peer.connection.bytes_in == 19
        assert peer.connection.reads < 4


async def test_last_words_are_counted_when_they_are_sent_and_not_when_the_connection_is_closed() -> None:
    async with a_lab(STREAMS) as lab, a_peer(lab, "streams") as peer:
        assert await peer.echoes(b"HERE\n")
        lab.interrupt(peer.connection.id)
        writer = lab.servers["streams"]._readers[peer.connection.id].writer  # type: ignore[attr-defined]
        await soon(writer.transport.is_closing)
        assert peer.connection.state is ConnectionState.OPEN
        assert peer.connection.bytes_out == len(b"HERE\nConnection dropped!\r\n")
        assert await peer.hear_out() == b"Connection dropped!\r\n"


async def test_a_connection_that_is_closed_late_leaves_nothing_to_the_collector() -> None:
    async with a_lab(STREAMS) as lab:
        with no_garbage_collection():
            async with a_peer(lab, "streams") as peer:
                assert await peer.echoes(b"HERE\n")
                reader = weakref.ref(lab.servers["streams"]._readers[peer.connection.id])  # type: ignore[attr-defined]
                lab.faults.inject("slow-close", peer.connection.id, {"ms": 10})
                peer.say_no_more()
                await happens(lab, events.Closed, connection=peer.connection.id)
            await soon(lambda: reader() is None)
