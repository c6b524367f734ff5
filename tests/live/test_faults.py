"""Every fault of the catalogue: its effect, its blast radius, its undo, and bystanders that keep every byte."""

import asyncio
import gc
import resource
import warnings
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from support import PATIENCE, SOCKETS, a_lab, a_peer, connected, happens, told
from support_faults import Case, a_case, caused, is_slower, soon

from echotui.server import events
from echotui.server.faults import room
from echotui.server.faults.catalogue import CATALOGUE, EXCEPTIONS, On
from echotui.server.faults.events import FaultActed, FaultEnded, FaultInjected, FaultStruck, Recovered
from echotui.server.faults.manners import COLLECT_AFTER
from echotui.server.faults.parameters import BadFault
from echotui.server.observe.events import Complained, StallEnded
from echotui.server.records import ConnectionState, ServerState
from echotui.server.servers import SERVERS
from echotui.server.servers.streams import DROPPED

Show = Callable[[Case], Awaitable[None]]

#: How each fault shows what it does.
SHOWN: dict[str, Show] = {}

#: The faults about which asyncio is to complain.
COMPLAINS = {
    "never-retrieved",
    "retained",
    "task-in-cancel",
    "swallow-cancel",
    "forget-await",
    "wrong-thread",
    # Debug mode calls these slow.
    "block",
    "burn",
    "timer-flood",
}


def shows(name: str) -> Callable[[Show], Show]:
    def note(show: Show) -> Show:
        SHOWN[name] = show
        return show

    return note


#: In upper case and with an end: the streams server answers lines, in upper case.
LINE = b"SAID BY THE VICTIM\r\n"

#: How a connection ends that its peer has torn.
TORN = ("Connection reset by peer (ECONNRESET)", "Broken pipe (EPIPE)", "Connection lost")

#: What a victim says that nobody reads; long, so that there are not too many lines of it.
UNREAD = b"NEVER READ".ljust(1022) + b"\r\n"


# -- handlers ----------------------------------------------------------------------------------------------------


@shows("boom")
async def _boom(case: Case) -> None:
    case.inject("boom")
    assert await case.victim.hear_out() == b""
    failed = await happens(case.lab, events.HandlerFailed, connection=case.victim.connection.id)
    assert (failed.error, failed.cause) == ("Injected: Unexpected network error", "fault 1")
    assert caused(case, events.HandlerFailed) == [failed]


@shows("exception")
async def _exception(case: Case) -> None:
    case.inject("exception", {"type": "ZeroDivisionError"})
    assert await case.victim.hear_out() == b""
    failed = await happens(case.lab, events.HandlerFailed, connection=case.victim.connection.id)
    assert failed.error == "ZeroDivisionError: injected by fault 1 (exception)"
    assert caused(case, events.HandlerFailed) == [failed]


@shows("never-retrieved")
async def _never_retrieved(case: Case) -> None:
    case.inject("never-retrieved")
    complaint = await happens(case.lab, Complained, about="never retrieved")
    assert caused(case, Complained) == [complaint]
    assert case.fault.radius.complaints.count == 1
    assert case.victim.connection.state is ConnectionState.LEFT_OPEN
    case.fault.undo()
    assert case.victim.connection.state is ConnectionState.CLOSED


@shows("retained")
async def _retained(case: Case) -> None:
    case.inject("retained")
    silent = await happens(case.lab, events.FailedSilently)
    assert caused(case, events.FailedSilently) == [silent]
    await soon(lambda: not case.lab.servers[case.server]._tasks.get(case.victim.connection.id))  # type: ignore[attr-defined]
    gc.collect()
    assert told(case.lab, Complained) == []
    case.fault.undo()
    complaint = await happens(case.lab, Complained, about="never retrieved")
    assert caused(case, Complained) == [complaint]
    assert case.victim.connection.state is ConnectionState.CLOSED


@shows("task-in-cancel")
async def _task_in_cancel(case: Case) -> None:
    case.inject("task-in-cancel")
    made = await happens(case.lab, Complained, about="task made while cancelled")
    destroyed = await happens(case.lab, Complained, about="destroyed pending")
    assert destroyed.task == f"fault-1-dropped-by-{case.victim.connection.id}"
    assert caused(case, Complained) == [made, destroyed]
    assert case.fault.radius.cancellations.count >= 1
    assert await case.victim.hear_out() in (b"", DROPPED)


@shows("swallow-cancel")
async def _swallow_cancel(case: Case) -> None:
    case.inject("swallow-cancel")
    await happens(case.lab, FaultStruck, connection=case.victim.connection.id)
    assert await case.victim.echoes(LINE)
    case.lab.interrupt(case.victim.connection.id)
    await soon(lambda: case.fault.strikes == 2)
    assert await case.victim.echoes(LINE)
    assert len(caused(case, Complained)) == case.fault.radius.complaints.count == 2
    case.fault.undo()
    case.lab.interrupt(case.victim.connection.id)
    assert await case.victim.hear_out() in (b"", DROPPED)


@shows("slow-cleanup")
async def _slow_cleanup(case: Case) -> None:
    case.inject("slow-cleanup", {"ms": 60_000})
    await happens(case.lab, FaultStruck, connection=case.victim.connection.id)
    await case.bystanders_echo()
    assert case.victim.connection.state is ConnectionState.OPEN
    case.fault.undo()
    assert await case.victim.hear_out() in (b"", DROPPED)


# -- connections -------------------------------------------------------------------------------------------------


@shows("reset")
async def _reset(case: Case) -> None:
    case.inject("reset")
    with pytest.raises(ConnectionResetError):
        await case.victim.hear_out()
    closed = await happens(case.lab, events.Closed, connection=case.victim.connection.id)
    assert caused(case, events.Closed) == [closed]


@shows("half-close")
async def _half_close(case: Case) -> None:
    case.inject("half-close")
    assert await case.victim.hear_out() == b""
    await case.victim.say(LINE)
    await soon(lambda: case.victim.connection.bytes_in == len(LINE))
    assert case.victim.connection.state is ConnectionState.OPEN
    assert case.victim.connection.bytes_out == 0
    case.victim.say_no_more()
    await happens(case.lab, events.Closed, connection=case.victim.connection.id, reason="closed by peer")


@shows("stop-reading")
async def _stop_reading(case: Case) -> None:
    case.inject("stop-reading")
    said = await _says_as_much_as_it_can(case)
    await case.bystanders_echo()
    # The transport of streams reads on until its reader holds two of the longest lines, and a read more.
    assert case.victim.connection.bytes_in <= (512 if case.server == "streams" else 64) * 1024
    assert case.victim.connection.bytes_out == 0
    assert case.victim.connection.condition == "held"
    case.fault.undo()
    assert await case.victim.hear(said) == UNREAD * (said // len(UNREAD))


async def _says_as_much_as_it_can(case: Case) -> int:
    """Let the victim fill the buffers; return how many bytes that took, whole lines."""
    said = turns_in_vain = 0
    while turns_in_vain < 100:
        try:
            said += case.victim.sock.send(UNREAD * 10)
            turns_in_vain = 0
        except BlockingIOError:
            turns_in_vain += 1
        await asyncio.sleep(0)
    if said % len(UNREAD):
        rest = UNREAD[said % len(UNREAD) :]
        asyncio.get_running_loop().create_task(_finish(case, rest), name="rest").add_done_callback(_ignore)
        said += len(rest)
    return said


async def _finish(case: Case, rest: bytes) -> None:
    await case.victim.say(rest)


def _ignore(task: "asyncio.Task[None]") -> None:
    task.result()


@shows("latency")
async def _latency(case: Case) -> None:
    case.inject("latency", {"ms": 200, "jitter": 50})
    assert await is_slower(case.victim.echoes(LINE), 0.149)
    assert case.victim.connection.id in case.fault.radius.connections
    (acted,) = told(case.lab, FaultActed)
    assert caused(case, FaultActed) == [acted]


@shows("bandwidth")
async def _bandwidth(case: Case) -> None:
    case.inject("bandwidth", {"rate": 10_000})
    assert await is_slower(case.victim.echoes(b"X" * 1_998 + b"\r\n"), 0.199)


@shows("slicer")
async def _slicer(case: Case) -> None:
    case.inject("slicer", {"size": 5, "spread": 2, "pause": 1})
    assert await case.victim.echoes(b"0123456" * 14 + b"\r\n")
    sizes = [event.size for event in told(case.lab, events.Sent) if event.connection == case.victim.connection.id]
    assert sum(sizes) == 100
    assert all(3 <= size <= 7 for size in sizes[:-1])
    assert len(set(sizes)) > 1


@shows("limit-data")
async def _limit_data(case: Case) -> None:
    case.inject("limit-data", {"bytes": 10})
    await case.victim.say(b"01\r\n")
    assert await case.victim.hear(4) == b"01\r\n"
    await case.victim.say(b"456789ABC\r\n")
    assert (await case.victim.hear_out()).removesuffix(DROPPED) == b"456789"
    closed = await happens(case.lab, events.Closed, connection=case.victim.connection.id)
    assert closed.reason == "closed after its limit of data (fault 1)"
    assert caused(case, events.Closed) == [closed]


@shows("corrupt")
async def _corrupt(case: Case) -> None:
    case.inject("corrupt")
    await case.victim.say(LINE)
    heard = await case.victim.hear(len(LINE))
    assert sum(said != back for said, back in zip(LINE, heard, strict=True)) == 1
    assert case.victim.connection.struck_by == case.fault.id
    assert await case.victim.echoes(LINE)


@shows("slow-close")
async def _slow_close(case: Case) -> None:
    case.inject("slow-close", {"ms": 60_000})
    case.victim.say_no_more()
    await soon(lambda: case.victim.connection.state is ConnectionState.ENDED)
    await case.bystanders_echo()
    with pytest.raises(BlockingIOError):
        case.victim.sock.recv(1)
    case.fault.undo()
    assert await case.victim.hear_out() == b""
    closed = await happens(case.lab, events.Closed, connection=case.victim.connection.id)
    assert closed.reason == "closed by peer"


# -- servers -----------------------------------------------------------------------------------------------------


@shows("refuse-accepts")
async def _refuse_accepts(case: Case) -> None:
    case.inject("refuse-accepts")
    assert await case.victim.echoes(LINE)
    if SERVERS[case.server].one_at_a_time:
        case.victim.say_no_more()
    assert await _is_refused(case)
    await soon(lambda: case.fault.strikes == 1)


async def _is_refused(case: Case) -> bool:
    try:
        with await connected(case.lab, case.server) as sock:
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1), PATIENCE) == b"never"
    except ConnectionResetError:
        return True


@shows("accept-delay")
async def _accept_delay(case: Case) -> None:
    case.inject("accept-delay", {"ms": 200})
    began = asyncio.get_running_loop().time()
    async with a_peer(case.lab, case.server) as late:
        assert asyncio.get_running_loop().time() - began >= 0.199
        assert await late.echoes(LINE)
    case.fault.undo()
    case.inject("accept-delay", {"ms": 60_000})
    opened = case.lab.connections.opened
    with await connected(case.lab, case.server):
        await soon(lambda: case.fault.strikes == 1)
        assert await case.victim.echoes(LINE)
        case.fault.undo()
        await soon(lambda: case.lab.connections.opened > opened)
    assert await case.victim.echoes(LINE)


@shows("down")
async def _down(case: Case) -> None:
    port = case.lab.servers[case.server].record.port
    case.inject("down")
    assert await case.victim.hear_out() in (b"", DROPPED)
    await happens(case.lab, events.ServerStopped, server=case.server)
    with pytest.raises(ConnectionRefusedError):
        await connected(case.lab, case.server)
    assert case.lab.servers[case.server].record.why == "down: fault 1"
    assert case.victim.connection.id in case.fault.radius.connections
    case.bystanders = [peer for peer in case.bystanders if peer.connection.server != case.server]
    await case.bystanders_echo()
    case.fault.undo()
    await soon(lambda: case.lab.servers[case.server].record.state is ServerState.SERVING)
    assert case.lab.servers[case.server].record.port == port


@shows("no-descriptors")
async def _no_descriptors(case: Case) -> None:
    opened = case.lab.connections.opened
    with await connected(case.lab, case.server) as before:
        await soon(lambda: case.lab.connections.opened == opened + 1)
        before_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        case.inject("no-descriptors", {"spare": 1})
        with await connected(case.lab, case.server) as waiting:
            refused = await happens(case.lab, events.AcceptFailed, server=case.server)
            assert caused(case, events.AcceptFailed) == [refused]
            await case.bystanders_echo()
            assert await case.victim.echoes(LINE)
            case.fault.undo()
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == before_limit
            await asyncio.get_running_loop().sock_sendall(waiting, LINE)
            heard = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(waiting, 100), PATIENCE)
            assert heard == LINE
        before.close()


# -- the loop ----------------------------------------------------------------------------------------------------


@shows("block")
async def _block(case: Case) -> None:
    loop = asyncio.get_running_loop()
    case.inject("block", {"ms": 200})
    due = loop.time() + 0.05
    late: asyncio.Future[float] = loop.create_future()
    loop.call_at(due, lambda: late.set_result(loop.time() - due))
    assert await late >= 0.14
    struck = await happens(case.lab, FaultStruck)
    assert struck.sentence.startswith("block: the loop was blocked: for 2")
    if hasattr(loop, "_scheduled"):
        assert case.fault.radius.timers.count >= 1
    ended = await happens(case.lab, StallEnded)
    if ended.place is not None:  # the watchdog has looked in time
        assert ended in caused(case, StallEnded)


@shows("burn")
async def _burn(case: Case) -> None:
    loop = asyncio.get_running_loop()
    case.inject("burn", {"slice": 30, "pause": 8})
    await happens(case.lab, FaultStruck)
    began = loop.time()
    await soon(lambda: case.fault.strikes >= 4)
    assert loop.time() - began >= 0.06
    case.fault.undo()
    strikes = case.fault.strikes
    await case.bystanders_echo(20)
    assert case.fault.strikes == strikes


@shows("forget-await")
async def _forget_await(case: Case) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        case.inject("forget-await")
        await happens(case.lab, FaultStruck)
    (warning,) = warned
    assert str(warning.message).startswith("coroutine 'forgotten_by_fault_1' was never awaited")
    complaint = await happens(case.lab, Complained, about="never awaited")
    assert caused(case, Complained) == [complaint]


@shows("wrong-thread")
async def _wrong_thread(case: Case) -> None:
    debug = asyncio.get_running_loop().get_debug()
    case.inject("wrong-thread")
    struck = await happens(case.lab, FaultStruck)
    assert struck.what == "call_soon from another thread"
    assert struck.measured
    assert asyncio.get_running_loop().get_debug() is debug
    assert len(caused(case, Complained)) <= 1  # it is told once a line of code, by whichever test comes first


@shows("timer-flood")
async def _timer_flood(case: Case) -> None:
    case.inject("timer-flood", {"timers": 5_000, "ms": 20})
    await soon(lambda: case.fault.strikes == 2)
    assert case.fault.radius.timers.count == 5_000
    await happens(case.lab, FaultEnded)
    case.inject("timer-flood", {"timers": 5_000, "ms": 60_000})
    await case.bystanders_echo()
    case.fault.undo()
    assert case.fault.strikes == 1


@shows("task-leak")
async def _task_leak(case: Case) -> None:
    before = len(asyncio.all_tasks())
    case.inject("task-leak", {"tasks": 50})
    assert len(asyncio.all_tasks()) == before + 50
    assert case.fault.radius.tasks.count == 50
    await case.bystanders_echo()
    case.fault.undo()
    await soon(lambda: not any("leaked" in task.get_name() for task in asyncio.all_tasks()))


# -- of each -----------------------------------------------------------------------------------------------------


def test_every_fault_of_the_catalogue_is_shown() -> None:
    assert set(SHOWN) == set(CATALOGUE)


#: The servers on the loop, where faults can hold answers back.
LINKED = [name for name, server in SERVERS.items() if "latency" not in server.cannot]


def possible() -> list[tuple[str, str]]:
    return [
        (name, server)
        for name, kind in CATALOGUE.items()
        for server in (SERVERS if kind.targets != (On.LOOP,) else ["sockets"])
        if (not kind.needs_tasks or SERVERS[server].has_tasks) and name not in SERVERS[server].cannot
    ]


@pytest.mark.parametrize(("name", "server"), possible())
async def test_a_fault_shows_its_effect_and_undo_and_bystanders_keep_every_byte(name: str, server: str) -> None:
    async with a_case(server, may_complain=name in COMPLAINS) as case:
        await case.bystanders_echo(1)
        await SHOWN[name](case)
        if name != "down":
            await case.bystanders_echo()
        case.fault.undo()
        await case.is_restored()
        assert case.fault.radius.size != "nothing" or CATALOGUE[name].targets == (On.LOOP,)


@pytest.mark.parametrize(("name", "server"), possible())
async def test_at_toxicity_0_a_fault_does_nothing_at_all(name: str, server: str) -> None:
    async with a_case(server) as case:
        case.inject(name, toxicity=0.0)
        if not SERVERS[server].one_at_a_time:
            async with a_peer(case.lab, server) as newcomer:
                assert newcomer.connection.link is None
                assert await newcomer.echoes(LINE)
        assert await case.victim.echoes(LINE * 100)
        await case.bystanders_echo(1)
        assert case.victim.connection.link is None
        assert case.victim.connection.manners is None
        assert case.lab.servers[server].gate is None
        case.fault.undo()
        await case.is_restored()
        assert case.fault.strikes == 0
        assert case.fault.radius.size == "nothing"
        allowed = {FaultInjected, FaultEnded}
        assert {type(entry.event) for entry in case.lab.journal.since(0) if entry.fault == 1} - allowed <= {Recovered}


@pytest.mark.parametrize("type_", list(EXCEPTIONS))
@pytest.mark.parametrize("server", list(SERVERS))
async def test_whatever_a_handler_raises_ends_its_own_connection_only(type_: str, server: str) -> None:
    async with a_case(server) as case:
        case.inject("exception", {"type": type_})
        assert await case.victim.hear_out() == b""
        closed = await happens(case.lab, events.Closed, connection=case.victim.connection.id)
        assert closed.reason != "idle too long"
        assert caused(case, events.Closed) == [closed]
        await case.is_restored()


# -- into a whole server -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", LINKED)
async def test_a_fault_of_a_server_bears_on_whoever_comes_while_it_is_active_and_on_nobody_later(server: str) -> None:
    async with a_case(server) as case:
        fault = case.lab.faults.inject("latency", server, {"ms": 80})
        async with a_peer(case.lab, server) as newcomer:
            assert await is_slower(newcomer.echoes(LINE), 0.079)
            assert await is_slower(case.victim.echoes(LINE), 0.079)
            fault.undo()
            assert newcomer.connection.link is None
        async with a_peer(case.lab, server) as later:
            assert later.connection.link is None


@pytest.mark.parametrize("name", ["boom", "reset"])
@pytest.mark.parametrize("server", LINKED)
async def test_with_a_duration_a_blow_strikes_newcomers_too(name: str, server: str) -> None:
    async with a_case(server) as case:
        fault = case.lab.faults.inject(name, server, duration=60)
        try:
            with await connected(case.lab, server) as sock:
                assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1), PATIENCE) == b""
        except ConnectionResetError:
            assert name == "reset"
        fault.undo()
        async with a_peer(case.lab, server) as later:
            assert await later.echoes(LINE)


async def test_a_fault_with_a_duration_ends_by_itself() -> None:
    async with a_case("sockets") as case:
        fault = case.inject("latency", {"ms": 1}, duration=0.05)
        ended = await happens(case.lab, FaultEnded)
        assert ended.why == "its time is over"
        assert not fault.active
        assert case.victim.connection.link is None


async def test_a_fault_of_a_connection_ends_with_it() -> None:
    async with a_case("selectors") as case:
        case.inject("latency", {"ms": 1})
        case.victim.say_no_more()
        ended = await happens(case.lab, FaultEnded)
        assert ended.why == "its connection is closed"


@pytest.mark.parametrize("server", LINKED)
async def test_several_faults_at_once_work_together_and_end_one_by_one(server: str) -> None:
    async with a_case(server) as case:
        connection = case.victim.connection.id
        slicer = case.lab.faults.inject("slicer", connection, {"size": 3})
        latency = case.lab.faults.inject("latency", connection, {"ms": 80})
        corrupt = case.lab.faults.inject("corrupt", connection, {"answers": 0})
        await case.victim.say(b"XXXX\r\n")
        assert len(await case.victim.hear(6)) == 6
        corrupt.undo()
        assert await is_slower(case.victim.echoes(b"YYYY\r\n"), 0.159)  # two segments, each late
        latency.undo()
        assert await case.victim.echoes(b"Z" * 298 + b"\r\n")
        slicer.undo()
        assert case.victim.connection.link is None


@pytest.mark.parametrize("fault", [("slicer", {"size": 4, "spread": 0}), ("bandwidth", {"rate": 100_000})])
@pytest.mark.parametrize("server", LINKED)
async def test_a_peer_that_tears_its_connection_before_a_fault_has_sent_its_answer_is_no_boom(
    server: str, fault: tuple[str, dict[str, object]]
) -> None:
    async with a_case(server) as case:
        case.inject(*fault)
        await case.victim.say(b"X" * 9_998 + b"\r\n")
        await case.victim.hear(400)
        case.victim.reset()
        closed = await happens(case.lab, events.Closed, connection=case.victim.connection.id)
        assert closed.reason in TORN
        assert not told(case.lab, Complained)
        assert not told(case.lab, events.HandlerFailed)


@pytest.mark.parametrize("server", LINKED)
async def test_what_was_sent_of_an_answer_is_counted_although_a_boom_ends_it(server: str) -> None:
    async with a_case(server) as case:
        connection = case.victim.connection
        case.inject("bandwidth", {"rate": 10_000})
        await case.victim.say(b"X" * 1_998 + b"\r\n")
        heard = await case.victim.hear(500)
        case.lab.boom(connection.id)
        with suppress(ConnectionError):
            heard += await case.victim.hear_out()
        await happens(case.lab, events.Closed, connection=connection.id)
        assert connection.bytes_out == len(heard)


async def test_a_connection_that_is_closed_late_may_be_ready_once_more_and_its_server_goes_on() -> None:
    async with a_case("selectors") as case:
        case.inject("slow-close", {"ms": 60_000})
        case.lab.interrupt(case.victim.connection.id)
        case.lab.boom(case.victim.connection.id)  # both in one turn: the second finds it ended
        await soon(lambda: case.victim.connection.state is ConnectionState.ENDED)
        await case.bystanders_echo()
        case.fault.undo()
        assert (await happens(case.lab, events.Closed, connection=case.victim.connection.id)).reason


CLOSING_LATE = [name for name in LINKED if "slow-close" not in SERVERS[name].cannot]


@pytest.mark.parametrize("server", CLOSING_LATE)
async def test_a_boom_is_told_at_once_although_a_fault_closes_its_connection_late(server: str) -> None:
    async with a_case(server) as case:
        case.inject("slow-close", {"ms": 60_000})
        await case.victim.say(b"boom\r\n")
        await happens(case.lab, events.HandlerFailed, connection=case.victim.connection.id)
        await soon(lambda: case.victim.connection.state is ConnectionState.ENDED)
        with pytest.raises(BlockingIOError):
            case.victim.sock.recv(1)
        case.fault.undo()
        assert await case.victim.hear_out() == b""
        closed = await happens(case.lab, events.Closed, connection=case.victim.connection.id)
        assert closed.reason == "handled, socket closed"


@pytest.mark.parametrize("server", CLOSING_LATE)
async def test_a_server_that_is_stopped_closes_what_a_fault_would_close_late(server: str) -> None:
    async with a_case(server) as case:
        case.inject("slow-close", {"ms": 60_000})
        case.victim.say_no_more()
        await soon(lambda: case.victim.connection.state is ConnectionState.ENDED)
        await case.lab.stop_server(server)
        assert case.victim.connection.state is ConnectionState.CLOSED
        assert case.victim.connection.outcome == f"{server} was stopped"


async def test_one_collection_is_enough_for_all_tasks_that_were_dropped_together() -> None:
    collected = []

    def count(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            collected.append(phase)

    async with a_lab(SOCKETS, may_complain=True) as lab, AsyncExitStack() as peers:
        for _ in range(20):
            peer = await peers.enter_async_context(a_peer(lab, "sockets"))
            assert await peer.echoes()  # its handler has begun
        gc.callbacks.append(count)
        try:
            fault = lab.faults.inject("task-in-cancel", "sockets", {"cancel": True})
            await soon(lambda: sum(one.about == "destroyed pending" for one in told(lab, Complained)) == 20)
            await asyncio.sleep(2 * COLLECT_AFTER)  # timers fire in their order: any other collection was due before
        finally:
            gc.callbacks.remove(count)
        fault.undo()
        assert len(collected) < 5


@pytest.mark.parametrize("server", LINKED)
async def test_undoing_sends_at_once_what_was_held_back(server: str) -> None:
    async with a_case(server) as case:
        case.inject("latency", {"ms": 60_000})
        await case.victim.say(LINE * 1000)
        await soon(lambda: case.victim.connection.condition == "held")
        assert case.fault.id == case.victim.connection.link.holding
        case.fault.undo()
        heard = await case.victim.hear(len(LINE) * 1000)
        assert heard == LINE * 1000


@pytest.mark.parametrize("server", LINKED)
async def test_the_same_seed_makes_the_same_decisions(server: str) -> None:
    async def decisions(seed: int) -> list[str]:
        async with a_case(server) as case:
            case.inject("slicer", {"size": 20, "spread": 19}, seed=seed)
            case.lab.faults.inject("corrupt", case.victim.connection.id, {"answers": 0}, seed=seed)
            await case.victim.say(b"X" * 198 + b"\r\n")
            await case.victim.hear(200)
            acted: list[Any] = [*told(case.lab, FaultActed), *told(case.lab, FaultStruck)]
            return [event.what for event in acted]

    assert await decisions(1) == await decisions(1)
    assert await decisions(1) != await decisions(2)


async def test_a_built_in_client_notices_a_corrupt_byte_and_the_fault_is_named_as_the_cause() -> None:
    async with a_case("sockets") as case:
        case.fault = case.lab.faults.inject("corrupt", "sockets")
        case.lab.chat("sockets")
        ended = await happens(case.lab, events.ClientEnded)
        assert "came back" in ended.reason
        assert caused(case, events.ClientEnded) == [ended]
        assert case.fault.radius.clients.count == 1


# -- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("lateness", 1, {}), "there is no fault 'lateness': choose from boom, "),
        (("latency", 1, {"sm": 3}), "latency has no parameter 'sm': it has ms, jitter"),
        (("boom", 1, {"ms": 3}), "boom has no parameter 'ms': it has none"),
        (("latency", 1, {"ms": "long"}), "ms = 'long' is not possible: 0 to 60000 ms"),
        (("latency", 1, {"ms": -1}), "ms = -1 is not possible: 0 to 60000 ms"),
        (("latency", 1, {"ms": float("nan")}), "ms = nan is not possible: 0 to 60000 ms"),
        (("corrupt", 1, {"answers": 1.5}), "answers = 1.5 is not possible: a whole number, 0 to "),
        (("slow-cleanup", 1, {"cancel": "perhaps"}), "cancel = 'perhaps' is not possible: yes or no"),
        (("exception", 1, {"type": "SystemExit"}), "type = 'SystemExit' is not possible: one of RuntimeError, "),
        (("latency", None, {}), "latency cannot be injected into the loop: it needs a connection or a server"),
        (("down", 1, {}), "down cannot be injected into connection 1 of sockets: it needs a server"),
        (
            ("block", None, {"ms": 200, "every": 3}),
            "every = 3 is not possible with ms = 200: at least 50 ms, or no key would find the time to end it",
        ),
        (("burn", None, {"slice": 30, "pause": 7}), "pause = 7 is not possible with slice = 30: at least 7.5 ms, "),
        (("burn", None, {"pause": 0}), "pause = 0 is not possible: 1 to 1000 ms"),
        (("block", "sockets", {}), "block cannot be injected into sockets: it needs the loop"),
        (("latency", "webserver", {}), "there is no server 'webserver' here: choose from "),
        (("latency", 99, {}), "connection 99 is not open"),
        (("retained", 2, {}), "retained needs a task for each connection, and selectors has none: choose "),
        (("retained", "streams", {}), "streams cannot have retained: its tasks always handle what is raised: use "),
    ],
)
async def test_what_cannot_be_injected_is_refused_with_a_line_that_says_what_can(
    arguments: tuple[str, int | str | None, dict[str, object]], why: str
) -> None:
    async with a_case("sockets") as case:
        before = case.lab.journal.recorded
        with pytest.raises(BadFault) as refused:
            case.lab.faults.inject(*arguments)
        assert str(refused.value).startswith(why)
        assert case.lab.faults.active == {}
        assert case.lab.journal.recorded == before


async def test_undoing_twice_and_undoing_what_is_over_does_nothing() -> None:
    async with a_case("sockets") as case:
        fault = case.inject("latency")
        fault.undo()
        fault.undo()
        assert len(told(case.lab, FaultEnded)) == 1


async def test_stopping_the_servers_ends_every_fault_and_starting_them_brings_none_back() -> None:
    async with a_case("sockets") as case:
        case.lab.faults.inject("down", "selectors")
        case.lab.faults.inject("latency", "sockets")
        case.lab.faults.inject("refuse-accepts", "sockets")
        await case.lab.stop(drain=0)
        assert case.lab.faults.active == {}
        assert {record.state for record in case.lab.records} == {ServerState.STOPPED}
        await case.lab.restart()
        for server in LINKED:
            async with a_peer(case.lab, server) as peer:
                assert peer.connection.link is None
                assert await peer.echoes(LINE)


async def test_a_server_that_does_not_serve_cannot_go_down_and_nothing_is_undone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_lab() as lab:
        lab.observation.stalls.limit = PATIENCE  # to look for all garbage takes a busy machine longer than usual
        await lab.stop_server("sockets")
        with pytest.raises(BadFault, match="sockets is stopped: it cannot go down"):
            lab.faults.inject("down", "sockets")
        (ended,) = lab.faults.ended
        assert not lab.faults.active
        assert ended.kind.name == "down"
        await lab.start_server("sockets")
        async with a_peer(lab, "sockets") as peer:
            assert await peer.echoes()
    gc.collect()
    assert caplog.text == ""


async def test_whether_a_server_goes_down_is_by_chance_and_with_the_same_seed_the_same() -> None:
    fell = []
    async with a_lab(SOCKETS) as lab:
        record = lab.servers["sockets"].record
        for seed in (*range(8), *range(8)):
            fault = lab.faults.inject("down", "sockets", toxicity=0.5, seed=seed)
            fell.append(record.state is not ServerState.SERVING)
            fault.undo()
            await lab.faults.settle()
            assert record.state is ServerState.SERVING
    assert {*fell} == {True, False}
    assert fell[:8] == fell[8:]


async def test_what_is_kept_of_faults_and_of_whom_they_have_struck_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ENDED_KEPT", 3)
    monkeypatch.setattr(room, "PEERS_KEPT", 2)
    async with a_lab(SOCKETS) as lab:
        for _ in range(5):
            async with a_peer(lab, "sockets") as peer:
                fault = lab.faults.inject("reset", peer.connection.id)
                await happens(lab, events.Closed, connection=peer.connection.id)
                await soon(lambda fault=fault: not fault.active)  # type: ignore[misc]
                assert (peer.connection.server, peer.name) in lab.faults._struck_peers
        assert [*lab.faults._effects] == [3, 4, 5]
        assert len(lab.faults._struck_peers) == 2
        assert lab.faults.get(2) is None
