"""``echotui serve``: lines of JSON for programs, one clear line for people, and readers that cannot stop the echo."""

import asyncio
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import psutil
import pytest
from support import SOCKETS, a_lab
from support_serve import ECHOTUI, echoes, echotui, eventually, serving

from echotui.server.faults.director import Director
from echotui.server.faults.script import read
from echotui.server.loops import LoopKind
from echotui.tui import serve

MEBIBYTE = 2**20
SCRIPT = "[[expect]]\nothers_keep_echoing = true\n"


class Pipe:
    """A pipe of which we read no more than we must."""

    def __init__(self) -> None:
        self._unread, self.written = os.pipe()

    def connect(self) -> socket.socket:
        """Read the lines that say where the servers listen, and connect to one."""
        text = b""
        while not (found := re.search(rb'"selectors".*"port": (\d+)}', text)):
            text += os.read(self._unread, 1)
        return socket.create_connection(("127.0.0.1", int(found[1])), 5)

    def read_until(self, end: bytes) -> bytes:
        """Read to this end."""
        text = b""
        while not text.endswith(end):
            text += os.read(self._unread, MEBIBYTE)
        return text

    def close_unread(self) -> None:
        os.close(self._unread)
        self._unread = -1

    def close(self) -> None:
        os.close(self.written)
        if self._unread != -1:
            self.close_unread()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_the_first_lines_say_where_each_server_listens(loop_kind: LoopKind) -> None:
    with serving("--loop", loop_kind) as served:
        served.tells("listening", server="sockets")
        assert [(line["kind"], line["server"], line["host"]) for line in served.lines[:2]] == [
            ("listening", "selectors", "127.0.0.1"),
            ("listening", "sockets", "127.0.0.1"),
        ]
        for server in ("selectors", "sockets"):
            served.connect(server).close()


def test_every_line_has_its_time_and_number_and_what_it_is_about(loop_kind: LoopKind) -> None:
    with serving("--loop", loop_kind, "--events", "all", "--select-timeout", "0.05") as served:
        for server in ("selectors", "sockets"):
            with served.connect(server) as sock:
                peer = "{}:{}".format(*sock.getsockname())
                sock.sendall(b"\x1b]0;owned\x07\xff\xe2\x80\xae\0\r\nboom\r\n")
                assert sock.recv(1)
                boom = served.tells("boom", server=server, peer=peer)
            for kind in ("accepted", "received", "sent", "closed"):
                assert served.tells(kind, server=server)["connection"] == boom["connection"]
                assert served.tells(kind, server=server)["peer"] == peer
        served.tells("select_timeout", server="selectors")
        served.send(signal.SIGTERM)
        assert served.ends() == 143
        assert [line["seq"] for line in served.lines] == list(range(1, len(served.lines) + 1))
        for line in served.lines:
            assert abs(datetime.fromisoformat(line["time"]) - datetime.now(UTC)) < timedelta(minutes=5)
        assert served.tells("shutdown_step", what="loop") == served.lines[-1]


def test_unless_asked_for_only_lifecycles_are_told(loop_kind: LoopKind) -> None:
    with serving("--loop", loop_kind) as served:
        served.connect().close()
        served.tells("closed")
        assert {line["kind"] for line in served.lines} <= {"listening", "accepted", "half_closed", "closed"}


def test_the_lines_hold_nothing_a_terminal_would_obey() -> None:
    with serving("--events", "all", stdout=subprocess.PIPE) as served, served.connect() as sock:
        assert echoes(sock, said := "\x1b]0;owned\x07\x9b2J\u202e\x00ü\r\n".encode() + b"\xff\xc3")
        received = served.tells("received", count=2)
        assert received["size"] == len(said)
        assert received["text"] == "\x1b]0;owned\x07\x9b2J\u202e\x00ü\r\n\\xff\\xc3"


def test_what_goes_to_stdout_is_ascii_whatever_a_peer_says() -> None:
    with subprocess.Popen([*ECHOTUI, "serve", "--port", "0", "--events", "all"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        with socket.create_connection(("127.0.0.1", int(re.findall(rb'"port": (\d+)', first)[0]))) as sock:
            assert echoes(sock, "\x1b[2J\u202eü\x9b".encode())
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert rest.decode("ascii").replace("\n", "").isprintable()


def test_a_step_for_a_server_that_is_not_here_fails_and_the_others_are_done(
    loop_kind: LoopKind, tmp_path: Path
) -> None:
    script = tmp_path / "absent.toml"
    steps = [
        ('{ accepts = 1, server = "polling" }', "{ loop = true }"),
        ('{ bytes = 1, server = "blocking" }', "{ loop = true }"),
        ("{ seconds = 0 }", '{ server = "streams" }'),
        ("{ seconds = 0 }", '{ connection = 1, server = "protocol" }'),
        ('{ accepts = 1, server = "sockets" }', "{ loop = true }"),
    ]
    written = (f"[[step]]\nafter = {after}\ninto = {into}\n" for after, into in steps)
    kinds = ("block", "block", "down", "boom", "block")
    text = "".join(f'{step}fault = "{kind}"\n' for step, kind in zip(written, kinds, strict=True))
    script.write_text(f"{text}[[expect]]\nothers_keep_echoing = true\n")
    with serving("--loop", loop_kind, "--servers", "selectors,sockets", "--faults", str(script)) as served:
        served.connect("sockets").close()
        served.tells("fault_ended", name="block")
    why = "here: choose from selectors, sockets"
    for failed in (
        "after 1 accepts on polling: block into the loop: there is no server 'polling'",
        "after 1 bytes on blocking: block into the loop: there is no server 'blocking'",
        "after 0 s: down into streams: there is no server 'streams'",
        "after 0 s: boom into the 1st connection of protocol: there is no server 'protocol'",
    ):
        assert f"a step of the script failed: {failed} {why}\n" in served.stderr


async def test_whatever_else_ends_a_script_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def turn(director: Director, now: float) -> None:
        raise RuntimeError(f"{now >= 0}: {director.injected}")

    monkeypatch.setattr(Director, "turn", turn)
    async with a_lab(SOCKETS) as lab, serve._directed(lab, read(SCRIPT)):
        for _ in range(5):  # it begins, it fails, and that is said
            await asyncio.sleep(0)
    assert caplog.messages == ["the script has failed, and goes no further: RuntimeError: True: []"]


def test_a_port_that_is_taken_is_one_clear_line_and_status_1(loop_kind: LoopKind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = echotui("serve", "--loop", loop_kind, "--port", str(port), "--servers", "selectors")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert f"selectors: cannot listen on 127.0.0.1:{port}: port {port} is taken by another program" in line


def test_a_port_that_needs_privileges_is_one_clear_line_and_status_1() -> None:
    if _first_unprivileged_port() <= 80:
        pytest.skip("every port is free to take here")
    done = echotui("serve", "--port", "80", "--servers", "selectors", preexec_fn=_give_up_low_ports)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "port 80 needs privileges: choose one above 1023 with --port" in line


def _give_up_low_ports() -> None:
    """Also root may lose the right to low ports, and keeps it lost in what it executes. Others never had it."""
    drop_from_bounding_set, net_bind_service = 24, 10
    if sys.platform == "linux" and os.geteuid() == 0:
        ctypes.CDLL(None).prctl(drop_from_bounding_set, net_bind_service, 0, 0, 0)


def test_a_reader_that_is_slow_never_stops_the_echo(loop_kind: LoopKind, pipe: Pipe) -> None:
    with serving("--loop", loop_kind, "--events", "all", stdout=pipe.written) as served:
        with pipe.connect() as sock:
            for _ in range(3000):  # far more lines than a pipe holds
                assert echoes(sock)
        served.send(signal.SIGTERM)
        assert served.ends() == 143


def test_a_reader_of_the_log_that_is_slow_never_stops_the_echo(loop_kind: LoopKind, pipe: Pipe) -> None:
    with serving("--loop", loop_kind, stderr=pipe.written) as served:
        for _ in range(1500):  # each of them is a line in the log
            with socket.create_connection(("127.0.0.1", served.port("selectors")), 5) as sock:
                sock.sendall(b"boom\r\n")
                assert sock.recv(1) == b""
        served.send(signal.SIGTERM)
        assert served.ends() == 143


def test_a_reader_that_is_too_slow_is_told_how_many_lines_it_has_missed(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "QUEUED", 3)
    lines = serve.Lines(pipe.written, str, lambda lost, item: f"{lost} are lost before {item}")
    lines("x" * MEBIBYTE)  # more than a pipe holds
    assert eventually(lines._queue.empty)  # it is being written
    for item in "abcdefgh":  # there is room for three
        lines(item)
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(pipe.read_until, b"\nz\n")
        assert eventually(lines._queue.empty)
        lines("y")
        lines("z")
        assert reading.result().lstrip(b"x") == b"\na\nb\nc\n5 are lost before y\ny\nz\n"
    lines.close()


def test_a_reader_that_goes_away_ends_it(loop_kind: LoopKind, pipe: Pipe) -> None:
    with serving("--loop", loop_kind, stdout=pipe.written) as served:
        with pipe.connect() as sock:
            pipe.close_unread()
            assert echoes(sock)
        assert served.ends() == 128 + signal.SIGPIPE
        assert "nobody reads stdout any more" in served.stderr


def test_a_full_disk_ends_it_and_is_told(loop_kind: LoopKind) -> None:
    with Path("/dev/full").open("wb") as full, serving("--loop", loop_kind, stdout=full) as served:
        assert served.ends() == 1
        assert "stdout: No space left on device (ENOSPC): stopping" in served.stderr


@pytest.mark.parametrize("server", ["selectors", "sockets"])
def test_a_peer_that_sends_50_megabytes_without_reading_costs_no_memory_and_gets_them_all(
    loop_kind: LoopKind, server: str
) -> None:
    said = os.urandom(MEBIBYTE)
    with serving("--loop", loop_kind, "--servers", server) as served, served.connect(server) as other:
        process = psutil.Process(served.process.pid)
        before = process.memory_info().rss
        with served.connect(server) as sock:
            name = "{}:{}".format(*sock.getsockname())
            sock.setblocking(False)
            sent = heard = 0
            peak = before
            stuck_since = None
            while heard < 50 * MEBIBYTE:
                try:
                    sent += sock.send(memoryview(said)[sent % MEBIBYTE :]) if sent < 50 * MEBIBYTE else 0
                except BlockingIOError:
                    stuck_since = stuck_since or monotonic()
                if stuck_since is None or monotonic() - stuck_since < 0.5:
                    continue  # it does not read until nothing has gone out for a while
                peak = max(peak, process.memory_info().rss)
                assert echoes(other)
                try:
                    data = sock.recv(MEBIBYTE)
                except BlockingIOError:
                    continue
                start = heard % MEBIBYTE
                assert data == (said + said)[start : start + len(data)]
                heard += len(data)
            assert peak - before < 16 * MEBIBYTE
            sock.setblocking(True)
            assert echoes(sock)
        closed = served.tells("closed", peer=name)
        assert closed["bytes_out"] == closed["bytes_in"] > 50 * MEBIBYTE


def _first_unprivileged_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except OSError:
        return 1024
