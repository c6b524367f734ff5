"""An alarm that rings unless it is put off, and costs those nothing who put it off.

A thread that wakes every so often to look at a loop has to get the interpreter's lock each time. A busy loop gives it
up only for the instant of a ``select(0)``: the thread is woken, comes too late, and waits again, thousands of times in
a row; and each is a system call and two changes of context that the loop pays (measured: a tick of 100 callbacks took
up to a third longer on two processors, and the thread did not get to look in 140 ms). So the thread sleeps in the
kernel, and the loop that turns moves the hour at which it would be woken.

That it is there costs something all the same: what threads share, descriptors and the memory of the C library, is
counted and locked at each call. A thread that only sleeps costs a message of the plain `sockets` server on uvloop some
0.04 of what it takes (``tests/benchmarks/parts.py``), and a second or third one nothing more. With a table of
descriptors of its own (``unshare(CLONE_FILES)``) that is a third less. It is not given one: it logs, who listens may do
anything, and what is collected as garbage in it may be a socket, which would then stay open for the others.
"""

import ctypes
import os
import sys
import threading
from time import monotonic
from typing import Any, Protocol

from ..c_library import c_library
from ..native import set_timer
from .places import MACHINERY

#: The shortest time an alarm can be set to, in seconds.
AT_ONCE = 1e-6


class Alarm(Protocol):
    """What one thread sets and another waits for."""

    def set(self, seconds: float) -> None:
        """Let it ring once, so many seconds from now, and not when it was to ring before; 0 for not at all."""

    def hush(self) -> None:
        """Let it not ring until it is set again, if that spares who waits for it."""

    def wait(self) -> None:
        """Sleep until it rings."""

    def close(self) -> None:
        """Give back what it holds. Nobody may set it or wait for it any more."""


class KernelAlarm:
    """An alarm on a timer descriptor of Linux: who waits for it is not woken by its being put off.

    Raises:
        OSError: if there are no descriptors left.
    """

    def __init__(self) -> None:
        self.timer = _timerfd_create()
        """The descriptor."""

    def set(self, seconds: float) -> None:
        """Let it ring once, so many seconds from now, and not when it was to ring before; 0 for not at all."""
        set_timer(self.timer, seconds)

    def hush(self) -> None:
        """Let it not ring until it is set again."""
        self.set(0)

    def wait(self) -> None:
        """Sleep until it rings."""
        os.read(self.timer, 8)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.timer)


class PolledAlarm:
    """An alarm for systems without timer descriptors: who waits for it wakes at each hour it was to ring at."""

    def __init__(self) -> None:
        self._at = float("inf")
        self._sooner = threading.Event()

    def set(self, seconds: float) -> None:
        """Let it ring once, so many seconds from now, and not when it was to ring before; 0 for not at all."""
        before, self._at = self._at, monotonic() + seconds if seconds else float("inf")
        if self._at < before:
            self._sooner.set()

    def hush(self) -> None:
        """It rings as it was set: who waits would wake then all the same, and once more when it is set again."""

    def wait(self) -> None:
        """Sleep until it rings."""
        while True:
            self._sooner.clear()
            left = self._at - monotonic()
            if left <= 0:
                self._at = float("inf")
                return
            self._sooner.wait(None if left == float("inf") else left)

    def close(self) -> None:
        """There is nothing to give back."""


def new_alarm() -> Alarm:
    """Return the best alarm that this system has."""
    if sys.platform == "linux":
        try:
            return KernelAlarm()
        except (OSError, AttributeError):  # no descriptors left, or a C library without them
            pass
    return PolledAlarm()


_os: Any = os  # It has what the type checker's oldest Python has not.

if hasattr(os, "timerfd_create"):  # from Python 3.13 on

    def _timerfd_create() -> int:
        return int(_os.timerfd_create(_MONOTONIC, flags=_os.TFD_CLOEXEC))

else:

    def _timerfd_create() -> int:
        descriptor = int(c_library().timerfd_create(_MONOTONIC, os.O_CLOEXEC))
        if descriptor < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return descriptor


#: The clock of `time.monotonic`, by its number in Linux.
_MONOTONIC = 1


MACHINERY.add(id(globals()))
