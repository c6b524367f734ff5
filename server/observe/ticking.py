"""What is noted of each tick, by the `select` that a loop sleeps in.

This runs for each message of a loop that is not busy: compiled where that is possible, as ``timing.py`` is.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from ..native import clock
from .places import MACHINERY

if TYPE_CHECKING:
    from .observation import Observation

#: How many ticks stay visible.
KEPT = 1_000

#: How many of the descriptors that were ready in a tick are kept.
READY_KEPT = 8

Start = tuple[float, float | None, str | None, int | None, float, tuple[tuple[int, int], ...], int]
"""How a tick began: when, for how long the loop went to sleep at most, the timer that set this and its task, how long
it slept, which descriptors were ready, and how many."""


class Ticking:
    """The tick that a loop is in, and those that are over."""

    __slots__ = (
        "_letters",
        "_longest",
        "_loop",
        "_observation",
        "_ring",
        "_stalls",
        "_start",
        "_timers",
        "_work",
        "asleep",
        "awake_since",
        "count",
        "on",
        "ran",
    )
    name = "ticks"

    def __init__(self, observation: "Observation", loop: Any) -> None:
        self.on = True
        self.count = 0
        """How many ticks are over, ever."""
        self.asleep = True
        """Whether the loop sleeps in its selector, or does not run at all."""
        self.awake_since = 0.0
        """When it woke for the tick it is in, by `time.monotonic`, in seconds."""
        self.ran = 0.0
        """How long it has run in the ticks that are over, in seconds."""
        self._longest = 0.0
        # Of each tick how it began, how many callbacks ran, and how long: put together when somebody looks.
        self._ring: deque[tuple[Start, int, float]] = deque(maxlen=KEPT)
        self._observation = observation
        self._timers = observation.timers
        self._stalls = observation.stalls
        self._letters = observation.letters
        self._loop = loop
        # How the tick the loop is in began.
        self._start: Start | None = None
        self._work = 0

    def tick(self, select: Any, timeout: float | None = None) -> Any:
        """Let the loop sleep in `select`, and note the end of one tick and the beginning of the next."""
        letters = self._letters
        if not self.on:
            ready = select(0 if letters else timeout)
            if letters:
                self._observation.open_letters()
            return ready
        timers = self._timers
        name = setter = None
        work = 0
        began = clock()
        try:
            finish(self, began)
            loop = self._loop
            work = len(loop._ready)
            if letters:  # whoever has something to hear does not sleep
                timeout = 0
            elif timeout and loop._scheduled:
                timer = loop._scheduled[0]
                name = timer.name or timer.find_name()
                setter = timer.setter
        except Exception as error:  # noqa: BLE001 - nothing here may keep the loop from sleeping
            self._observation.disable(self, error)
        ready = select(timeout)
        now = clock()
        self.awake_since = now
        self.asleep = False
        count = len(ready)
        if now >= self._stalls.put_off_at:
            self._stalls.put_off(now)
        self._start = (
            began,
            timeout,
            name,
            None if setter is None else setter.id,
            now - began,
            _descriptors(ready, count),
            count,
        )
        self._work = work + count - timers.fired
        if letters:
            self._observation.open_letters()
        return ready


def finish(tick: Ticking, now: float) -> None:
    """End the tick the loop is in, if it is in one."""
    ran = now - tick.awake_since
    tick.asleep = True
    start = tick._start
    if start is not None:
        tick.count += 1
        tick.ran += ran
        if ran > tick._longest:
            tick._longest = ran
        tick._ring.append((start, tick._work + tick._timers.fired, ran))
        tick._start = None
    if ran > tick._stalls.limit:
        tick._stalls.over(tick.awake_since, now)


def _descriptors(ready: list[tuple[Any, int]], count: int) -> tuple[tuple[int, int], ...]:
    if not count:
        return ()
    if count == 1:
        key, mask = ready[0]
        return ((key.fd, mask),)
    return tuple([(key.fd, mask) for key, mask in ready[:READY_KEPT]])


MACHINERY.add(id(globals()))
