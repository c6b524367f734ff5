"""The task of an observed loop, and each of its steps.

Steps are seen from outside the coroutine: a task asks its loop to `call_soon` each step, so the loop can time it there.
Nothing is put between a task and its coroutine: ``get_coro``, stacks, tracebacks and tools that read a process's memory
(``python -m asyncio pstree``) find the very objects they would find on a bare loop.
"""

import asyncio
from types import BuiltinFunctionType
from typing import Any

from .cancellations import recognise
from .places import MACHINERY, caller
from .task_record import TaskRecord


class Task(asyncio.Task[Any]):
    """The task of an observed loop: an asyncio.Task whose record is kept.

    It has the name of its parent, because its ``repr`` shows that.
    """

    __slots__ = ("_echotui_record",)  # a program may give a task any attribute: with no name that it would choose
    _echotui_record: TaskRecord
    _fut_waiter: Any

    def set_name(self, value: object) -> None:
        """Name the task, as `asyncio.Task.set_name` does."""
        super().set_name(value)
        self._echotui_record.given_name = self.get_name()

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the task to end, as `asyncio.Task.cancel` does, and note who asks."""
        if self.done():
            return super().cancel(msg)  # which takes its exception for retrieved
        cancellations = self._echotui_record.tasks.cancellations
        cancellation = cancellations.asked(self, msg, caller(1))
        outer, cancellations.asking = cancellations.asking, cancellation
        try:
            return super().cancel(msg)
        finally:
            cancellations.asking = outer

    def uncancel(self) -> int:
        """Take one request to end back, as `asyncio.Task.uncancel` does, and note it."""
        if self._echotui_record.cancellations:
            self._echotui_record.tasks.cancellations.uncancelled(self, caller(1))
        return super().uncancel()


# What asyncio's tasks hand to call_soon: for a first step and after ``sleep(0)`` an object of a type with no public
# name, after a wait a builtin method of the task, called with the future it waits for. Both tell their task as
# ``__self__``.
WAKEUP = BuiltinFunctionType


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

recognise("its awaiter", Task.cancel)
MACHINERY.add(id(globals()))
