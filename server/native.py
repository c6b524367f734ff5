"""What the compiled modules ask so often that they have it of C (``native.pyx``): here is the same, of Python."""

import ctypes
import os
import sys
import time
from collections.abc import Callable
from operator import attrgetter
from threading import get_ident as this_thread
from time import monotonic as clock
from time import thread_time
from types import BuiltinFunctionType, FrameType, MethodType
from typing import Any
from weakref import ref as weak

from .c_library import c_library

__all__ = [
    "BRIEF",
    "MOST_RECEIVED",
    "NEEDS_NO_LOCK",
    "Attribute",
    "Question",
    "Vigil",
    "address",
    "back_of",
    "brief",
    "call",
    "calling_frame",
    "clock",
    "code_of",
    "function_of",
    "give",
    "globals_of",
    "holds",
    "in_full",
    "offset_of",
    "receive",
    "self_of",
    "set_timer",
    "this_thread",
    "thread_times",
    "weak",
]

#: How many bytes `receive` returns at most.
MOST_RECEIVED = 64 * 1024

#: How many bytes `brief` keeps.
BRIEF = 80

_os: Any = os  # It has what the type checker's oldest Python has not.

address = id
code_of = attrgetter("f_code")
globals_of = attrgetter("f_globals")
back_of = attrgetter("f_back")
offset_of = attrgetter("f_lasti")


def thread_times(schedule: int, timepiece: int = 0) -> tuple[float, float, float, float | None]:
    """Read how long a thread has run, and how long it wanted to and had no core.

    Args:
        schedule: a descriptor of its ``schedstat`` (Linux, Documentation/scheduler/sched-stats.rst): how many
            nanoseconds it ran and was starved, and how often it ran. Negative where there is none.
        timepiece: the clock of its time, as `time.pthread_getcpuclockid` gives it; 0 for that of this thread.

    Returns:
        when it was asked and when answered, by `time.monotonic`; how long it has run; how long it was starved, None
            where the system does not tell: then it says three zeros. All in seconds.
    """
    asked = clock()
    # What the file says of running is as old as the system's latest tick: milliseconds.
    ran, said = _ran(timepiece), ctypes.create_string_buffer(80)
    # Not `os.pread`, which gives the interpreter's lock up: where a thread computes it comes back much later.
    c_library().pread(schedule, said, len(said) - 1, 0)
    answered = clock()
    try:
        on_core, starved, _ = map(int, said.value.split())
    except ValueError:  # it is none, or somebody has closed it
        return asked, answered, ran, None
    return asked, answered, ran, starved / 1e9 if on_core else None


def _ran(timepiece: int) -> float:
    if timepiece:
        try:
            return time.clock_gettime(timepiece)
        except OSError:  # this is a fork of the process that had the thread
            pass
    return thread_time()


def set_timer(descriptor: int, seconds: float) -> None:
    """Have a timer descriptor of Linux become readable once, after so many seconds; 0 for not at all."""
    if hasattr(os, "timerfd_settime"):  # from Python 3.13 on
        _os.timerfd_settime(descriptor, initial=seconds)
    else:
        whole = int(seconds)
        when = (ctypes.c_long * 4)(0, 0, whole, int((seconds - whole) * 1e9))
        c_library().timerfd_settime(descriptor, 0, when, None)


#: Whether a `Vigil` does without the interpreter's lock: who has to wait for it comes when all is over.
NEEDS_NO_LOCK = False


class Vigil:
    """Looks whenever a timer rings, while it is on, whether a thread sleeps in a certain call. It wakes no sleeper.

    Args:
        timer: a timer descriptor of Linux.
        bell: a descriptor of events (`os.eventfd`), on which it rings when it finds the thread awake.
        asleep: how what Linux says of the thread begins while it sleeps.
    """

    def __init__(self, timer: int, bell: int, asleep: bytes) -> None:
        self.timer = timer
        self.bell = bell
        self.asleep = asleep
        self.said = -1
        """A descriptor of what Linux says of the thread: in which call it is (proc(5), ``/proc/pid/syscall``)."""
        self.schedule = -1
        self.timepiece = 0
        """What `thread_times` is asked when it finds the thread awake."""
        self.period = 0.0
        """How long from one look to the next, in seconds."""
        self.found_at = 0.0
        """When it found the thread awake, by `time.monotonic`, in seconds; stays until somebody sets it to 0."""
        self.asked = False
        """Whether it is to ring when the timer does, wherever the thread is."""
        self.on = False
        """Whether it looks: until it finds the thread awake."""
        self._looking = False
        self._found: tuple[float, float, float, float | None] = (0.0, 0.0, 0.0, None)

    def begin(self, period: float) -> bool:
        """Begin to look every so many seconds, once the timer has rung that was set, if somebody is in `wait`.

        Return whether somebody is: who has come back from there may be anywhere, and looks at nothing.
        """
        self.found_at, self.asked, self.period = 0.0, False, period
        self.on = self._looking
        return self.on

    def times(self) -> tuple[float, float, float, float | None]:
        """Return what `thread_times` returned of the thread when it was found awake."""
        return self._found

    def wait(self) -> None:
        """Wait until the timer rings while it is off, or the thread was found awake. In one thread only."""
        self._looking = True
        while True:
            os.read(self.timer, 8)
            if self.on:
                if not self.asked and os.pread(self.said, 80, 0).startswith(self.asleep):
                    set_timer(self.timer, self.period)
                    continue
                self._found = thread_times(self.schedule, self.timepiece)
                self.found_at, self.on = self._found[0], False
                _os.eventfd_write(self.bell, 1)
            self._looking = False
            if not self.on:
                return
            self._looking = True  # it was put on again in this very moment, by who has heard the bell
            set_timer(self.timer, self.period)


def calling_frame() -> FrameType | None:
    """Return the frame that has called the function that asks; None if there is none in Python."""
    try:
        return sys._getframe(2)  # noqa: SLF001 - as `inspect` does
    except ValueError:
        return None


def function_of(bound: Any) -> Any:
    """Return what a bound method calls; None for what is none."""
    return bound.__func__ if type(bound) is MethodType else None


def self_of(bound: Any) -> Any:
    """Return what a builtin method is bound to; None for what is none."""
    return bound.__self__ if type(bound) is BuiltinFunctionType else None


class Attribute:
    """An attribute, asked for so often that C looks up once where it is: in the first object's class."""

    def __init__(self, name: str) -> None:
        self.of = attrgetter(name)


class Question:
    """A method that takes nothing but whom it is asked of."""

    def __init__(self, method: Callable[[Any], Any]) -> None:
        self.of = method


def call(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call a function that changes nothing in what it is called with."""
    return function(*args, **named)


def holds(data: bytes, word: bytes) -> bool:
    """Return whether a word, which is not empty, is in there."""
    return data.find(word) >= 0  # ``in`` tries first whether the word is a number


def brief(data: bytes) -> bytes:
    """Return the first `BRIEF` bytes for keeping. In C they are no object, but numbers in whatever keeps them."""
    return data[:BRIEF]


def in_full(kept: bytes) -> bytes:
    """Return the bytes that `brief` was given."""
    return kept


def receive(descriptor: int) -> bytes | None:
    """Return what can be read from a descriptor, up to `MOST_RECEIVED` bytes; None if there is nothing yet."""
    try:
        return os.read(descriptor, MOST_RECEIVED)
    except BlockingIOError:
        return None


def give(descriptor: int, data: bytes, at: int, size: int) -> int:
    """Write so many bytes from a place on; return how many were taken, which is none if there is no room yet."""
    if at < 0 or size < 0 or at + size > len(data):
        raise ValueError("it takes bytes, and a part of them")
    try:
        return os.write(descriptor, memoryview(data)[at : at + size])
    except BlockingIOError:
        return 0
