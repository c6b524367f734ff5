"""A server in a process of its own, looked at from outside: its port, its CPU time, its memory."""

import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from fcntl import ioctl
from time import clock_gettime, monotonic
from types import TracebackType
from typing import Self

import psutil

from .cores import one_kept_free
from .undisturbed import undisturbed

#: The terminal of a subject that paints: columns and lines.
WIDTH, HEIGHT = 140, 45

#: For every subject, bare or watched: glibc keeps what it has. A transport of asyncio asks for 256 KiB for each read,
#: and by the luck of how the heap lies that memory is given back to the system after each, or is not: one and the same
#: server then takes 22 or 9 µs for a message.
STEADY = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**24)}

#: How long a subject may take to listen, and to paint, in seconds.
PATIENCE = 20.0

#: Of the clocks that a process has in Linux, the one of the time for which it was scheduled (clock_getcpuclockid).
_SCHEDULED = 2
_HAS_CLOCKS: bool = sys.platform == "linux"

#: What stands on the screen once it is painted.
_PAINTED = b"serving"


class SubjectFailed(Exception):
    """A server that was to be measured did not come up; the message says why, for people."""


class Subject:
    """A running server. Use it as a context manager: the process ends with it.

    Args:
        command: what to run. It listens on one port, which the system picks.
        paints: whether it draws on a terminal, which it is given then, and which takes all it draws at once.
        core: where it runs; None for a core of its own, if there can be one.
    """

    def __init__(self, command: Sequence[str], *, paints: bool = False, core: int | None = None) -> None:
        self._command = command
        self._paints = paints
        self._core = core
        self._awaited = _PAINTED
        self._drew_it = threading.Event()
        self.drawn = 0
        """How many bytes it has drawn."""
        self.is_apart = False
        """Whether it has a core of its own."""

    def __enter__(self) -> Self:
        with ExitStack() as started:
            with undisturbed():
                self._start(started)
            self.port = self._find_port()
            self._wait_until_painted()
            self._started = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.close()

    def _start(self, started: ExitStack) -> None:
        """Start it, and leave with `started` how to end it again."""
        self._master, terminal = pty.openpty()
        started.callback(os.close, self._master)
        ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        streams = terminal if self._paints else subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                stdin=streams,
                stdout=streams,
                stderr=streams,
                start_new_session=True,
                env={**os.environ, **STEADY, "TERM": "xterm-256color"},
            )
        finally:
            os.close(terminal)
        reader = threading.Thread(target=self._read_what_it_draws, name="bench-terminal")
        reader.start()
        started.callback(reader.join)
        started.callback(self._process.wait)
        started.callback(self._process.kill)
        self._watched = psutil.Process(self._process.pid)
        core = started.enter_context(one_kept_free()) if self._core is None else self._core
        self.is_apart = core is not None
        if core is not None:
            os.sched_setaffinity(self.pid, {core})

    @property
    def cpu(self) -> float:
        """CPU time it has used so far, in user and system mode, with all its threads, in seconds."""
        if _HAS_CLOCKS:  # to the nanosecond; what is told by its number counts in hundredths of a second
            return clock_gettime(~self.pid << 3 | _SCHEDULED)
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    @property
    def rss(self) -> int:
        """Its resident memory, in bytes."""
        return int(self._watched.memory_info().rss)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def wait_for(self, text: bytes, after: Callable[[], object], seconds: float) -> bool:
        """Return whether this is drawn in one piece, once `after` was called and within so many seconds."""
        self._awaited, came = text, self._drew_it
        came.clear()
        after()
        return came.wait(seconds)

    def _wait_until_painted(self) -> None:
        if self._paints and not self._drew_it.wait(PATIENCE):
            raise SubjectFailed(f"nothing was painted within {PATIENCE:g} s by: {' '.join(self._command)}")

    def _find_port(self) -> int:
        """Return the port it listens on, as soon as it does."""
        until, pause = monotonic() + PATIENCE, threading.Event()
        while self._process.poll() is None and monotonic() < until:
            for connection in self._watched.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return int(connection.laddr.port)
            pause.wait(0.02)
        raise SubjectFailed(f"nothing listens, exit status {self._process.poll()}, of: {' '.join(self._command)}")

    def _read_what_it_draws(self) -> None:
        last = b""
        while True:
            try:
                more = os.read(self._master, 65536)
            except OSError:  # nobody has the other end open any more
                return
            if not more:
                return
            self.drawn += len(more)
            last = last[-len(self._awaited) :] + more
            if self._awaited in last:
                self._drew_it.set()
