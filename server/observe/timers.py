"""Timers: every `call_later` and `call_at`, from when it is set to when it fires or is cancelled."""

import asyncio
import heapq
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, NamedTuple

from ..records import Connection
from ..value import value
from .places import MACHINERY, Place, bound_to, cut_off_ours, name_of, place_of
from .task_record import record_of
from .timing import TimerCounts, note_cancelled, note_fired
from .waiting import tasks_waiting_for

if TYPE_CHECKING:
    from .task_record import TaskRecord

# Called by these names, and not through `super`, which takes longer than what it finds before Python 3.12.
_run = asyncio.Handle._run
_cancel = asyncio.TimerHandle.cancel


class PastTimer(NamedTuple):
    """A timer that has fired, or was cancelled. Times are by the loop's clock, in seconds."""

    due: float
    lateness: float | None
    """How long after it was due it fired; None if it was cancelled."""
    at: float
    """When it fired or was cancelled."""
    callback: str
    """The name of its callback."""
    task_id: int | None
    """The id of the task that set it; None if no task did."""


@value
class LiveTimer:
    """A timer that is set. `due` is by the loop's clock, in seconds."""

    due: float
    callback: str
    place: Place | None
    """Where its callback is defined; None where that is not written in Python."""
    behind: str
    """What it is for: ``timeout of 'echo-17'``, ``sleep of 'pinger'``, or the name of its callback."""
    task_id: int | None
    """The id of the task it is for, else of the task that set it."""
    connection_id: int | None = None
    """The id of the connection that its callback belongs to, or is called with; None where it is no connection's."""


class Timer(asyncio.TimerHandle):
    """The timer handle of an observed loop: an asyncio.TimerHandle that knows which task set it, and tells its end."""

    __slots__ = ("inner", "name", "over", "setter", "timers")
    timers: "Timers"
    setter: "TaskRecord | None"
    """The task that set it; None if no task did."""
    name: str | None
    """The name of its callback; None if nobody has asked, see `find_name`."""
    over: bool
    """Whether it has fired."""
    inner: asyncio.TimerHandle | None
    """The loop's own handle, set only where that is of another make than asyncio's; None once it has fired."""
    # What asyncio's own handles hold.
    _when: float
    _scheduled: bool
    _cancelled: bool
    _loop: Any
    _callback: Callable[..., object] | None
    _args: Sequence[Any]
    _context: Context
    _repr: str | None
    _source_traceback: list[Any] | None

    def __init__(  # noqa: PLR0913, PLR0917 - what a handle is made of
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: Any,
        context: Context | None,
        timers: "Timers",
        setter: "TaskRecord | None",
    ) -> None:
        if loop.get_debug():
            super().__init__(when, callback, args, loop, context)
            cut_off_ours(self._source_traceback)
        else:
            # As its parents do, without calling them: that takes as long as all the rest of setting a timer.
            self._when = when
            self._scheduled = self._cancelled = False
            self._loop = loop
            self._callback = callback
            self._args = args
            self._context = copy_context() if context is None else context
            self._repr = self._source_traceback = None
        self.timers = timers
        self.setter = setter
        self.name = None
        self.over = False

    def _run(self) -> None:
        """Fire. The loop calls this when the timer is due."""
        self.over = True
        note_fired(self.timers, self._when, self.name, self._callback, self.setter)
        _run(self)

    def find_name(self) -> str:
        """Return the name of its callback, and keep it: a loop that often turns asks as often for its soonest timer."""
        name = self.name = name_of(self._callback)
        return name

    def let_go(self) -> None:
        """Hold nothing of the program any more: it has fired, and whoever keeps it keeps no more than uvloop's own."""
        self._callback, self._args = None, ()

    def cancel(self) -> None:
        """Cancel it, as `asyncio.TimerHandle.cancel` does. No effect if it has fired or is cancelled already."""
        if not self.over and not self._cancelled:
            note_cancelled(self.timers, self._when, self.name, self._callback, self.setter)
        _cancel(self)


# Its parent's name, because its ``repr`` shows that.
Timer.__name__ = Timer.__qualname__ = "TimerHandle"
MACHINERY.add(id(globals()))


class Timers(TimerCounts):
    """The timers of one loop: those that are set, and the latest that have fired or were cancelled."""

    name = "timers"

    def __init__(self, scheduled: Callable[[], Iterable[Timer]]) -> None:
        super().__init__()
        self._scheduled = scheduled

    @property
    def forgotten(self) -> int:
        """How many that fired or were cancelled are no longer kept."""
        return max(0, self.fired + self.cancelled - len(self.ring))

    @property
    def past(self) -> list[PastTimer]:
        """The latest that fired or were cancelled, oldest first."""
        return [PastTimer(*row) for row in self.ring]

    def soonest(self, count: int) -> list[LiveTimer]:
        """Return the next `count` timers that will fire, soonest first. Costs a look at every timer that is set."""
        return [_describe(timer) for timer in heapq.nsmallest(count, self._live(), key=_due)]

    def delayed(self, since: float, until: float, by: float) -> int:
        """Return how many timers were late by at least `by` seconds in a time of the loop's clock, or still are."""
        count = sum(1 for timer in self._live() if timer._when < until)
        for due, lateness, at, *_ in reversed(self.ring):
            if at < since:
                break
            count += lateness is not None and lateness >= by and due < until
        return count

    @property
    def live(self) -> int:
        """How many timers are set."""
        return self.made - self.fired - self.cancelled

    def _live(self) -> Iterable[Timer]:
        return (timer for timer in list(self._scheduled()) if not timer.cancelled())


def _due(timer: Timer) -> float:
    return timer._when


def _describe(timer: Timer) -> LiveTimer:
    callback = timer._callback
    code = getattr(callback, "__code__", None)
    behind, task = _behind(timer)
    return LiveTimer(
        due=timer._when,
        callback=name_of(callback),
        place=None if code is None else place_of((code, -1)),
        behind=behind,
        task_id=task.id if task else None,
        connection_id=next((one.id for one in _bound_to(timer) if isinstance(one, Connection)), None),
    )


def _bound_to(timer: Timer) -> tuple[object, ...]:
    """Return what the callback of a timer is called with, and what its object says it is about."""
    holder: Any = bound_to(timer._callback)
    return getattr(holder, "connection", None), *(timer._args or ())


def _behind(timer: Timer) -> "tuple[str, TaskRecord | None]":
    """Say what a timer is for: a timeout, a sleep, or what its callback is called."""
    holder: Any = bound_to(timer._callback)
    arguments: Sequence[Any] = timer._args or ()
    if isinstance(holder, asyncio.Timeout):
        task = holder._task  # type: ignore[attr-defined]
        return f"timeout of {task.get_name()!r}", record_of(task)
    words = _WORDS.get(name_of(timer._callback))
    if words is not None and arguments:
        for task in tasks_waiting_for(arguments[0]):
            return f"{words} of {task.get_name()!r}", record_of(task)
    return name_of(timer._callback), timer.setter


#: asyncio's own callbacks for timers, by name, and what they are for.
_WORDS = {"_set_result_unless_cancelled": "sleep", "_release_waiter": "wait_for"}
