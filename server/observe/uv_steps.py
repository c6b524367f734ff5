"""How an observed uvloop loop puts into its queue what is to be called in the next turn, and times the steps of tasks.

`uv_call_soon` is a method of the loop. It runs for every message: where that is possible, ``uv_steps.pyx`` stands in
for this, and does the same in C.
"""

import asyncio
from contextvars import Context
from threading import get_ident
from typing import Any

import uvloop

from .places import BOTTOMS, MACHINERY
from .scheduling import stepping_task
from .steps import FIRST_STEP
from .timing import begin_step, end_step

_bare_call_soon: Any = uvloop.Loop.call_soon


class UvStep:
    """One step of an observed task, which the loop's own handle calls in place of the task's."""

    __slots__ = ("args", "callback", "task")

    def __init__(self, task: Any, callback: Any, args: tuple[Any, ...]) -> None:
        self.task = task
        self.callback = callback
        self.args = args

    def __call__(self) -> None:
        """Run it, and note what it took."""
        task, callback, args = self.task, self.callback, self.args
        begin_step(task._echotui_record, task, args[0] if args else None)
        try:
            callback(*args)
        finally:
            end_step(task._echotui_record, task)
            del self, task, callback, args  # as in `TimedStep`

    def __repr__(self) -> str:
        return repr(self.callback)


def uv_call_soon(self: Any, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
    """Have something called in the next turn of a uvloop loop. A step of a task is timed."""
    tasks = self._echotui_tasks
    if type(callback) is not FIRST_STEP and tasks.thread != get_ident() and tasks.thread and not tasks.debug:
        self.observation.complaints.called_from_elsewhere("call_soon", callback)
    task = stepping_task(callback, args[0] if len(args) == 1 else None)
    handle: asyncio.Handle
    if task is None:
        handle = _bare_call_soon(self, callback, *args, context=context)
    else:
        handle = _bare_call_soon(self, UvStep(task, callback, args), context=context)
    return handle


uv_call_soon.__name__ = "call_soon"  # as whoever asks the loop for it would read on a bare one
BOTTOMS.add(id(UvStep.__call__.__code__))
MACHINERY.add(id(globals()))
