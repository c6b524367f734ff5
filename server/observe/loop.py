"""The observed loop: every hook into a loop is here, and nothing but hooks.

`Observed` is what asyncio's and uvloop's loop have in common; `AsyncioLoop` is asyncio's. uvloop's is in ``uv.py``.
"""

import asyncio
import heapq
import selectors
import sys
from collections.abc import Callable
from contextvars import Context, copy_context
from selectors import EVENT_READ, EVENT_WRITE
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVarTuple
from weakref import ref

from .observation import Observation
from .places import BOTTOMS, MACHINERY, program_mark
from .selecting import new_selector
from .steps import FIRST_STEP, WAKEUP, Step, Task, woken_task
from .task_record import TaskRecord
from .timers import Timer

_Arguments = TypeVarTuple("_Arguments")

_asyncio_tasks: Any = asyncio.tasks

#: The task class that ours is one of. Where somebody has put another in its place, that one is made, and not observed.
OBSERVABLE = asyncio.Task


if TYPE_CHECKING:
    # Two loops' stubs do not agree with each other, nor with the private parts of asyncio that are used here.
    _Loop: Any
else:
    _Loop = asyncio.AbstractEventLoop


class Observed(_Loop):  # type: ignore[misc]
    """What observing takes on any loop that runs asyncio's own tasks. To be mixed in before the loop's class."""

    observation: Observation
    """What is known of this loop."""
    factory: Any
    """The task factory that was set; None if none was."""
    is_over: bool
    """Whether it is closed: what `is_closed` says, for the price of an attribute."""
    eager_by_factory = True
    """Whether asyncio's eager factory makes eager tasks if one does not say ``eager_start``."""

    def run_forever(self) -> None:
        """Run until stopped."""
        if self.is_over or self.is_running() or asyncio._get_running_loop() is not None:
            super().run_forever()  # which refuses
            return
        self.observation.begin()
        try:
            super().run_forever()
        finally:
            self.observation.end()

    def close(self) -> None:
        """Close the loop."""
        super().close()
        self.is_over = True
        self.observation.close()

    def set_task_factory(self, factory: Any) -> None:
        """Set what makes tasks. asyncio's eager factory goes on making observed ones."""
        super().set_task_factory(factory)
        self.factory = factory

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        """Make an observed task of a coroutine.

        A task factory that was set is used: asyncio's eager one with observed tasks; what any other makes is its own.
        """
        observation = self.observation
        tasks = observation.tasks
        if (
            (kwargs and (len(kwargs) > 1 or kwargs.get("name", kwargs) is not None))
            or self.factory is not None
            or observation.complaints.thread != get_ident()
            or not tasks.on
            or self.is_over
            or _asyncio_tasks.Task is not OBSERVABLE
        ):
            return self._create_task(coro, kwargs, sys._getframe(1))
        # What `Tasks.make` does, where there is nothing to it: programs make tasks by the thousand.
        frame: Any = sys._getframe(1)
        code = frame.f_code
        if code is _CREATE_TASK:
            frame = frame.f_back
            code = frame.f_code
        made = program_mark(frame) if id(frame.f_globals) in MACHINERY else (code, frame.f_lasti)
        if tasks.numbers >= tasks.sweep_at:
            tasks.sweep()
        record = TaskRecord(tasks, coro, made)
        try:
            task: Any = Task(coro, loop=self)
        except BaseException:  # it is no coroutine: whoever asked is told, and nobody has this number
            tasks.spoilt += 1
            raise
        task.record = tasks.live[record.id] = record
        record._task = ref(task)
        creator = tasks.running
        if creator is not None and creator.unsettled:
            observation.complaints.made_while_cancelled(record, creator)
        if task._source_traceback:
            del task._source_traceback[-1]  # this method is no part of the program
        return task

    def _create_task(self, coro: Any, kwargs: dict[str, Any], frame: FrameType) -> Any:
        """Make any task. `frame` is who asked for it."""
        tasks = self.observation.tasks
        thread = self.observation.complaints.thread
        elsewhere = thread != get_ident() and thread is not None
        if elsewhere and not self.get_debug():
            self.observation.complaints.called_from_elsewhere("create_task", coro)
        eager = self.factory is not None and _is_eager_factory(self.factory)
        if not tasks.on or _asyncio_tasks.Task is not OBSERVABLE or (self.factory is not None and not eager):
            tasks.unobserved += 1
            if eager and not self.eager_by_factory:
                # uvloop 0.23 hands asyncio's eager factory an argument that this takes from Python 3.14 on only.
                return asyncio.Task(coro, loop=self, **kwargs)
            return super().create_task(coro, **kwargs)
        if eager:
            kwargs.setdefault("eager_start", self.eager_by_factory)
        if self.is_over:
            raise RuntimeError("Event loop is closed")
        task: Any = tasks.make(self, coro, frame, kwargs)
        try:
            if elsewhere:
                task.record.creator_id = None  # the task that runs has not made it
            if task._source_traceback:
                # This method, the one above it and the one below it are no part of the program. The one above it stands
                # where a bare loop has asyncio's eager factory.
                del task._source_traceback[-2 if eager else -3 :]
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

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self.factory = None
        self.is_over = False
        self.observation = Observation(self, lambda: self._scheduled, self.call_later, ticks=True)
        self._idle_steps = self.observation.tasks.idle_steps
        super().__init__(new_selector() if selector is None else selector)
        if self.observation.ticks is not None:
            self.observation.ticks.watch(self._selector)

    # What is below does what its parent does, in fewer calls: that pays for most of what is noted.

    def _process_events(self, event_list: list[tuple[selectors.SelectorKey, int]]) -> None:
        ready = self._ready
        for key, mask in event_list:
            reader, writer = key.data
            if mask & EVENT_READ and reader is not None:
                if reader._cancelled:
                    self._remove_reader(key.fileobj)
                else:
                    ready.append(reader)
            if mask & EVENT_WRITE and writer is not None:
                if writer._cancelled:
                    self._remove_writer(key.fileobj)
                else:
                    ready.append(writer)

    def call_soon(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Have something called in the next turn. A step of a task is timed."""
        if self._closed:
            self._check_closed()
        if self._debug:
            return self._call_soon_in_debug_mode(callback, args, context)
        handle: Any
        step: Any = callback
        kind = type(step)
        if kind is FIRST_STEP:  # asked in `create_task`, or by the task itself
            task = step.__self__
        else:
            if self._thread_id != get_ident() and self._thread_id is not None:
                self.observation.complaints.called_from_elsewhere("call_soon", callback)
            task = woken_task(step, args) if kind is WAKEUP else None
        if type(task) is Task:
            idle = self._idle_steps
            if idle:
                handle = idle.pop()
                handle._callback = callback
                handle._args = args
                handle._context = copy_context() if context is None else context
            else:
                handle = Step(callback, args, self, context)
            handle.task = task
        else:
            handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle  # type: ignore[no-any-return]

    def _call_soon_in_debug_mode(self, callback: Any, args: tuple[Any, ...], context: Context | None) -> asyncio.Handle:
        self._check_thread()
        self._check_callback(callback, "call_soon")
        kind = type(callback)
        task = callback.__self__ if kind is FIRST_STEP else woken_task(callback, args) if kind is WAKEUP else None
        handle: Any = (Step if type(task) is Task else asyncio.Handle)(callback, args, self, context)
        if type(task) is Task:
            handle.task = task
        if handle._source_traceback:
            del handle._source_traceback[-2:]
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
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        elif self._thread_id != get_ident() and self._thread_id is not None:
            later = sys._getframe(1).f_code is _CALL_LATER
            self.observation.complaints.called_from_elsewhere("call_later" if later else "call_at", callback)
        observation = self.observation
        timers = observation.timers
        timer: Any = Timer(when, callback, args, self, context, timers, observation.tasks.running)
        if self._debug and timer._source_traceback:
            del timer._source_traceback[-1]
        timers.made += 1
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer  # type: ignore[no-any-return]


_CALL_LATER = asyncio.BaseEventLoop.call_later.__code__
_CREATE_TASK = asyncio.create_task.__code__  # noqa: TID251 - it is not called
BOTTOMS.add(id(Observed.run_forever.__code__))
MACHINERY.add(id(globals()))
