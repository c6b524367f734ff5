"""What a thread did with its time: it ran, wanted a core that others had, or waited for something.

That tells why a loop did not come back: it may have been computing, or in a call that blocks; or nothing is wrong with
it, and the machine is busy. What the host of a virtual machine takes away is in none of the two times that Linux keeps
of a thread, or in the first, by how it is built: it may count as waiting.
"""

import contextlib
import sys
import time
from enum import StrEnum
from threading import get_ident
from typing import NamedTuple

from ..events import duration
from ..native import thread_times
from .own_file import OwnFile
from .places import MACHINERY

#: What Linux keeps of the times of the thread that opens it: see `thread_times`.
OF_THIS_THREAD = "/proc/thread-self/schedstat"


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
    """How long it did neither: in a call that blocks, for the interpreter's lock, or because it was stopped."""

    @property
    def mostly(self) -> tuple[Part, float] | None:
        """What at least half of it went into, and how much; None if that is not certain of any."""
        parts = zip(Part, self[1:], strict=True)
        return next(((part, took) for part, took in parts if took is not None and took * 2 >= self.lasted > 0), None)

    @property
    def in_words(self) -> str:
        """That, for people: ``at least 118.0 ms of it computing``. Empty if it is not certain."""
        return "" if self.mostly is None else f"at least {duration(self.mostly[1])} of it {self.mostly[0]}"


class Reading(NamedTuple):
    """For how long a thread had run and been starved, ever, at some time between two others. All in seconds."""

    asked: float
    """By `time.monotonic`, as `answered` is."""
    answered: float
    ran: float
    starved: float | None
    """None where the system does not tell."""


class CoreClock:
    """Tells what became of a stretch of a thread's time: the one's that takes the first reading, until it is closed."""

    def __init__(self) -> None:
        self._before: Reading | None = None
        self._last: Reading | None = None
        self.file = OwnFile()
        self.timepiece = 0
        """What `thread_times` is asked about the thread."""

    def mark(self) -> None:
        """Take a reading: of a stretch that begins now, or later, it is the one before."""
        if self._last is None:
            self._open()
        self.note(Reading(*thread_times(self.file.descriptor, self.timepiece)))

    def note(self, reading: Reading) -> None:
        """Take a reading that was read elsewhere, with `file` and `timepiece`."""
        self._before, self._last = self._last, reading

    @property
    def share(self) -> float:
        """Of the time between the last two readings, the share for which it ran; 1.0 where there are none."""
        before, last = self._before, self._last
        if before is None or last is None:
            return 1.0
        return (last.ran - before.ran) / max(last.asked - before.asked, 1e-9)

    def spent(self, began: float, ended: float) -> Spent:
        """Return what became of the time between these two, of which the last reading but those after it is older."""
        if self._last is None or self._last.asked < ended:
            self.mark()
        if self._before is None or self._last is None:
            return Spent(ended - began)
        return spent(began, ended, self._before, self._last)

    def close(self) -> None:
        """Forget the readings, and give the file back."""
        self.file.close()
        self._before = self._last = None
        self.timepiece = 0

    def _open(self) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # there is no such file, or no descriptor left
                self.file.open(OF_THIS_THREAD)
            self.timepiece = time.pthread_getcpuclockid(get_ident())


def spent(began: float, ended: float, before: Reading, after: Reading) -> Spent:
    """Return what became of the time between `began` and `ended`, of what two readings say of more or less that time.

    What may have been outside of it was there; and what was in it, but before the first reading, was not waiting.
    """
    lasted = ended - began
    ran = max(after.ran - before.ran, 0.0)
    outside = max(began - before.asked, 0.0) + max(after.answered - ended, 0.0)
    least = _least(ran - outside, lasted)
    if before.starved is None or after.starved is None:
        return Spent(lasted, least)
    starved = max(after.starved - before.starved, 0.0)
    unseen = max(before.answered - began, 0.0)
    return Spent(lasted, least, _least(starved - outside, lasted), _least(lasted - ran - starved - unseen, lasted))


def _least(part: float, lasted: float) -> float:
    return min(max(part, 0.0), lasted)


MACHINERY.add(id(globals()))
