"""The beat of a loop whose turns cannot be seen: a timer of its own that has to come back in time.

How late it comes is how long the others had to wait. It wakes the loop twenty times a second, also while nothing else
happens: half of what an idle app took. So a loop that is quiet rests, where it can be seen from outside whether it
sleeps (``vigil.py``): a beat is sent once it was found awake.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..native import set_timer
from .alarm import AT_ONCE
from .core_time import Reading
from .own_file import NO_FILE, OwnFile
from .places import MACHINERY
from .vigil import OF_THIS_THREAD

if TYPE_CHECKING:
    from ..native import Vigil
    from .stalls import Stalls

#: How late a timer of libuv may be without anybody's fault, in seconds: it counts in milliseconds.
RESOLUTION = 0.001

#: The share of the time between two beats below which a loop is quiet.
QUIET = 0.02

#: Has something called after some seconds.
Later = Callable[..., asyncio.Handle]


class Beating:
    """Sends a beat through a loop, and when it has come back the next one."""

    __slots__ = ("_later", "_loop", "_next", "_said", "_stalls", "due", "lag", "vigil", "worst")

    def __init__(self, stalls: "Stalls", loop: asyncio.AbstractEventLoop, later: Later) -> None:
        self.due: float | None = None
        """When the beat that is under way was or is due, by `time.monotonic`, in seconds; None if there is none."""
        self.lag: float | None = None
        """How long the latest beat took through the loop, in seconds; None before one has come back."""
        self.worst = 0.0
        """The longest `lag` since somebody set this to 0, in seconds."""
        self.vigil: Vigil | None = None
        """Finds out whether the loop sleeps; None where nobody can."""
        self._said = OwnFile()
        self._stalls = stalls
        self._loop: Any = loop
        self._later = later
        self._next: asyncio.Handle | None = None

    @property
    def rests(self) -> bool:
        """Whether no beat is sent until the loop is found awake."""
        return self.vigil is not None and self.vigil.on

    def begin(self, now: float) -> None:
        """Send one, in the loop's thread: it begins to run."""
        self.keep_vigil()
        self.due = now
        self._next = self._loop.call_soon(self.arrive, now)

    def keep_vigil(self) -> None:
        """Let the vigil see this thread, which is the loop's, and hear of it. No effect where there is none."""
        vigil = self.vigil
        if vigil is not None:
            try:
                self._said.open(OF_THIS_THREAD)
            except OSError:  # it is not kept, or not for us to see; or no descriptors left
                self.vigil = None
            else:
                vigil.said = self._said.descriptor
                self._loop.add_reader(vigil.bell, self._hear, vigil)

    def send(self) -> float:
        """Send one, in any thread; return when it is due."""
        due = self.due = monotonic()
        self._loop.call_soon_threadsafe(self.arrive, due)
        return due

    def end(self) -> None:
        """Forget the one that is under way: the loop does not run any more."""
        if self._next is not None:
            self._next.cancel()
        self.due = self._next = None
        vigil = self.vigil
        if vigil is not None:
            vigil.on = False
            vigil.said, vigil.found_at = NO_FILE, 0.0
            self._said.close()
            self._loop.remove_reader(vigil.bell)

    def found_awake(self) -> bool:
        """Note that the loop was found awake, which is when the vigil sent a beat. False if it was not, or is noted."""
        vigil = self.vigil
        if vigil is None or not vigil.found_at or self.due is not None:
            return False
        self.due, vigil.found_at = vigil.found_at, 0.0
        self._stalls.cores.note(Reading(*vigil.times()))
        return True

    def hurry(self) -> None:
        """Have the beat that is to come sent now: what may be a stall has changed. In any thread."""
        with self._stalls.lock:
            if self.due is not None:
                self.send()
        self.nudge()

    def nudge(self) -> None:
        """Have a beat sent now if the loop rests. In any thread, at any line."""
        vigil = self.vigil
        if vigil is not None and vigil.on:
            vigil.asked = True
            set_timer(vigil.timer, AT_ONCE)

    def _hear(self, vigil: "Vigil") -> None:
        """The vigil has rung: that is the beat."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(vigil.bell)
        with self._stalls.lock:
            self.found_awake()
            due = self.due
        if due is not None:
            self.arrive(due)

    def _rest(self) -> bool:
        """Send none until the loop is found awake, if it is quiet and that can be found out."""
        vigil, stalls = self.vigil, self._stalls
        if vigil is None or not stalls.on or stalls.cores.share >= QUIET:
            return False
        vigil.schedule, vigil.timepiece = stalls.cores.file.descriptor, stalls.cores.timepiece
        return vigil.begin(stalls.limit / 2)

    def arrive(self, due: float) -> None:
        """Come back from a timer, and go through the loop once more: that is the way of all that is ready."""
        if due == self.due:  # else it was sent before the loop was stopped, and is none of this run
            self._next = self._loop.call_soon(self.come_back, due, monotonic())

    def come_back(self, due: float, sent: float) -> None:
        """Note how long the beat took, and have the next one sent."""
        if due != self.due:  # it was heard twice: the bell had rung in the run before
            return
        now = monotonic()
        stalls = self._stalls
        late_since = max(stalls.resumed_at, due)
        late = sent - late_since - RESOLUTION
        lag = now - sent
        if late > 0:
            lag += late
        self.lag = lag
        if lag > self.worst:
            self.worst = lag
        observation = stalls.observation
        if stalls.on and not stalls.watched:  # it was off when the loop began to run
            stalls.put_off(now)
            self.keep_vigil()
        with stalls.lock:
            stall = stalls.current
            if stalls.on:
                stalls.cores.mark()  # before the next beat is sent: what comes from now on may be why that is late
            ticks = observation.ticks
            if (ticks is not None and ticks.on) or self._rest():
                self.due = self._next = None
            else:
                # Often enough that no stall can hide between two: how late a beat is tells less than how long it was.
                wait = stalls.limit / 2
                self.due = due = monotonic() + wait
                self._next = self._later(wait, self.arrive, due)
        if stall is not None or now - late_since >= stalls.limit:
            stalls.over(late_since if stall is None else stall.began, now)
        if stalls.on:
            stalls.ring_in(stalls.limit * (0.5 if self.rests else 0.75))
        observation.open_letters()


MACHINERY.add(id(globals()))
