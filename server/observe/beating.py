"""The beat of a loop whose turns cannot be seen: a timer of its own that has to come back in time.

How late it comes is how long the others had to wait. It wakes the loop twenty times a second, also while nothing else
happens: half a percent of a core, two thirds of it the waking, as an empty loop with such a timer shows (measured on a
virtual machine; compiled, this took no less).
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from .places import MACHINERY

if TYPE_CHECKING:
    from .stalls import Stalls

#: How late a timer of libuv may be without anybody's fault, in seconds: it counts in milliseconds.
RESOLUTION = 0.001

#: Has something called after some seconds.
Later = Callable[..., asyncio.Handle]


class Beating:
    """Sends a beat through a loop, and when it has come back the next one."""

    __slots__ = ("_later", "_loop", "_next", "_stalls", "due", "lag", "worst")

    def __init__(self, stalls: "Stalls", loop: asyncio.AbstractEventLoop, later: Later) -> None:
        self.due: float | None = None
        """When the beat that is under way was or is due, by `time.monotonic`, in seconds; None if there is none."""
        self.lag: float | None = None
        """How long the latest beat took through the loop, in seconds; None before one has come back."""
        self.worst = 0.0
        """The longest `lag` since somebody set this to 0, in seconds."""
        self._stalls = stalls
        self._loop: Any = loop
        self._later = later
        self._next: asyncio.Handle | None = None

    def begin(self, now: float) -> None:
        """Send one, in the loop's thread."""
        self.due = now
        self._next = self._loop.call_soon(self.arrive, now)

    def send(self) -> float:
        """Send one, in any thread; return when it is due."""
        due = self.due = monotonic()
        self._loop.call_soon_threadsafe(self.arrive, due)
        return due

    def end(self) -> None:
        """Forget the one that is under way."""
        if self._next is not None:
            self._next.cancel()
        self.due = self._next = None

    def arrive(self, due: float) -> None:
        """Come back from a timer, and go through the loop once more: that is the way of all that is ready."""
        if due == self.due:  # else it was sent before the loop was stopped, and is none of this run
            self._next = self._loop.call_soon(self.come_back, due, monotonic())

    def come_back(self, due: float, sent: float) -> None:
        """Note how long the beat took, and have the next one sent."""
        now = monotonic()
        stalls = self._stalls
        if stalls.on:
            stalls.cores.mark()  # before the next beat is sent: what comes from now on may be why that is late
        late_since = max(stalls.resumed_at, due)
        late = sent - late_since - RESOLUTION
        lag = now - sent
        if late > 0:
            lag += late
        self.lag = lag
        if lag > self.worst:
            self.worst = lag
        observation = stalls.observation
        with stalls.lock:
            stall = stalls.current
            ticks = observation.ticks
            if ticks is None or not ticks.on:
                # Often enough that no stall can hide between two: how late a beat is tells less than how long it was.
                wait = stalls.limit / 2
                self.due = due = monotonic() + wait
                self._next = self._later(wait, self.arrive, due)
            else:
                self.due = self._next = None
        if stall is not None or now - late_since >= stalls.limit:
            stalls.over(late_since if stall is None else stall.began, now)
        if stalls.on:
            stalls.ring_in(stalls.limit * 0.75)
        observation.open_letters()


MACHINERY.add(id(globals()))
