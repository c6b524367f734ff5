"""The observed loop: every hook into a loop is here, and nothing but hooks.

`Observed` is what asyncio's and uvloop's loop have in common; `AsyncioLoop` is asyncio's. uvloop's is in ``uv.py``.
"""

import asyncio
import heapq
import selectors
import sys
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVarTuple

from .observation import Observation
from .places import BOTTOMS, MACHINERY, cut_off_ours
from .scheduling import OBSERVABLE, call_soon, create_task, process_events, stepping_task
from .selecting import new_selector
from .steps import FIRST_STEP
from .task_record import record_of
from .tasks import Tasks
from .timers import Timer
from .timing import Step
from .turning import run_once

_Arguments = TypeVarTuple("_Arguments")

_asyncio_tasks: Any = asyncio.tasks

if TYPE_CHECKING:
    # Two loops' stubs do not agree with each other, nor with the private parts of asyncio that are used here.
    _Loop: Any
else:
    _Loop = asyncio.AbstractEventLoop


class Observed(_Loop):  # type: ignore[misc]
    """What observing takes on any loop that runs asyncio's own tasks. To be mixed in before the loop's class."""

    observation: Observation
    """What is known of this loop."""
    _echotui_tasks: Tasks
    # A program may give its loop any attribute: but for that one, with no name that it would choose.
    eager_by_factory = True
    """Whether asyncio's eager factory makes eager tasks if one does not say ``eager_start``."""

    def run_forever(self) -> None:
        """Run until stopped."""
        if self._echotui_tasks.loop_is_over or self.is_running() or asyncio._get_running_loop() is not None:
            super().run_forever()  # which refuses
            return
        self.observation.begin()
        try:
            super().run_forever()
        finally:
            self.observation.end()

    def close(self) -> None:
        """Close the loop."""
        # What it lets go of while it closes may run a program's clean-up: that finds it closed, as on a bare loop.
        self._echotui_tasks.loop_is_over = not self.is_running()
        try:
            super().close()
        finally:
            self._echotui_tasks.loop_is_over = self.is_closed()
        self.observation.close()

    def set_task_factory(self, factory: Any) -> None:
        """Set what makes tasks. asyncio's eager factory goes on making observed ones."""
        super().set_task_factory(factory)
        self._echotui_tasks.factory = factory

    create_task = create_task

    def create_any_task(self, coro: Any, kwargs: dict[str, Any], frame: FrameType | None) -> Any:
        """Make a task where there is more to it than `create_task` knows. `frame` is who asked for it."""
        tasks = self._echotui_tasks
        elsewhere = tasks.thread not in {0, get_ident()}
        if elsewhere and not self.get_debug():
            self.observation.complaints.called_from_elsewhere("create_task", coro)
        eager = tasks.factory is not None and _is_eager_factory(tasks.factory)
        if not tasks.on or _asyncio_tasks.Task is not OBSERVABLE or (tasks.factory is not None and not eager):
            tasks.unobserved += 1
            if eager and not self.eager_by_factory:
                # uvloop 0.23 hands asyncio's eager factory an argument that this takes from Python 3.14 on only.
                return asyncio.Task(coro, loop=self, **kwargs)
            return super().create_task(coro, **kwargs)
        if eager:
            kwargs.setdefault("eager_start", self.eager_by_factory)
        if tasks.loop_is_over:
            raise RuntimeError("Event loop is closed")
        task: Any = tasks.make(self, coro, frame, kwargs)
        try:
            if elsewhere:
                task._echotui_record.creator_id = None  # the task that runs has not made it
            # One of our lines stands where a bare loop has asyncio's eager factory.
            cut_off_ours(task._source_traceback, but=1 if eager else 0)
            return task
        finally:
            # Else an exception of the task would hold this frame, and this frame the task.
            del task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what went wrong, and handle it as the loop does."""
        complaints = self.observation.complaints
        complaints.handled(context)
        outer, complaints.handling = complaints.handling, True
        try:
            super().call_exception_handler(context)
        finally:
            complaints.handling = outer


def _is_eager_factory(factory: Any) -> bool:
    """Whether a task factory is `asyncio.eager_task_factory`, which Textual sets, or another one for plain tasks."""
    eager: Any = getattr(asyncio, "eager_task_factory", None)
    if eager is None or getattr(factory, "__code__", None) is not eager.__code__:
        return False
    return factory.__closure__[0].cell_contents is asyncio.Task


class AsyncioLoop(Observed, asyncio.SelectorEventLoop):
    """asyncio's own selector loop, observed.

    Args:
        selector: what it waits with; the platform's best unless told otherwise.
    """

    # Asked for with each turn, or each call: this is quicker than its dictionary.
    __slots__ = (
        "_clock_resolution",
        "_debug",
        "_echotui_tasks",
        "_ready",
        "_scheduled",
        "_selector",
        "_stopping",
        "_timer_cancelled_count",
    )

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self.observation = Observation(self, lambda: self._scheduled, self.call_later, ticks=True)
        self._echotui_tasks = self.observation.tasks
        self._echotui_ticks = self.observation.ticks
        super().__init__(new_selector() if selector is None else selector)
        if self._echotui_ticks is not None:
            self._echotui_ticks.watch(self._selector)

    # What is below does what its parent does, in fewer calls: that pays for most of what is noted.

    _run_once = run_once
    _process_events = process_events
    call_soon = call_soon  # type: ignore[assignment] # it takes what its parent's takes

    def call_soon_in_debug_mode(self, callback: Any, args: tuple[Any, ...], context: Context | None) -> asyncio.Handle:
        self._check_thread()
        self._check_callback(callback, "call_soon")
        task = stepping_task(callback, args[0] if len(args) == 1 else None)
        handle: Any = (asyncio.Handle if task is None else Step)(callback, args, self, context)
        if task is not None:
            handle.task = task
        # Where a task is made, one of our lines stands where a bare loop has its `create_task`.
        record: Any = record_of(task)
        has_begun = record is not None and (record.steps > 0 or not record.eager)
        goes_on = has_begun and record is self._echotui_tasks.running
        cut_off_ours(handle._source_traceback, but=1 if type(callback) is FIRST_STEP and not goes_on else 0)
        self._ready.append(handle)
        return handle  # type: ignore[no-any-return]

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have something called at a time of the loop's clock."""
        if when is None:
            raise TypeError("when cannot be None")
        if self._closed:
            self._check_closed()
        observation = self.observation
        timers, setter = observation.timers, observation.tasks.running
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        elif self._thread_id != get_ident() and self._thread_id is not None:
            setter = None  # the task that runs has not set it
            later = sys._getframe(1).f_code is _CALL_LATER
            observation.complaints.called_from_elsewhere("call_later" if later else "call_at", callback)
        timer: Any = Timer(when, callback, args, self, context, timers, setter)
        timers.made += 1
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer  # type: ignore[no-any-return]


_CALL_LATER = asyncio.BaseEventLoop.call_later.__code__
BOTTOMS.add(id(Observed.run_forever.__code__))
MACHINERY.add(id(globals()))
