"""The task of an observed loop, and each of its steps.

Steps are seen from outside the coroutine: a task asks its loop to `call_soon` each step, so the loop can time it there.
Nothing is put between a task and its coroutine: ``get_coro``, stacks, tracebacks and tools that read a process's memory
(``python -m asyncio pstree``) find the very objects they would find on a bare loop.
"""

import asyncio
import sys
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from types import BuiltinFunctionType
from typing import Any

from .cancellations import recognise
from .places import BOTTOMS, MACHINERY
from .task_record import TaskRecord


class Task(asyncio.Task[Any]):
    """The task of an observed loop: an asyncio.Task whose record is kept.

    It has the name of its parent, because its ``repr`` shows that.
    """

    __slots__ = ("record",)
    record: TaskRecord
    _fut_waiter: Any

    def observed_step(self, step: Callable[..., object], woken_by: "asyncio.Future[Any] | None" = None) -> None:
        """Run one step, and note what it took. uvloop calls this in place of `step`; asyncio's has `Step` for it."""
        record = self.record
        tasks = record.tasks
        if record.unsettled:
            tasks.cancellations.before_step(self, woken_by)
        tasks.running = record
        tasks.started = monotonic()
        try:
            if woken_by is None:
                step()
            else:
                step(woken_by)
        finally:
            now = monotonic()
            took = now - tasks.started
            tasks.running = None
            record.since = now
            record.steps += 1
            record.busy += took
            if took > record.longest:
                record.longest = took
            if took > record.look_above:
                tasks.look_at_step(self, took)
            if self.done():
                tasks.end(self, record)
            # As in `Step._run`: what is left of this frame may belong to the traceback of a task that has failed.
            del self, step, woken_by

    def set_name(self, value: object) -> None:
        """Name the task, as `asyncio.Task.set_name` does."""
        super().set_name(value)
        self.record.given_name = self.get_name()

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the task to end, as `asyncio.Task.cancel` does, and note who asks."""
        if self.done():
            return super().cancel(msg)  # which takes its exception for retrieved
        cancellations = self.record.tasks.cancellations
        cancellation = cancellations.asked(self, msg, sys._getframe(1))
        outer, cancellations.asking = cancellations.asking, cancellation
        try:
            return super().cancel(msg)
        finally:
            cancellations.asking = outer

    def uncancel(self) -> int:
        """Take one request to end back, as `asyncio.Task.uncancel` does, and note it."""
        if self.record.cancellations:
            self.record.tasks.cancellations.uncancelled(self, sys._getframe(1))
        return super().uncancel()


class Step(asyncio.Handle):
    """One step of an observed task, in the queue of an asyncio loop. It does what `Task.observed_step` does.

    Said twice because it is the one place that runs for every message of every server: each call costs. A step that has
    run is used again for the next one (`Tasks.idle_steps`): to make one takes as long as to note all that it did.
    """

    __slots__ = ("task",)
    task: Task | None
    # What asyncio's own handles hold, for the type checker.
    _loop: Any
    _context: Context | None
    _callback: Callable[..., object] | None
    _args: tuple[Any, ...]
    _cancelled: bool
    _repr: str | None
    _source_traceback: list[Any] | None

    def _run(self) -> None:
        """Run the step, and note what it took."""
        task: Any = self.task
        record = task.record
        tasks = record.tasks
        args = self._args
        if record.unsettled:
            tasks.cancellations.before_step(task, args[0] if args else None)
        tasks.running = record
        tasks.started = monotonic()
        try:
            if args:
                self._context.run(self._callback, args[0])  # type: ignore[union-attr, arg-type]
            else:
                self._context.run(self._callback)  # type: ignore[union-attr, arg-type]
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - the loop tells its exception handler, and goes on
            message = f"Exception in callback {self._callback!r}"
            self._loop.call_exception_handler({"message": message, "exception": error, "handle": self})
        finally:
            now = monotonic()
            took = now - tasks.started
            tasks.running = None
            record.since = now
            record.steps += 1
            record.busy += took
            if took > record.longest:
                record.longest = took
            if took > record.look_above:
                tasks.look_at_step(task, took)
            if task.done():
                tasks.end(task, record)
        if self._source_traceback is None and len(tasks.idle_steps) < IDLE_KEPT:
            self.task = self._callback = self._context = None
            self._args = ()
            tasks.idle_steps.append(self)
        # A failed task's traceback may hold this frame (3.12, 3.13), and with these it would hold the task: a cycle,
        # which would keep it, and asyncio's complaint, until the garbage is collected.
        del self, task, args


# Its parent's name, because its ``repr`` shows that.
Step.__name__ = Step.__qualname__ = "Handle"

#: How many steps that have run are kept to be used again.
IDLE_KEPT = 1_000


# What asyncio's tasks hand to call_soon: for a first step and after ``sleep(0)`` an object of a type with no public
# name, after a wait a builtin method of the task, called with the future it waits for. Both tell their task as
# ``__self__``.
WAKEUP = BuiltinFunctionType


def woken_task(method: Any, args: tuple[Any, ...]) -> Any:
    """Return whose wakeup a builtin method is that is called with these arguments; None if it is no task's."""
    task = method.__self__
    return task if len(args) == 1 and type(task) is Task and args[0] is task._fut_waiter else None


def _find_step_type() -> type:
    """Return the type of the callable that a task schedules for its first step."""
    found: list[type] = []

    class Catch:
        """As much of a loop as a new task asks for."""

        def get_debug(self) -> bool:
            return False

        def call_soon(self, callback: object, **_: object) -> None:
            found.append(type(callback))

    async def nothing() -> None:
        """Never run."""

    coroutine = nothing()
    # With a name, else it would use up the "Task-1" of whoever makes the first task.
    catch: Any = Catch()
    task: Any = asyncio.Task(coroutine, loop=catch, name="nothing")
    task._log_destroy_pending = False
    del task
    coroutine.close()
    return found[0]


FIRST_STEP = _find_step_type()

BOTTOMS.update((id(Task.observed_step.__code__), id(Step._run.__code__)))
recognise("its awaiter", Task.cancel)
MACHINERY.add(id(globals()))
