"""``echotui serve`` and friends as real processes: their lines, their signals, their exit status."""

import json
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any

from support import PATIENCE

#: The command as it is installed, run by this very Python, where a warning is an error as it is in the tests.
ECHOTUI = [sys.executable, "-W", "error", str(Path(sysconfig.get_path("scripts")) / "echotui")]

Line = dict[str, Any]


def echotui(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command that ends by itself; return its output and exit status."""
    options = {"input": b"", "capture_output": True, "timeout": PATIENCE, **options}
    return subprocess.run([*ECHOTUI, *arguments], check=False, **options)


class Serving:
    """A running ``echotui serve``. `lines` are the JSON lines it has written."""

    def __init__(self, *options: str, **more: Any) -> None:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0, **more}
        self.process = subprocess.Popen([*ECHOTUI, "serve", "--port", "0", *options], **pipes)
        self.lines: list[Line] = []
        self.stderr = ""
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=read, args=(file,))
            for read, file in ((self._read_lines, self.process.stdout), (self._read_stderr, self.process.stderr))
            if file is not None
        ]
        for reader in self._readers:
            reader.start()

    def _read_lines(self, file: IO[bytes]) -> None:
        with file, open(file.fileno(), closefd=False) as text:
            for line in text:
                with self._news:
                    self.lines.append(json.loads(line))
                    self._news.notify_all()

    def _read_stderr(self, file: IO[bytes]) -> None:
        with file, open(file.fileno(), closefd=False) as text:
            for line in text:
                with self._news:
                    self.stderr += line
                    self._news.notify_all()

    def tells(self, kind: str, count: int = 1, **fields: object) -> Line:
        """Return the line number `count` of this kind, with these fields, as soon as it is there."""

        def found() -> list[Line]:
            wanted = {"kind": kind, **fields}.items()
            return [line for line in self.lines if wanted <= line.items()][count - 1 :]

        with self._news:
            if not self._news.wait_for(found, PATIENCE):
                raise AssertionError(f"no {kind} with {fields}, but: {self.lines[-20:]}\n{self.stderr}")
            return found()[0]

    def port(self, server: str) -> int:
        """Return the port a server listens on."""
        port = self.tells("listening", server=server)["port"]
        assert isinstance(port, int)
        return port

    def connect(self, server: str = "selectors") -> socket.socket:
        """Return a socket that a server has accepted, and answers."""
        sock = socket.create_connection(("127.0.0.1", self.port(server)), PATIENCE)
        assert echoes(sock)
        return sock

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self, within: float = PATIENCE) -> int:
        """Return the exit status; as a shell does, 128 + n where signal n has killed it."""
        status = self.process.wait(within)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status if status >= 0 else 128 - status


@contextmanager
def serving(*options: str, **more: Any) -> Iterator[Serving]:
    """Run ``echotui serve`` on ports the system picks. What it leaves on stderr may not be a traceback."""
    served = Serving(*options, **more)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
        served.ends()
    assert "Traceback" not in served.stderr, served.stderr
    assert "Warning" not in served.stderr, served.stderr
    assert "Fatal" not in served.stderr, served.stderr


def echoes(sock: socket.socket, said: bytes = b"still here?\r\n") -> bool:
    """Return whether exactly this comes back if it is said."""
    sock.sendall(said)
    return hear(sock, len(said)) == said


def hear(sock: socket.socket, size: int) -> bytes:
    """Return the next `size` bytes; fewer only if the server closes."""
    heard = bytearray()
    while len(heard) < size and (more := sock.recv(min(size - len(heard), 2**20))):
        heard += more
    return bytes(heard)


def eventually(condition: Any, within: float = PATIENCE) -> bool:
    """Return whether a condition that tells nobody when it comes true has come true in time."""
    until, pause = monotonic() + within, threading.Event()
    while not (met := condition()) and monotonic() < until:
        pause.wait(0.01)
    return bool(met)
