"""Signals from outside: an answer to all that was said, the right exit status, and in time."""

import signal
import socket
import threading
from time import monotonic

import pytest
from support_serve import echoes, hear, serving

from echotui.server.lab import Lab, Refused
from echotui.server.loops import LoopKind
from echotui.server.settings import Settings

PEERS = 50


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)], ids=str
)
def test_a_signal_ends_it_with_the_status_a_shell_knows(
    loop_kind: LoopKind, number: signal.Signals, status: int
) -> None:
    with serving("--loop", loop_kind) as served:
        served.tells("listening", server="sockets")
        served.send(number)
        assert served.ends() == status
        assert served.tells("signal") == served.tells("signal", signal=number.name, origin="outside")
        kinds = [line["kind"] for line in served.lines]
        assert [kind for kind in kinds if kind in ("signal", "stopping", "clean_up", "stopped", "closed_down")] == [
            *("signal", "stopping", "clean_up", "stopped", "closed_down")
        ]


@pytest.mark.parametrize("server", ["selectors", "sockets"])
def test_whoever_talks_while_it_is_terminated_gets_an_answer_to_all_it_has_said(
    loop_kind: LoopKind, server: str
) -> None:
    with serving("--loop", loop_kind, "--servers", server, "--drain", "10") as served:
        talking, told_to_stop, answered = threading.Barrier(PEERS + 1), threading.Event(), []

        def talk(number: int) -> None:
            with served.connect(server) as sock:
                talking.wait()
                said = 0
                while not told_to_stop.is_set():
                    line = f"{number} says its line {said}\r\n".encode()
                    sock.sendall(line * 100)
                    assert hear(sock, len(line * 100)) == line * 100
                    said += 1
                # Much is under way when it says its last word; then it waits for all of that.
                last = f"the last of {number}\r\n".encode() * 2000
                sock.sendall(last)
                sock.shutdown(socket.SHUT_WR)
                assert hear(sock, len(last) + 1) == last
                answered.append(number)

        threads = [threading.Thread(target=talk, args=(number,)) for number in range(PEERS)]
        for thread in threads:
            thread.start()
        talking.wait()
        served.send(signal.SIGTERM)
        served.tells("stopping", open=PEERS)
        told_to_stop.set()
        for thread in threads:
            thread.join()
        assert served.ends() == 143
        assert sorted(answered) == list(range(PEERS))
        assert served.tells("clean_up", finished=PEERS, ended=0)


@pytest.mark.parametrize("server", ["selectors", "sockets"])
def test_a_peer_that_never_reads_cannot_keep_it_alive(loop_kind: LoopKind, server: str) -> None:
    with serving("--loop", loop_kind, "--servers", server, "--drain", "0.5") as served, served.connect(server) as sock:
        sock.setblocking(False)
        _say_until_nothing_more_is_taken(sock)
        began = monotonic()
        served.send(signal.SIGTERM)
        assert served.ends(within=1.5) == 143
        assert monotonic() - began >= 0.5
        straggler = served.tells("straggler", server=server)
        assert straggler["doing"].startswith("it has not read ")


def test_a_second_signal_ends_it_at_once(loop_kind: LoopKind) -> None:
    with serving("--loop", loop_kind, "--drain", "3600") as served, served.connect() as sock:
        served.send(signal.SIGTERM)
        served.tells("stopping")
        assert echoes(sock)
        served.send(signal.SIGINT)
        assert served.ends() in (143, 130)
        served.tells("straggler")


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT], ids=str)
def test_what_nohup_or_a_shell_in_the_background_has_ignored_from_the_start_stays_ignored(
    loop_kind: LoopKind, ignored: signal.Signals
) -> None:
    with serving("--loop", loop_kind, preexec_fn=lambda: signal.signal(ignored, signal.SIG_IGN)) as served:
        with served.connect() as sock:
            served.send(ignored)
            assert echoes(sock)
            sock.shutdown(socket.SHUT_WR)
        served.send(signal.SIGTERM)
        assert served.ends() == 143
        assert [line["signal"] for line in served.lines if line["kind"] == "signal"] == ["SIGTERM"]


async def test_a_signal_that_is_ignored_is_not_sent_and_who_asked_is_told() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with Lab(Settings(port=0), signals=True) as lab:
            with pytest.raises(Refused, match="SIGHUP is ignored here"):
                lab.send_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def _say_until_nothing_more_is_taken(sock: socket.socket) -> None:
    in_vain, pause = 0, threading.Event()
    while in_vain < 10:
        try:
            sock.send(b"never read\r\n" * 1000)
            in_vain = 0
        except BlockingIOError:
            in_vain += 1
            pause.wait(0.01)
