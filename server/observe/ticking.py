"""What is noted of each tick: when the loop falls asleep, when it wakes and with what, and for how long it runs then.

This runs for each message of a loop that is not busy: compiled where that is possible, as ``timing.py`` is.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from ..native import clock
from .places import MACHINERY

if TYPE_CHECKING:
    from .observation import Observation
    from .stalls import Stalls

#: How many ticks stay visible.
KEPT = 1_000

#: How many of the descriptors that were ready in a tick are kept.
READY_KEPT = 8


class StallLimit:
    """For how long the loop may not turn, and when those who watch it have to be told again that it does."""

    __slots__ = ("longest", "put_off_at")

    def __init__(self, longest: float) -> None:
        self.longest = longest
        """From how long on it is a stall, in seconds."""
        self.put_off_at = 0.0
        """From when on the alarm has to be put off again, if the loop turns, by `time.monotonic`, in seconds."""


class Ticking:
    """The tick that a loop is in, and those that are over."""

    __slots__ = (
        "_asked",
        "_began",
        "_letters",
        "_longest",
        "_loop",
        "_observation",
        "_ready",
        "_ready_count",
        "_rested_until",
        "_ring",
        "_setter_id",
        "_slept",
        "_stalls",
        "_timer_name",
        "_timers",
        "_woke",
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
        # Of each tick that is over what `Tick` has of it, but for its number.
        self._ring: deque[tuple[Any, ...]] = deque(maxlen=KEPT)
        self._observation = observation
        self._timers = observation.timers
        self._stalls: Stalls = observation.stalls
        self._letters = observation.letters
        self._loop = loop
        # The tick the loop is in, by the same words.
        self._woke = False
        """Whether it is in one that was seen to begin."""
        self._began = 0.0
        self._asked: float | None = None
        self._timer_name: str | None = None
        self._setter_id: int | None = None
        self._slept = 0.0
        self._ready: tuple[tuple[int, int], ...] = ()
        self._ready_count = 0
        self._work = 0
        self._rested_until = 0.0
        """When it woke from the latest sleep that was long, if it was not hushed since; else 0."""

    def tick(self, select: Any, timeout: float | None = None) -> Any:
        """Let the loop sleep in `select`, and note the end of one tick and the beginning of the next."""
        letters = self._letters
        if letters:  # whoever has something to hear does not sleep
            timeout = 0
        if not self.on:  # what is switched on again in the midst of a tick has not seen it begin
            self._woke, self.asleep = False, True
            ready = select(timeout)
            self.awake_since = clock()
        else:
            loop = self._loop
            fall_asleep(self, clock(), timeout, loop._scheduled, len(loop._ready))
            ready = select(timeout)
            found = [(key.fd, mask) for key, mask in ready[:READY_KEPT]]
            wake(self, clock(), found, len(ready))
        if letters:
            self._observation.open_letters()
        return ready


def fall_asleep(tick: Ticking, began: float, timeout: float | None, scheduled: list[Any], work: int) -> None:
    """Note that the loop goes to sleep: a tick is over, if it was in one.

    `timeout` says for how many seconds at most it sleeps, as a selector is told; `scheduled` has the timers,
    the soonest first; `work` callbacks are ready.
    """
    try:
        finish(tick, began)
        tick._began = began
        tick._asked = timeout
        tick._work = work
        tick._timer_name = tick._setter_id = None
        if timeout and scheduled:
            timer = scheduled[0]
            name = timer.name
            tick._timer_name = timer.find_name() if name is None else name
            setter = timer.setter
            if setter is not None:
                tick._setter_id = setter.id
    except Exception as error:  # noqa: BLE001 - nothing here may keep the loop from sleeping
        tick._observation.disable(tick, error)
    stalls = tick._stalls
    if began - tick._rested_until < stalls.longest / 4:
        try:
            if timeout is None or timeout > stalls.longest:
                # It has little to do, and the alarm would ring for nothing. Once a rest: a busy loop is spared it.
                tick._rested_until = 0.0
                stalls.hush()
        except Exception as error:  # noqa: BLE001 - as above
            tick._observation.disable(stalls, error)


def wake(tick: Ticking, now: float, ready: list[tuple[int, int]], count: int) -> None:
    """Note that the loop wakes, and which descriptors are ready: the first of them, and how many in all."""
    tick.awake_since = now
    tick.asleep = False
    tick._woke = True
    tick._slept = now - tick._began
    tick._ready = tuple(ready)
    tick._ready_count = count
    tick._work += count - tick._timers.fired
    stalls = tick._stalls
    if tick._slept > stalls.longest / 4:
        tick._rested_until = now
    if now >= stalls.put_off_at:
        try:
            stalls.put_off(now)
        except Exception as error:  # noqa: BLE001 - as above
            tick._observation.disable(stalls, error)


def finish(tick: Ticking, now: float) -> None:
    """End the tick the loop is in, if it is in one."""
    ran = now - tick.awake_since
    tick.asleep = True
    if tick._woke:
        tick._woke = False
        tick.count += 1
        tick.ran += ran
        if ran > tick._longest:
            tick._longest = ran
        tick._ring.append(
            (
                tick._began,
                tick._asked,
                tick._timer_name,
                tick._setter_id,
                tick._slept,
                tick._ready,
                tick._ready_count,
                tick._work + tick._timers.fired,
                ran,
            )
        )
    if ran > tick._stalls.longest:
        tick._stalls.over(tick.awake_since, now)


MACHINERY.add(id(globals()))
