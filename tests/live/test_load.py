"""``echotui load``: every byte checked, honest latencies, one clear line, and an end to everything."""

import dataclasses
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import PATIENCE, reset
from support_serve import ECHOTUI, echotui, serving

from echotui.server.bench.compare import Case
from echotui.server.bench.histogram import Histogram
from echotui.server.bench.load import Load
from echotui.server.bench.order import Order, Report
from echotui.server.bench.plain import PLAIN
from echotui.server.bench.subject import Subject
from echotui.server.bench.worker import GO, LAST_ANSWERS
from echotui.server.loops import LoopKind
from echotui.server.settings import SERVER_NAMES
from echotui.tui.bench import commands
from echotui.tui.load import where

Serve = Callable[[socket.socket], None]


@contextmanager
def a_server(serve: Serve) -> Iterator[int]:
    """Run a small server, a thread for each connection, until the end of the test; yield its port."""
    threads: list[threading.Thread] = []

    def talk(sock: socket.socket) -> None:
        with sock:
            try:
                serve(sock)
            except OSError:
                return  # the client has had enough

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=talk, args=(sock,))
            thread.start()
            threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(PATIENCE)
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def echo(sock: socket.socket, change: Callable[[bytes, int], bytes] = lambda data, _: data) -> None:
    """Send back what comes; `change` is told how many bytes came before."""
    at = 0
    while data := sock.recv(65536):
        sock.sendall(change(data, at))
        at += len(data)


def load(port: int, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run the command for a short time; return its exit status, what it printed as JSON, and stderr."""
    done = echotui("load", f"127.0.0.1:{port}", "--seconds", "0.3", "--json", *arguments)
    return done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode()


def carry_out(port: int, processes: int = 1, **order: Any) -> Report:
    """Carry out an order without the command line."""
    with Load(Order(address=("127.0.0.1", port), **{"seconds": 0.3, **order}), processes) as traffic:
        traffic.connect()
        return traffic.run()


def refused(*arguments: str) -> str:
    """Return the one line that says why these arguments are refused."""
    done = echotui("load", *arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.isprintable()
    return line


@pytest.mark.parametrize("server", [name for name in SERVER_NAMES if name in PLAIN])
@pytest.mark.parametrize("variant", ["bare", "watched"])
def test_every_message_comes_back_from_plain_and_watched_servers(
    server: str, variant: str, loop_kind: LoopKind
) -> None:
    with Subject(commands(10)[variant](Case(server, loop_kind, 20))) as subject:
        report = carry_out(subject.port, connections=20, upper=server == "streams")
    assert report.errors == {}
    assert report.messages == report.latencies.total > 20


@pytest.mark.parametrize("size", [1, 2, 64, 100_000, 2**20])
@pytest.mark.parametrize("pipelining", [1, 3, 16])
def test_messages_of_every_size_come_back_also_where_they_are_sent_in_parts(size: int, pipelining: int) -> None:
    with a_server(echo) as port:
        report = carry_out(port, connections=3, size=size, pipelining=pipelining)
    assert report.errors == {}
    assert report.messages >= 3 * pipelining


def test_several_processes_share_the_connections_and_add_up() -> None:
    with a_server(echo) as port:
        report = carry_out(port, processes=3, connections=10, rate=500)
    assert report.errors == {}
    assert 130 <= report.messages + report.behind <= 160


def test_what_it_tells_as_json_is_what_there_was() -> None:
    with serving() as served:
        status, told, _ = load(served.port("selectors"), "--connections", "7", "--size", "32")
    assert status == 0
    assert (told["connections"], told["size"], told["errors"], told["wrong"]) == (7, 32, {}, None)
    assert told["messages"] == pytest.approx(told["messages_per_second"] * told["seconds"])
    latency = told["latency"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    assert told["latency_counts_from"] == "sent"


@pytest.mark.parametrize("server", SERVER_NAMES)
def test_a_server_by_its_name_answers_as_it_is_expected_to(server: str, loop_kind: LoopKind) -> None:
    with serving("--loop", loop_kind, "--servers", server) as served:
        base = served.port(server) - SERVER_NAMES.index(server)
        asked = ("--port", str(base), "--seconds", "0.2", "--json")
        told = json.loads(echotui("load", server, *asked).stdout)
    assert (told["errors"], told["wrong"]) == ({}, None)
    assert told["messages"] > 0


def flipped(data: bytes, at: int) -> bytes:
    """Return the data with one bit of the stream's byte 1000 turned."""
    place = 1000 - at
    if not 0 <= place < len(data):
        return data
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def lost(data: bytes, at: int) -> bytes:
    """Return the data without the stream's byte 1000."""
    place = 1000 - at
    return data[:place] + data[place + 1 :] if 0 <= place < len(data) else data


def doubled(data: bytes, at: int) -> bytes:
    """Return the data with the stream's byte 1000 twice."""
    place = 1000 - at
    return data[: place + 1] + data[place:] if 0 <= place < len(data) else data


@pytest.mark.parametrize("change", [flipped, lost, doubled])
def test_a_server_that_corrupts_one_byte_is_noticed(change: Callable[[bytes, int], bytes]) -> None:
    with a_server(lambda sock: echo(sock, change)) as port:
        status, told, _ = load(port, "--connections", "3")
    assert status == 1
    assert told["errors"] == {"wrong bytes": 3}
    assert "came back" in told["wrong"]


def test_a_server_that_gives_one_client_the_others_answer_is_noticed() -> None:
    last: list[bytes] = []

    def mix_up(sock: socket.socket) -> None:
        while data := sock.recv(65536):
            last.append(data)
            sock.sendall(last[-2] if len(last) > 1 and len(last[-2]) == len(data) else data)

    with a_server(mix_up) as port:
        report = carry_out(port, connections=2, rate=200.0)
    assert report.errors["wrong bytes"] >= 1


def test_bytes_that_come_unasked_are_noticed() -> None:
    def babble(sock: socket.socket) -> None:
        sock.sendall(sock.recv(65536) + b"and another thing\n")
        echo(sock)

    with a_server(babble) as port:
        status, told, _ = load(port, "--connections", "1")
    assert status == 1
    assert told["errors"] == {"wrong bytes": 1}


def test_resets_and_closings_are_counted_and_the_others_go_on() -> None:
    endings = iter(["reset", "close", "echo"])

    def end(sock: socket.socket) -> None:
        ending = next(endings)
        sock.sendall(sock.recv(65536))
        if ending == "echo":
            echo(sock)
        elif ending == "reset":
            sock.recv(65536)
            reset(sock)
        else:
            sock.recv(65536)

    with a_server(end) as port:
        status, told, _ = load(port, "--connections", "3")
    assert status == 1
    assert told["errors"] == {"connection reset by peer": 1, "closed by the server": 1}
    assert told["messages"] > 0


def test_where_nobody_listens_it_says_so_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = echotui("load", f"127.0.0.1:{port}", "--seconds", "0.3")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "connection refused" in line


def test_of_several_addresses_it_takes_the_first_at_which_somebody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    one = socket.getaddrinfo

    def resolve(host: str, *asked: Any, **more: Any) -> list[Any]:
        hosts = ["127.0.0.2", "127.0.0.1"] if host == "two" else [host]
        return [found for host in hosts for found in one(host, *asked, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with a_server(echo) as port:
        assert where("two", port, beyond=False) == ("127.0.0.1", port)
    assert where("two", port, beyond=False) == ("127.0.0.2", port)


def test_upper_case_is_an_error_unless_it_is_expected() -> None:
    def shout(sock: socket.socket) -> None:
        echo(sock, lambda data, _: data.upper())

    with a_server(shout) as port:
        assert load(port, "--connections", "2", "--upper")[0] == 0
        status, told, _ = load(port, "--connections", "2")
    assert (status, told["errors"]) == (1, {"wrong bytes": 2})
    assert told["wrong"].endswith(": it answers in upper case, so say --upper")


def test_with_a_rate_latency_counts_from_when_a_message_was_due() -> None:
    """A server that stops for a while makes all messages late that were due meanwhile, not only the one it holds."""
    stop = 0.5

    def doze(sock: socket.socket) -> None:
        told = 0
        while data := sock.recv(65536):
            told += len(data)
            if told == 64 * 20:
                threading.Event().wait(stop)
            sock.sendall(data)

    with a_server(doze) as port:
        report = carry_out(port, connections=1, rate=200.0, seconds=1.5)
    due_meanwhile = round(200 * stop)
    late = sum(count for bucket, count in report.latencies.counts.items() if bucket >= _bucket_of(stop / 10))
    assert report.errors == {}
    assert late >= due_meanwhile * 0.8


def test_who_hangs_up_while_messages_are_due_is_not_waited_for() -> None:
    """What is due to a connection that has just failed is said to nobody."""

    def answer_all_and_reset(sock: socket.socket) -> None:
        sock.sendall(sock.recv(65536))
        threading.Event().wait(0.3)  # messages fall due meanwhile
        sock.sendall(sock.recv(65536))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with a_server(answer_all_and_reset) as port:
        began = time.monotonic()
        report = carry_out(port, connections=20, rate=20_000.0, seconds=1.0, pipelining=8)
    assert sum(report.errors.values()) == 20
    assert not report.interrupted
    assert time.monotonic() - began < LAST_ANSWERS


def _bucket_of(seconds: float) -> int:
    one = Histogram()
    one.record(round(seconds * 1e9))
    (bucket,) = one.counts
    return bucket


def test_messages_that_could_not_even_be_sent_are_told() -> None:
    with a_server(lambda sock: echo(sock, _slowly)) as port:
        report = carry_out(port, connections=1, rate=1000.0)
    assert report.behind > 0
    assert report.messages + report.behind == pytest.approx(300, abs=30)


def test_waiting_in_vain_is_no_part_of_the_time_that_messages_a_second_are_counted_in() -> None:
    def fall_silent(sock: socket.socket) -> None:
        for _ in range(10):
            sock.sendall(sock.recv(64, socket.MSG_WAITALL))
        while sock.recv(65536):
            pass

    with a_server(fall_silent) as port:
        report = carry_out(port, connections=2)
    assert (report.messages, report.errors) == (2 * 9, {"no answer": 2})  # one each was said before the time began
    assert report.seconds < LAST_ANSWERS


def test_a_message_that_comes_back_late_makes_that_time_longer() -> None:
    answer = threading.Event()

    def hesitate(sock: socket.socket) -> None:
        sock.sendall(sock.recv(64, socket.MSG_WAITALL))
        said = sock.recv(64, socket.MSG_WAITALL)
        answer.wait(1.0)
        sock.sendall(said)

    with a_server(hesitate) as port:
        report = carry_out(port, connections=1)
    assert report.messages == 1
    assert report.seconds >= 1.0


def _slowly(data: bytes, _: int) -> bytes:
    threading.Event().wait(0.02)
    return data


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_prints_what_there_was_so_far(number: signal.Signals) -> None:
    flowing = threading.Event()

    def note(data: bytes, at: int) -> bytes:
        if at > 64 * 100:
            flowing.set()
        return data

    with a_server(lambda sock: echo(sock, note)) as port:
        command = [*ECHOTUI, "load", f"127.0.0.1:{port}", "--seconds", "600", "--connections", "4", "--processes", "2"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert flowing.wait(PATIENCE)
        running.send_signal(number)
        printed, complained = running.communicate(timeout=PATIENCE)
    assert complained == b""
    assert running.returncode == 128 + number
    assert re.search(rb"until it was stopped.*\n  messages +[1-9]", printed)


@pytest.mark.parametrize("spins", [False, True])
def test_the_same_connections_carry_out_one_order_after_the_other(*, spins: bool) -> None:
    accepted: list[socket.socket] = []

    def serve(sock: socket.socket) -> None:
        accepted.append(sock)
        echo(sock)

    with a_server(serve) as port:
        order = Order(address=("127.0.0.1", port), connections=3, seconds=0.2, spins=spins)
        with Load(order, 2) as traffic:
            assert traffic.connect() == 3
            flat_out = traffic.run()
            by_the_clock = traffic.run(order=dataclasses.replace(order, rate=300.0))
    assert len(accepted) == 3
    for report in (flat_out, by_the_clock):
        assert report.errors == {}
        assert report.messages == sum(report.latencies.counts.values()) > 0
        assert 0 <= report.client_cpu <= 1
    assert by_the_clock.messages + by_the_clock.behind <= 60 + 2  # the first of each process is due at once


@pytest.mark.parametrize("orders", [0, 1])
def test_a_client_that_is_stopped_as_soon_as_it_begins_still_reports(orders: int) -> None:
    with a_server(echo) as port:
        order = json.dumps(Order(address=("127.0.0.1", port), connections=2, seconds=600.0).as_dict()).encode()
        command = [sys.executable, "-m", "echotui.server.bench.worker", order.decode()]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
            told, complained = worker.communicate((GO + order + b"\n") * orders + b"stop\n", timeout=PATIENCE)
    assert (worker.returncode, complained) == (0, b"")
    ready, *_, last = map(json.loads, told.splitlines())
    assert ready == {"ready": 2}
    assert last["report"]["interrupted"]


def test_the_client_is_never_left_behind() -> None:
    with a_server(echo) as port, Load(Order(address=("127.0.0.1", port), seconds=600.0), 2) as traffic:
        traffic.connect()
        workers = [worker.pid for worker in traffic._workers]
    assert workers
    assert all(worker.poll() is not None for worker in traffic._workers)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--connections", "0"],
        ["--connections", "50001"],
        ["--connections", "many"],
        ["--size", "0"],
        ["--size", "1048577"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--rate", "1e9"],
        ["--seconds", "0"],
        ["--seconds", "3601"],
        ["--pipelining", "-1"],
        ["--processes", "65"],
        ["127.0.0.1"],
        ["127.0.0.1:0"],
        [":8000"],
        ["telnet"],
        ["selectors", "--port", "0"],
        ["--size", "1048576", "--pipelining", "17"],
        ["127.0.0.1:8000", "--host", "127.0.0.2"],
        ["no-such-host.invalid:8000"],
        ["127.0.0.1:8000\x1b[2J"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_in_one_line(arguments: list[str]) -> None:
    assert refused(*arguments).startswith("echotui load: ")


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]"])
def test_another_machine_is_not_loaded_unless_it_is_named_twice(host: str) -> None:
    assert "--host" in refused(f"{host}:8000")
