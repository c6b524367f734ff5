"""``echotui connect``: lines with CRLF, an end at the end of the input, and nothing raw on a terminal."""

import os
import pty
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from support import PATIENCE
from support_serve import ECHOTUI, echotui, eventually, hear, serving


@contextmanager
def a_server(answer: bytes = b"") -> Iterator[tuple[str, list[bytes]]]:
    """Accept one connection, send an answer, read until the peer says no more. Yields the address, and what it read."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock, suppress(ConnectionError):  # some tests go away before they have read
            sock.settimeout(PATIENCE)
            sock.sendall(answer)
            heard.append(hear(sock, 2**62))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield "{}:{}".format(*listener.getsockname()), heard
        thread.join()


def test_every_line_is_sent_with_crlf_and_the_end_of_the_input_is_the_end() -> None:
    with a_server() as (where, heard):
        done = echotui("connect", where, input=b"one\ntwo\r\n\nthe last has no end")
    assert heard == [b"one\r\ntwo\r\n\r\nthe last has no end\r\n"]
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_is_said_comes_back_on_stdout() -> None:
    with serving() as served:
        for server in ("selectors", "sockets"):
            done = echotui("connect", f"127.0.0.1:{served.port(server)}", input=b"hello\n" * 10_000)
            assert (done.returncode, done.stdout) == (0, b"hello\r\n" * 10_000)


def test_a_server_is_found_by_its_name_and_the_base_port() -> None:
    with serving("--servers", "selectors") as served:
        port = str(served.port("selectors"))
        assert echotui("connect", "selectors", "--port", port, input=b"hello\n").stdout == b"hello\r\n"
        assert echotui("connect", "--port", port, input=b"hello\n").stdout == b"hello\r\n"


def test_into_a_pipe_the_bytes_go_as_they_are() -> None:
    said = bytes(range(256)) * 100
    with a_server(answer=said) as (where, _):
        assert echotui("connect", where).stdout == said


def test_it_ends_when_the_server_closes_although_there_is_more_to_type() -> None:
    with serving() as served:
        where = f"127.0.0.1:{served.port('sockets')}"
        with subprocess.Popen([*ECHOTUI, "connect", where], stdin=-1, stdout=-1, stderr=-1) as process:
            assert process.stdin is not None
            process.stdin.write(b"boom\n")
            process.stdin.flush()
            assert process.wait(PATIENCE) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b"echotui connect: the server closed the connection\n"


def test_ctrl_c_ends_it_without_a_traceback() -> None:
    with serving() as served:
        where = f"127.0.0.1:{served.port('sockets')}"
        with subprocess.Popen([*ECHOTUI, "connect", where], stdin=-1, stdout=-1, stderr=-1) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"hello\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"hello\r\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130
            assert process.stderr is not None
            assert process.stderr.read() == b""


def test_ctrl_c_ends_it_also_while_it_connects() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()):
        where = f"127.0.0.1:{full.getsockname()[1]}"
        command = [ECHOTUI[0], ECHOTUI[-1], "connect", where]  # no -W error: socket.create_connection leaks here
        with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1) as process:
            asked = psutil.Process(process.pid)
            assert eventually(lambda: any(each.status == psutil.CONN_SYN_SENT for each in asked.net_connections()))
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130
            assert process.stderr is not None
            assert process.stderr.read() == b""


def test_a_reader_of_its_output_that_goes_away_ends_it_quietly() -> None:
    with a_server(answer=b"x" * 2**20) as (where, _):
        with subprocess.Popen([*ECHOTUI, "connect", where], stdin=-1, stdout=-1, stderr=-1) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            process.stdout.close()
            assert process.wait(PATIENCE) == 141
            assert process.stderr is not None
            assert process.stderr.read() == b""


def test_a_full_disk_ends_it_in_one_line() -> None:
    with a_server(answer=b"hello\r\n") as (where, _), Path("/dev/full").open("wb") as full:
        done = echotui("connect", where, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"echotui connect: stdout: No space left on device (ENOSPC)\n")


def test_input_that_cannot_be_read_is_told_and_is_the_end_of_the_input(tmp_path: Path) -> None:
    with a_server(answer=b"hello\r\n") as (where, heard), (tmp_path / "only-written").open("wb") as unreadable:
        done = echotui("connect", where, input=None, stdin=unreadable)
    assert heard == [b""]
    assert (done.returncode, done.stdout) == (0, b"hello\r\n")
    assert done.stderr == b"echotui connect: stdin: Bad file descriptor (EBADF)\n"


def test_where_nobody_listens_it_says_so_in_one_line() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, and nobody listens
        done = echotui("connect", f"127.0.0.1:{sock.getsockname()[1]}")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "Connection refused: is it serving?" in line


def test_a_host_that_cannot_be_is_not_repeated_raw() -> None:
    done = echotui("connect", "a\x1b[31m:80")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.isprintable()


@pytest.mark.parametrize(
    "said",
    [
        *(b"\x1b]0;owned\x07\x1b[2J[/b][@click=app.quit]x\r\n", b"\xc2\x9b2J\x9b2J\0\r\n"),
        *("\u202egnp\u2066\r\n".encode(), b"\r\r\n"),
    ],
    ids=["osc", "c1", "bidi", "returns"],
)
def test_on_a_terminal_nothing_that_comes_is_raw(said: bytes) -> None:
    shown = on_a_terminal(said)
    assert shown.replace("\r\n", "").isprintable()
    assert shown.count("\r\n") == 1


def test_on_a_terminal_letters_of_every_script_are_letters() -> None:
    assert on_a_terminal("Grüße, 你好\r\n".encode()) == "Grüße, 你好\r\n"


@pytest.mark.parametrize(("then", "shown"), [(b"\ntwo\r\n", b"one\r\ntwo\r\n"), (b"two\r\n", b"one\\rtwo\r\n")])
def test_on_a_terminal_the_end_of_a_line_may_come_in_two_parts_and_a_return_alone_is_none(
    then: bytes, shown: bytes
) -> None:
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)) as terminal, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        where = "{}:{}".format(*listener.getsockname())
        with subprocess.Popen([*ECHOTUI, "connect", where], stdin=-1, stdout=theirs, stderr=-1) as process:
            os.close(theirs)
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"one\r")
                seen = b""
                while b"one" not in seen:  # else both parts might be read as one
                    seen += terminal.read(4096)
                sock.sendall(then)
            with suppress(OSError):  # on Linux a terminal whose other side is closed ends with EIO
                while more := terminal.read(4096):
                    seen += more
            assert process.wait(PATIENCE) == 0
    assert seen == shown


def on_a_terminal(said: bytes) -> str:
    """Return what a terminal is sent when a server says this and closes."""
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)) as terminal, a_server(answer=said) as (where, _):
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        done = echotui("connect", where, capture_output=False, stdout=theirs, stderr=-1, env=environment)
        os.close(theirs)
        shown = b""
        try:
            while more := terminal.read(4096):
                shown += more
        except OSError:
            pass  # on Linux a terminal whose other side is closed ends with EIO
    assert done.returncode == 0
    return shown.decode()
