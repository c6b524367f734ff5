"""Stalls: what blocks the loop, told while it does.

While the loop turns it puts an alarm off. Where it does not, the alarm wakes a thread, and that looks at which line the
loop's thread is. On asyncio the selector says when the loop sleeps, which is not a stall. On uvloop nothing says so:
there a timer of the loop's own has to come back in time, and how late it comes is the lag (``beating.py``).

A call that holds the interpreter's lock stops this thread too: such a stall is told afterwards, without a line.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

from .alarm import AT_ONCE, Alarm, new_alarm
from .beating import Beating, Later
from .core_time import CoreClock, Spent
from .events import StallBegan, StallEnded
from .places import BOTTOMS, MACHINERY, Mark, Place, name_of, place_of
from .ticking import StallLimit
from .vigil import new_vigil

if TYPE_CHECKING:
    from .observation import Observation
    from .task_record import TaskRecord

#: How many stalls stay visible.
KEPT = 200

#: How many frames of a stack are looked at, from the innermost on.
STACK_LOOKED_AT = 40

#: From how many seconds on it is a stall, unless told otherwise: asyncio's own limit for slow callbacks.
DEFAULT_LIMIT = 0.1

#: How long a loop that is closed waits for the thread to end, in seconds. Who is told of a stall there may wait for the
#: loop; the thread ends by itself.
PATIENCE = 1.0

_log = logging.getLogger("echotui.observe")

_STDLIB = (str(Path(os.__file__).parent) + os.sep, "<frozen ")
_INSTALLED = ("site-packages" + os.sep, "dist-packages" + os.sep)


class Stall:
    """A time in which the loop did not turn. Times are by `time.monotonic`, in seconds."""

    def __init__(self, id: int, began: float) -> None:
        self.id = id
        self.began = began
        """Since when; on uvloop at the latest since then."""
        self.ended: float | None = None
        """Until when; None while it lasts."""
        self.seen: Counter[tuple[Mark | None, int | None]] = Counter()
        """The program's lines at which it was seen, each with the id of the task that ran, and how often. In one turn
        of the loop there may be more than one of either."""
        self.callback: str | None = None
        """The name of the callback that blocks, where that is not written in Python and so has no line."""
        self._tasks: dict[int, tuple[str, str]] = {}
        self.delayed_timers = 0
        """How many timers were due before it ended."""
        self.delayed_descriptors: int | None = None
        """How many descriptors were ready when it ended; None where that cannot be seen."""
        self.delayed_callbacks: int | None = None
        """How many callbacks were waiting for their turn when it ended; None where that cannot be seen."""
        self.spent = Spent(0.0)
        """What the loop's thread did with that time; nothing is known of it while it lasts."""

    @property
    def lasted(self) -> float:
        """How long it lasted, or has lasted until now, in seconds."""
        return (self.ended or monotonic()) - self.began

    @property
    def samples(self) -> int:
        """How often the loop's thread was looked at. 0: it held the interpreter's lock, or was over too soon."""
        return sum(count for _, count in self._noted)

    def sample(self, line: Mark | None, running: "TaskRecord | None") -> None:
        """Note that the loop's thread was seen at a line, in a task."""
        self.seen[line, None if running is None else running.id] += 1
        if running is not None:  # found out now: later nobody may know the task any more
            self._tasks[running.id] = running.name, running.owner

    @property
    def _noted(self) -> tuple[tuple[tuple[Mark | None, int | None], int], ...]:
        """What is in `seen`, taken at once: the watching thread may go on."""
        return tuple(self.seen.items())

    def _most(self, in_task: int | None = None) -> tuple[Mark | None, int | None]:
        """Return the line at which it was seen most often, and the task that ran there: in any task, or in this one."""
        noted = [one for one in self._noted if in_task in (None, one[0][1])]
        return max(noted, key=lambda one: (one[0][0] is not None, one[1]), default=((None, None), 0))[0]

    @property
    def mark(self) -> Mark | None:
        """The line at which it was seen most often."""
        return self._most()[0]

    def mark_in(self, task_id: int) -> Mark | None:
        """Return the line of one task at which it was seen most often; None if it was not seen in that task."""
        return self._most(task_id)[0]

    @property
    def task_id(self) -> int | None:
        """The id of the task that ran at that line; None if none did."""
        return self._most()[1]

    @property
    def task_name(self) -> str | None:
        """The name of that task."""
        return self._task[0]

    @property
    def owner(self) -> str | None:
        """Whose task that was."""
        return self._task[1]

    @property
    def _task(self) -> tuple[str, str] | tuple[None, None]:
        task = self.task_id
        return (None, None) if task is None else self._tasks[task]

    @property
    def place(self) -> Place | None:
        """The line at which it was seen most often."""
        return place_of(self.mark)

    @property
    def where(self) -> str | None:
        """That line, else the callback that blocks, in words; None if nothing was seen."""
        place = self.place
        if place is not None:
            return str(place)
        return None if self.callback is None else f"callback {self.callback}()"


class _Watch:
    """What the thread and the loop share, so that the thread keeps no loop alive."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.alarm: Alarm = new_alarm()
        self.vigil = new_vigil(loop, self.alarm)
        self.closing = False
        self._over = False
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleep until the alarm rings, or the loop is found awake that rested."""
        if self.vigil is None:
            self.alarm.wait()
        else:
            self.vigil.wait()

    def close(self) -> None:
        """Have the thread end. No effect if it has: what comes last may be the garbage collection of a closed loop."""
        with self._lock:
            self.closing = True
            if self.vigil is not None:
                self.vigil.on = False
            if not self._over:
                self.alarm.set(AT_ONCE)

    def end(self) -> None:
        """The thread ends."""
        with self._lock:
            self._over = True
            self.alarm.close()
            if self.vigil is not None:
                os.close(self.vigil.bell)


class Stalls(StallLimit):
    """The stall that lasts, if one does, and the latest that are over."""

    name = "stalls"

    def __init__(self, observation: "Observation", loop: asyncio.AbstractEventLoop, later: Later) -> None:
        super().__init__(DEFAULT_LIMIT)
        self.on = True
        """Whether a thread watches the loop while it runs."""
        self.current: Stall | None = None
        self.recent: deque[Stall] = deque(maxlen=KEPT)
        """Those that are over, oldest first."""
        self.count = 0
        """How many there were, ever, the current one included."""
        self.listeners: list[Callable[[Stall], object]] = []
        """Called with a stall as soon as it is noticed, *in the watching thread*, while the loop is still blocked."""
        self.resumed_at = 0.0
        """When the process went on the last time it was stopped, by `time.monotonic`: no stall has begun before."""
        self.observation = observation
        """Whose instrument it is."""
        self.lock = threading.Lock()
        """Held while what the loop's thread and the one that watches both change is changed."""
        self.cores = CoreClock()
        """Tells what the loop's thread did with its time."""
        self._rings_at = 0.0
        self._loop = loop
        self._beating = Beating(self, loop, later)
        self._watch: _Watch | None = None
        self._thread: threading.Thread | None = None
        self._loop_thread = 0
        self._runs = False

    @property
    def limit(self) -> float:
        """From how many seconds on it is a stall."""
        return self.longest

    @limit.setter
    def limit(self, seconds: float) -> None:
        self.longest = seconds
        self.put_off_at = 0.0  # the alarm is set anew when the loop wakes
        self._beating.hurry()

    def nudge(self) -> None:
        """Have a loop that rests turn. In any thread, at any line."""
        self._beating.nudge()

    @property
    def watched(self) -> bool:
        """Whether there is a thread that watches the loop."""
        return self._watch is not None

    @property
    def lag(self) -> float | None:
        """How long the latest beat took through the loop, in seconds; None where no beat is sent."""
        return self._beating.lag

    @property
    def rests(self) -> bool:
        """Whether the loop is so quiet that no beat is sent until it is found awake."""
        return self._beating.rests

    def begin(self) -> None:
        """The loop begins to run, in this thread."""
        self._loop_thread = threading.get_ident()
        now = monotonic()
        self.put_off(now)
        ticks = self.observation.ticks
        if ticks is None or not ticks.on:  # also where this is off: with a beat the loop opens its letters
            self._beating.begin(now)
        self._runs = True

    def put_off(self, now: float) -> None:
        """Have the thread look when the loop has not turned for the limit, and a little."""
        # Not in every tick, only once the little has passed: the alarm is a system call.
        self.put_off_at = now + self.limit / 4
        if self.on:
            self.cores.mark()
            if self._watch is None:
                self._start()
            self.ring_in(self.limit * 1.25)

    def hush(self) -> None:
        """Let the thread sleep on while the loop does, which puts the alarm off when it wakes."""
        self.put_off_at = 0.0
        if self._watch is not None:
            self._watch.alarm.hush()

    def ring_in(self, seconds: float) -> None:
        """Have the thread look after so many seconds, and not when it was to look before."""
        self._rings_at = monotonic() + seconds
        if self._watch is not None:
            self._watch.alarm.set(seconds)

    def _start(self) -> None:
        self._watch = _Watch(self._loop)
        self._beating.vigil = self._watch.vigil
        weakref.finalize(self, self._watch.close)
        self._thread = threading.Thread(
            target=_look_when_it_rings, args=(weakref.ref(self), self._watch), name="echotui-stalls", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """The loop does not run any more."""
        if self.current is not None:  # on uvloop no beat comes back to say that it is over
            self.over(self.current.began, monotonic())
        self._runs = False
        with self.lock:
            self._beating.end()
            self.cores.close()
        if self._watch is not None:
            self._watch.alarm.set(0)

    def close(self) -> None:
        """End the thread."""
        if self._watch is not None and self._thread is not None:
            self._watch.close()
            self._thread.join(PATIENCE)
            self._watch = self._thread = self._beating.vigil = None

    # -- in the watching thread

    def look(self) -> float:
        """Look once. Return after how many seconds to look again; 0 if the loop will put it off itself."""
        self.put_off_at = 0.0  # The alarm has rung: whoever wakes next sets it, see `put_off`.
        with self.lock:
            if self._runs and self._beating.found_awake():
                self._rings_at = self._beating.due or 0.0
        if not self.on:
            return 0
        if monotonic() - self._rings_at > self.limit / 4:
            # Nor could this thread run. If the process was stopped, the loop's thread knows in a moment.
            return self.limit / 4
        since = self._blocked_since()
        if since is None:
            return 0
        left = since + self.limit - monotonic()
        if left > 0:
            return left
        self._see(since)
        return self.limit / 2

    def _blocked_since(self) -> float | None:
        """Return since when the loop has not turned; None while it sleeps, or does not run."""
        since = self._awake_since()
        return None if since is None else max(since, self.resumed_at)

    def _awake_since(self) -> float | None:
        observation = self.observation
        ticks, running = observation.ticks, observation.tasks.running
        if ticks is not None and ticks.on:
            return None if ticks.asleep else ticks.awake_since
        if not self._runs or self._beating.rests:
            return None
        due = self._beating.due
        if due is None:
            due = self._beating.send()
        return min(due, observation.tasks.started) if running is not None and due < monotonic() else due

    def _see(self, since: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        with self.lock:
            if self._blocked_since() != since:
                return
            begins = self.current is None
            stall = self.current = self.current or self._new(since)
            _sample(stall, frame, self.observation.tasks.running)
            if not begins:
                return
            event = StallBegan(stall.id, stall.lasted, stall.where, stall.task_name, stall.task_id)
            # The journal is told once the loop turns: the time of it is then that of the end, which comes after.
            self.observation.leave(partial(self.observation.tell, event, stall.began + event.lasted))
        del frame
        self._tell_begin(stall, event)

    def _tell_begin(self, stall: Stall, event: StallBegan) -> None:
        with contextlib.suppress(Exception):  # the program's own filters and handlers may raise
            _log.warning("%s", event.sentence)
        for listener in tuple(self.listeners):
            try:
                listener(stall)
            except Exception as error:  # noqa: BLE001 - a listener is anybody's code
                self.listeners.remove(listener)
                name = getattr(listener, "__qualname__", repr(listener))
                self.observation.leave(partial(self.observation.report, name, error))

    # -- in the loop's thread

    def over(self, began: float, ended: float) -> None:
        """Note that the loop turns again."""
        if not self.on and self.current is None:
            return
        with self.lock:
            stall = self.current or self._new(began)
            self.current = None
            stall.began, stall.ended = max(stall.began, self.resumed_at), ended
            stall.spent = self.cores.spent(stall.began, ended)
            stall.delayed_timers = self.observation.timers.delayed(stall.began, ended, self.limit / 2)
            ready = getattr(self._loop, "_ready", None)
            stall.delayed_callbacks = None if ready is None else len(ready)
            self.recent.append(stall)
        # As a letter: it is opened after the next select, when it is known how many descriptors have waited.
        self.observation.leave(partial(self._tell_end, stall))

    def _tell_end(self, stall: Stall) -> None:
        ticks = self.observation.ticks
        stall.delayed_descriptors = None if ticks is None else ticks.ready_now
        self.observation.tell(
            StallEnded(
                stall.id,
                stall.lasted,
                stall.where,
                stall.task_name,
                stall.delayed_timers,
                stall.delayed_descriptors,
                stall.delayed_callbacks,
                stall.task_id,
                *stall.spent[1:],
            ),
            stall.ended,
        )

    def take_worst(self) -> float:
        """Return the longest `lag` since this was asked before, in seconds; 0 where no beat is sent."""
        worst, self._beating.worst = self._beating.worst, 0.0
        return worst

    def during(self, seconds: float) -> Stall | None:
        """Return the stall that was seen within the last `seconds`, if there is one."""
        stall = self.current or (self.recent[-1] if self.recent else None)
        return stall if stall is not None and (stall.ended or monotonic()) >= monotonic() - seconds else None

    def _new(self, began: float) -> Stall:
        self.count += 1
        return Stall(self.count, began)


def _look_when_it_rings(stalls: "weakref.ref[Stalls]", watch: _Watch) -> None:
    """Look at the loop whenever it has not put the alarm off, until it is closed. The thread's main function."""
    if hasattr(signal, "pthread_sigmask"):
        # The loop's thread has to get it, before it goes on: a step that it was stopped in is timed from there.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
    while True:
        watch.wait()
        here = None if watch.closing else stalls()
        if here is None:
            watch.end()
            return
        try:
            again = here.look()
            with here.lock:
                if again and not watch.closing and not here.rests:
                    here.ring_in(max(again, AT_ONCE))
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop must not know
            if not watch.closing and not here._loop.is_closed():
                here.observation.leave(partial(here.observation.disable, here, error))
                here.on = False
        del here


def _sample(stall: Stall, frame: FrameType | None, running: "TaskRecord | None") -> None:
    """Note at which line the loop's thread is, and in which task."""
    line: Mark | None = None
    for _ in range(STACK_LOOKED_AT):
        if frame is None:
            break
        if line is None and not _is_stdlib(frame):
            line = frame.f_code, frame.f_lasti
        if frame.f_code is asyncio.Handle._run.__code__:
            handle = frame.f_locals.get("self")
            stall.callback = name_of(getattr(handle, "_callback", None))
        if id(frame.f_code) in BOTTOMS:
            break
        frame = frame.f_back
    stall.sample(line, running)


def _is_stdlib(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return id(frame.f_globals) in MACHINERY or (
        file.startswith(_STDLIB) and not any(part in file for part in _INSTALLED)
    )


MACHINERY.add(id(globals()))
