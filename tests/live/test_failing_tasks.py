"""The three ways to treat a task that fails (A8, A9, A10), and that the others never notice."""

import asyncio
import gc

import psutil
import pytest
from support import SOCKETS, Flavour, a_lab, a_peer, connected, each_selecting, happens, told

from echotui.server import events
from echotui.server.lab import Lab, Refused
from echotui.server.observe.events import Complained
from echotui.server.records import ConnectionState, Treatment

NEVER_RETRIEVED = "Task exception was never retrieved"


async def test_a_handled_failure_is_told_and_its_socket_closed() -> None:
    async with a_lab(SOCKETS) as lab, a_peer(lab, "sockets") as peer, a_peer(lab, "sockets") as other:
        await peer.say(b"boom\r\n")
        assert await peer.hear_out() == b""
        boom = await happens(lab, events.HandlerFailed, connection=peer.connection.id)
        assert boom.outcome == "handled, socket closed"
        assert peer.connection.state is ConnectionState.CLOSED
        assert await other.echoes()


async def test_an_unretrieved_failure_is_complained_about_when_its_task_is_collected() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab:
        lab.treat(Treatment.UNRETRIEVED)
        async with a_peer(lab, "sockets") as peer, a_peer(lab, "sockets") as other:
            await peer.say(b"boom\r\n")
            boom = await happens(lab, events.HandlerFailed, connection=peer.connection.id)
            assert boom.outcome == "unretrieved, socket left open"
            complaint = await happens(lab, Complained, message=NEVER_RETRIEVED)
            assert complaint.task == f"echo-{peer.connection.id}"
            assert complaint.error == "Boom: Unexpected network error"
            assert await other.echoes()


async def test_a_retained_failure_is_silent_until_the_servers_stop() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab:
        lab.treat(Treatment.RETAINED)
        async with a_peer(lab, "sockets") as peer, a_peer(lab, "sockets") as other:
            await peer.say(b"boom\r\n")
            silent = await happens(lab, events.FailedSilently, connection=peer.connection.id)
            assert silent.error == "Boom: Unexpected network error"
            assert await other.echoes()
            gc.collect()
            assert NEVER_RETRIEVED not in [complaint.message for complaint in told(lab, Complained)]
            await lab.stop(drain=0)
            await happens(lab, Complained, message=NEVER_RETRIEVED, task=f"echo-{peer.connection.id}")


@pytest.mark.parametrize("treatment", [Treatment.UNRETRIEVED, Treatment.RETAINED])
async def test_the_socket_of_a_failure_that_is_not_handled_stays_open_until_the_server_stops(
    treatment: Treatment,
) -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab:
        lab.treat(treatment)
        async with a_peer(lab, "sockets") as peer:
            await peer.say(b"hello\r\nboom\r\n")
            await happens(lab, events.HandlerFailed)
            assert await peer.hear(7) == b"hello\r\n"
            await peer.say(b"anybody there?\r\n")  # the system takes it, and nobody answers
            assert peer.connection.state is ConnectionState.LEFT_OPEN
            assert lab.servers["sockets"].record.open == 1
            with pytest.raises(Refused, match="left open"):
                lab.boom(peer.connection.id)
            await lab.stop(drain=0)
            closed = await happens(lab, events.Closed, connection=peer.connection.id)
            assert closed.reason == f"{treatment}, socket left open; closed when the server stopped"


async def test_a_socket_that_was_left_open_can_be_closed_by_the_keyboard() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab:
        lab.treat(Treatment.UNRETRIEVED)
        async with a_peer(lab, "sockets") as peer:
            await peer.say(b"boom\r\n")
            await happens(lab, events.HandlerFailed)
            lab.interrupt(peer.connection.id)
            assert await peer.hear_out() == b""
            await happens(lab, events.Closed, connection=peer.connection.id, reason="closed by the keyboard")
            assert told(lab, events.CancelAsked) == []  # its task has failed long before: there is nothing to cancel


async def test_who_fails_while_the_servers_stop_is_told_apart_from_who_waits() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_peer(lab, "sockets") as peer:
        lab.treat(Treatment.UNRETRIEVED)
        assert await peer.echoes()
        stop = asyncio.get_running_loop().create_task(lab.stop(drain=0.3), name="stop")
        await happens(lab, events.Stopping)
        await peer.say(b"boom\r\n")
        straggler = await happens(lab, events.Straggler)
        assert straggler.doing == "its handler has failed, and nobody closes its socket"
        await stop


async def test_the_treatment_is_switched_in_the_middle_of_a_conversation() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_peer(lab, "sockets") as first:
        async with a_peer(lab, "sockets") as second, a_peer(lab, "sockets") as third:
            for peer, treatment in ((first, Treatment.UNRETRIEVED), (second, Treatment.RETAINED)):
                assert await peer.echoes()
                assert lab.treat() is treatment
                await peer.say(b"boom\r\n")
                boom = await happens(lab, events.HandlerFailed, connection=peer.connection.id)
                assert boom.outcome == f"{treatment}, socket left open"
            assert lab.treat() is Treatment.HANDLED
            await third.say(b"boom\r\n")
            assert await third.hear_out() == b""
    assert [switch.treatment for switch in told(lab, events.TreatmentSwitched)] == [
        *(Treatment.UNRETRIEVED, Treatment.RETAINED, Treatment.HANDLED)
    ]


async def test_switching_to_what_it_is_already_is_not_told() -> None:
    async with a_lab(SOCKETS) as lab:
        lab.treat(Treatment.HANDLED)
        assert told(lab, events.TreatmentSwitched) == []


@each_selecting
async def test_where_no_task_can_fail_the_treatment_cannot_be_switched(flavour: Flavour) -> None:
    async with a_lab(flavour) as lab:
        with pytest.raises(Refused, match="sockets server"):
            lab.treat()


async def test_failures_that_are_left_open_keep_their_descriptor_and_a_restart_frees_it() -> None:
    process = psutil.Process()
    async with a_lab(SOCKETS, may_complain=True) as lab:
        before = process.num_fds()
        for treatment in (Treatment.UNRETRIEVED, Treatment.RETAINED):
            lab.treat(treatment)
            await _boom_and_hang_up(lab)
        assert process.num_fds() == before + 2
        await lab.stop(drain=0)
        await lab.restart()
        assert process.num_fds() == before


async def _boom_and_hang_up(lab: Lab) -> None:
    after = lab.journal.recorded
    with await connected(lab, "sockets") as sock:
        sock.send(b"boom\r\n")
        await happens(lab, events.HandlerFailed, after=after)
