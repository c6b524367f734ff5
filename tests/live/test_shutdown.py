"""A shutdown as data: who did what when, from the signal to the closed loop, and always in time."""

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
from support import PATIENCE, SOCKETS, a_lab, a_peer, happens, told
from support_faults import soon
from support_serve import Serving, eventually, hear, serving

from echotui.server import events, waterfall
from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.loops import LoopKind
from echotui.server.observe.events import CancellationAsked
from echotui.server.records import ServerState, Treatment
from echotui.server.servers.base import GIVE_UP_TIME
from echotui.server.settings import Settings
from echotui.server.shutdown import GRACE
from echotui.server.waterfall import SHUTDOWNS_KEPT, ShutdownStep, What

DRAIN = 1.0

#: What starting a stop, and ending the process, may take besides, in seconds, on a busy machine.
SLACK = 2.0

SWALLOW = """
[[step]]
after = {{ accepts = {number}, server = "sockets" }}
fault = "swallow-cancel"
into = {{ connection = {number}, server = "sockets" }}
with = {{ cancel = false }}
"""


def peer_of(sock: socket.socket) -> str:
    return "{}:{}".format(*sock.getsockname())


def steps_of(served: Serving, what: str) -> list[dict[str, Any]]:
    return [line for line in served.lines if line["kind"] == "shutdown_step" and line["what"] == what]


def test_the_waterfall_names_every_connection_with_what_happened_and_when_and_the_exit_is_in_time(
    loop_kind: LoopKind, tmp_path: Path
) -> None:
    script = tmp_path / "swallow.toml"
    script.write_text(
        SWALLOW.format(number=29) + SWALLOW.format(number=30) + "[[expect]]\nothers_keep_echoing = true\n"
    )
    options = ("--servers", "sockets,selectors", "--drain", str(DRAIN), "--faults", str(script), "--loop", loop_kind)
    with serving(*options) as served, ExitStack() as stack:

        def peers(count: int) -> list[socket.socket]:
            return [stack.enter_context(served.connect("sockets")) for _ in range(count)]

        talking, idle, never_reading, swallowing = peers(20), peers(5), peers(3), peers(2)
        served.tells("fault_injected", count=2)
        for sock in never_reading:
            sock.setblocking(False)
            assert eventually(lambda sock=sock: _is_full(sock))
        talkers, stopping = [peer_of(sock) for sock in talking], threading.Event()
        threads = [threading.Thread(target=_talk, args=(sock, stopping)) for sock in talking]
        for thread in threads:
            thread.start()

        served.send(signal.SIGTERM)
        sent_at = monotonic()
        served.tells("stopping")
        stopping.set()
        for thread in threads:
            thread.join()
        assert served.ends() == 143
        assert monotonic() - sent_at < DRAIN + GRACE + GIVE_UP_TIME + SLACK

        by_peer = {step["name"].split()[1]: step for step in steps_of(served, "connection")}
        assert len(by_peer) == 30
        for peer in talkers:
            step = by_peer[peer]
            assert step["outcome"] == "finished: closed by peer"
            assert step["ended"] < DRAIN
        for sock in idle:
            step = by_peer[peer_of(sock)]
            assert step["outcome"] == "cancelled, and ended"
            assert step["doing"].startswith("it was waiting for its peer to say something; echo-")
            assert DRAIN <= step["ended"] < DRAIN + GRACE
        for sock in never_reading:
            step = by_peer[peer_of(sock)]
            assert step["outcome"] == "cancelled, and ended"
            assert step["doing"].startswith("it has not read ")
            assert "sockets.py:" in step["doing"]  # the line it hangs at
        for number, sock in enumerate(swallowing, 1):
            step = by_peer[peer_of(sock)]
            assert step["outcome"] == "given up: it did not end when it was asked to"
            assert DRAIN + GRACE <= step["ended"] < DRAIN + GRACE + GIVE_UP_TIME + SLACK
            assert [line["fault"] for line in served.lines if line["kind"] == "fault_struck"].count(number) >= 1
        order = [line["what"] for line in served.lines if line["kind"] == "shutdown_step"]
        assert list(dict.fromkeys(order)) == ["handler", "listener", "connection", "server", "executor", "loop"]
        assert len(steps_of(served, "listener")) == len(steps_of(served, "server")) == 2
        ended = [line["ended"] for line in served.lines if line["kind"] == "shutdown_step"]
        assert ended == sorted(ended)


def _is_full(sock: socket.socket) -> bool:
    try:
        sock.send(b"never read\r\n" * 10_000)
    except BlockingIOError:
        return True
    return False


def _talk(sock: socket.socket, stopping: threading.Event) -> None:
    while not stopping.is_set():
        sock.sendall(b"talking\r\n")
        assert hear(sock, 9) == b"talking\r\n"
    sock.close()


def _left_to_hear(sock: socket.socket) -> int:
    """Return how many bytes have arrived before the connection was reset."""
    heard = 0
    try:
        while data := sock.recv(2**16):
            heard += len(data)
    except ConnectionResetError:
        pass
    return heard


@pytest.mark.parametrize("server", ["selectors", "sockets", "protocol"])
def test_a_second_signal_cuts_it_short_and_says_what_is_lost(loop_kind: LoopKind, server: str) -> None:
    with serving("--drain", "60", "--loop", loop_kind, "--servers", server) as served:
        with served.connect(server), served.connect(server) as stuck:
            stuck.setblocking(False)
            assert eventually(lambda: _is_full(stuck))
            served.send(signal.SIGINT)
            served.tells("stopping")
            served.send(signal.SIGTERM)
            sent_at = monotonic()
            assert served.ends() in (130, 143)
            assert monotonic() - sent_at < GRACE + GIVE_UP_TIME + SLACK
            cut = served.tells("cut_short")
            assert (cut["by"], cut["open"], cut["drain"]) == ("SIGTERM from outside", 2, 60.0)
            closed = served.tells("closed", peer=peer_of(stuck))
            greeting = len(b"still here?\r\n")  # `connect` has said and heard it
            assert cut["owed"] == closed["bytes_in"] - greeting - _left_to_hear(stuck)


def test_the_gap_is_told_when_a_stopped_process_goes_on(loop_kind: LoopKind) -> None:
    with serving("--loop", loop_kind) as served:
        with served.connect() as sock:
            process = psutil.Process(served.process.pid)
            served.send(signal.SIGSTOP)
            assert eventually(lambda: process.status() == psutil.STATUS_STOPPED)
            stopped_at = monotonic()
            assert not eventually(lambda: monotonic() - stopped_at > 1.0, within=0.7)
            gap = monotonic() - stopped_at
            served.send(signal.SIGCONT)
            resumed = served.tells("resumed")
            assert gap <= resumed["gap"] < gap + SLACK
            sock.sendall(b"still here?\r\n")
            assert hear(sock, 13) == b"still here?\r\n"


def test_a_stopped_process_is_neither_stalled_nor_late(loop_kind: LoopKind) -> None:
    program = Path(__file__).with_name("a_program_that_is_stopped.py")
    gap = 1.5
    ran = subprocess.run(
        [sys.executable, str(program), loop_kind, str(gap)], capture_output=True, check=True, timeout=PATIENCE
    )
    told = json.loads(ran.stdout)
    assert told["gap"] > gap * 0.9
    # On a busy machine there may be other stalls, but none as long as that.
    for longest in (told["stalls"], told["lags"], told["turns"], told["steps"]):
        assert max(longest, default=0.0) < gap / 2, told


async def test_shutdowns_are_kept_to_be_compared_and_the_keyboards_own_signal_is_timed() -> None:
    async with Lab(Settings(port=0, drain=0.0), Journal(), signals=True) as lab:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            async with a_peer(lab, "sockets"):
                lab.send_signal(number)
                await soon(lambda: all(record.state is ServerState.STOPPED for record in lab.records))
                await soon(lambda: lab.draining_until is None)
            await lab.restart()
        assert [shutdown.cause for shutdown in lab.shutdowns] == [
            f"{name} from this keyboard" for name in ("SIGINT", "SIGTERM", "SIGHUP")
        ]
        for shutdown in lab.shutdowns:
            first, second = shutdown.steps[:2]
            assert (first.what, second.what) == (What.SIGNAL, What.HANDLER)
            assert first.began == 0.0
            assert first.ended is not None
            assert first.ended == pytest.approx(second.began)
            assert shutdown.open_then == 1
            assert shutdown.took is not None
            assert all(step.ended is not None for step in shutdown.steps)


async def test_a_connection_that_was_left_open_counts_and_is_told_to_have_ended_at_once() -> None:
    async with (
        a_lab(SOCKETS, may_complain=True) as lab,
        a_peer(lab, "sockets") as left,
        a_peer(lab, "sockets") as other,
    ):
        lab.treat(Treatment.RETAINED)
        await left.say(b"boom\n")
        await happens(lab, events.FailedSilently, connection=left.connection.id)
        stop = asyncio.get_running_loop().create_task(lab.stop(drain=PATIENCE), name="stop")
        assert (await happens(lab, events.Stopping)).open == 2
        assert await left.hear_out() == b""
        other.say_no_more()
        await stop
        (shutdown,) = lab.shutdowns
        assert shutdown.open_then == 2
        outcomes = {step.connection: step.outcome for step in shutdown.steps if step.what is What.CONNECTION}
        assert outcomes == {
            left.connection.id: "ended at once: its handler had failed",
            other.connection.id: "finished: closed by peer",
        }
        (clean_up,) = told(lab, events.CleaningUp)
        assert (clean_up.finished, clean_up.ended) == (1, 0)


async def test_a_stop_tells_of_no_cancellation_but_of_handlers_and_listeners() -> None:
    async with a_lab() as lab:
        async with a_peer(lab, "sockets"), a_peer(lab, "selectors"):
            for name in lab.servers:
                await lab.stop_server(name)
        for name in lab.servers:
            await lab.start_server(name)
        async with a_peer(lab, "sockets"), a_peer(lab, "selectors"):
            await lab.stop(drain=0.01)
        asked = {event.task for event in told(lab, CancellationAsked)}
        assert {name for name in asked if not name.startswith("echo-")} == {
            f"{name}-listener" for name in ("sockets", "streams", "protocol")
        }


async def test_a_hundred_stops_and_starts_leave_nothing_over() -> None:
    async with a_lab() as lab:
        process = psutil.Process()

        async def cycle() -> None:
            for server in ("selectors", "sockets"):
                async with a_peer(lab, server) as peer:
                    assert await peer.echoes(b"again\r\n")
            async with a_peer(lab, "sockets"):
                await lab.stop(drain=0)
            await lab.restart()

        await cycle()
        gc.collect()
        tasks, threads, fds = len(asyncio.all_tasks()), threading.active_count(), process.num_fds()
        for _ in range(100):
            await cycle()
        gc.collect()
        assert len(asyncio.all_tasks()) == tasks
        assert threading.active_count() == threads
        assert process.num_fds() == fds
        scheduled = getattr(asyncio.get_running_loop(), "_scheduled", [])
        assert sum(not timer.cancelled() for timer in scheduled) < 30
        assert len(lab.shutdowns) == SHUTDOWNS_KEPT
        assert lab.shutdowns[-1].id == 101
        assert len(told(lab, events.Stopped)) == 101


async def test_what_is_kept_of_a_shutdown_is_bounded_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waterfall, "MOST_STEPS", 2)
    async with a_lab() as lab:
        async with a_peer(lab, "sockets"), a_peer(lab, "sockets"), a_peer(lab, "selectors"):
            await lab.stop(drain=0)
        shutdown = lab.shutdowns[-1]
        kept = Counter(step.what for step in shutdown.steps)
        assert kept == {What.CONNECTION: 2, What.LISTENER: 4, What.SERVER: 4}
        assert shutdown.dropped == 1
        assert len(told(lab, ShutdownStep)) == kept.total()


@pytest.mark.parametrize("fault", ["swallow-cancel", "slow-cleanup"])
@pytest.mark.parametrize("server", ["sockets", "streams"])
async def test_a_handler_that_does_not_end_is_given_up_in_time(server: str, fault: str) -> None:
    async with a_lab(may_complain=True) as lab:
        async with a_peer(lab, server) as peer:
            await peer.say(b"HERE\n")
            assert await peer.hear(5) == b"HERE\n"
            lab.faults.inject(
                fault, peer.connection.id, {"cancel": False} | ({"ms": 60_000} if "slow" in fault else {})
            )
            began = monotonic()
            await lab.stop(drain=0)
            assert monotonic() - began < GRACE + GIVE_UP_TIME + SLACK
            assert peer.connection.outcome == "given up: its handler did not end when it was asked to"
            (step,) = (step for step in told(lab, ShutdownStep) if step.what == What.CONNECTION)
            assert step.outcome == "given up: it did not end when it was asked to"
            assert await peer.hear_out() == b""
            assert peer.connection.bytes_out == 5
            assert told(lab, events.HalfClosed) == []  # it was us who shut it up
        await soon(lambda: not any(task.get_name().startswith(("echo-", "streams-")) for task in asyncio.all_tasks()))


@pytest.mark.parametrize("server", ["sockets", "streams"])
async def test_who_is_only_closed_late_ends_as_it_has_ended_when_its_server_is_stopped(server: str) -> None:
    async with a_lab() as lab, a_peer(lab, server) as peer:
        await peer.say(b"HERE\n")
        assert await peer.hear(5) == b"HERE\n"
        lab.faults.inject("slow-close", peer.connection.id, {"ms": 60_000})
        await lab.stop_server(server)
        assert peer.connection.outcome == f"{server} was stopped"


async def test_who_is_held_by_a_fault_is_a_straggler_held_by_that_fault() -> None:
    async with a_lab() as lab:
        async with a_peer(lab, "selectors") as peer:
            lab.faults.inject("latency", peer.connection.id, {"ms": 60_000})
            await peer.say(b"held back\r\n")
            await soon(lambda: peer.connection.held == 11)
            await lab.stop(drain=0)
            straggler = await happens(lab, events.Straggler)
            assert straggler.doing == "fault 1 holds it, with 11 B of its answers"


@pytest.mark.parametrize("server", ["selectors", "sockets", "streams", "protocol"])
async def test_who_has_hung_up_already_has_finished_although_nobody_has_time(server: str) -> None:
    async with a_lab() as lab, a_peer(lab, server) as peer:
        assert await peer.echoes(b"HERE\r\n")
        peer.sock.close()  # and before the server has had a turn:
        await lab.stop(drain=0)
        (cleaning_up,) = told(lab, events.CleaningUp)
        assert (cleaning_up.finished, cleaning_up.ended) == (lab.shutdowns[-1].open_then, 0)
        assert peer.connection.outcome == "closed by peer"


async def test_what_a_shutdown_loses_is_told_once_however_many_signals_come() -> None:
    async with Lab(Settings(port=0, servers=("sockets",), drain=600), signals=True) as lab, a_peer(lab, "sockets"):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        await asyncio.wait_for(lab.ended_by, PATIENCE)
        await soon(lambda: len(told(lab, events.SignalReceived)) == 3)
        await soon(lambda: not lab._stops)
        (cut_short,) = told(lab, events.CutShort)
        assert lab.shutdowns[-1].cut_short == cut_short.sentence
