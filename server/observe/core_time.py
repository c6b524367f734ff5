"""What a thread did with its time: it ran, wanted a core that others had, or waited for something.

That tells why a loop did not come back: it may have been computing, or in a call that blocks; or nothing is wrong with
it, and the machine is busy. What a virtual machine's host takes away nobody tells it; that counts as running.
"""

import contextlib
import os
from enum import StrEnum
from time import thread_time
from typing import NamedTuple

from ..events import duration
from .places import MACHINERY


class CoreTime(NamedTuple):
    """For how long a thread ran, and for how long it wanted to and had no core, in seconds."""

    ran: float
    starved: float | None
    """None where the system does not tell."""

    def since(self, before: "CoreTime") -> "CoreTime":
        """Return what has come to an earlier reading."""
        if self.starved is None or before.starved is None:
            return CoreTime(self.ran - before.ran, None)
        return CoreTime(self.ran - before.ran, self.starved - before.starved)


class CoreClock:
    """Reads the `CoreTime` of the thread it was made in. Only that thread may `read` it."""

    def __init__(self) -> None:
        self._file: int | None = None
        with contextlib.suppress(OSError):  # not on Linux, or no descriptors left
            # Running, and waiting to run, in nanoseconds: Linux, Documentation/scheduler/sched-stats.rst.
            self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> CoreTime:
        """Return for how long the thread has run, ever, and for how long it wanted to."""
        # What the file says of running is as old as the system's latest tick: milliseconds.
        return CoreTime(thread_time(), self._starved())

    def _starved(self) -> float | None:
        if self._file is None:
            return None
        try:
            ran, starved, _ = map(int, os.pread(self._file, 80, 0).split())
            return starved / 1e9 if ran else None  # a system that keeps no such times says three zeros
        except (OSError, ValueError):  # somebody has closed it; what has its number now is no such file
            self._file = None
            return None

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Part(StrEnum):
    """What a thread may do with its time."""

    COMPUTING = "computing"
    STARVED = "without a core"
    WAITING = "waiting"


class Spent(NamedTuple):
    """What became of a stretch of a thread's time, in seconds: of each part the least that it was, None if unknown."""

    lasted: float
    ran: float | None = None
    starved: float | None = None
    """How long it wanted a core and had none."""
    waited: float | None = None
    """How long it did neither: in a call that blocks, or for the interpreter's lock."""

    @property
    def mostly(self) -> tuple[Part, float] | None:
        """What at least half of it went into, and how much; None if that cannot be said."""
        parts = zip(Part, self[1:], strict=True)
        return next(((part, took) for part, took in parts if took is not None and took * 2 >= self.lasted > 0), None)

    @property
    def in_words(self) -> str:
        """That, for people: ``118.0 ms of it computing``. Empty if it cannot be said."""
        return "" if self.mostly is None else f"{duration(self.mostly[1])} of it {self.mostly[0]}"


def spent(lasted: float, besides: float, took: CoreTime) -> Spent:
    """Return what became of a stretch that lasted so long, of which is known what it took with what was around it.

    What may have been around it, `besides` seconds, was there.
    """
    ran, starved = took
    if starved is None:
        return Spent(lasted, _within(ran, besides, lasted))
    waited = max(lasted - ran - starved, 0.0)
    return Spent(lasted, _within(ran, besides, lasted), _within(starved, besides, lasted), waited)


def _within(part: float, besides: float, lasted: float) -> float:
    return min(max(part - max(besides, 0.0), 0.0), lasted)


MACHINERY.add(id(globals()))
