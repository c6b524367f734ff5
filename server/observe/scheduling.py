"""How observed loops make a task, and put into their queue what is to be called in the next turn.

`create_task`, `call_soon` and `process_events` are methods of the loops. They run for every message: compiled where
that is possible, as ``timing.py`` is.
"""

import asyncio
from contextvars import Context, copy_context
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import TYPE_CHECKING, Any

from ..native import (
    Attribute,
    address,
    back_of,
    call,
    calling_frame,
    code_of,
    globals_of,
    offset_of,
    self_of,
    this_thread,
)
from .places import MACHINERY, cut_off_ours, program_mark
from .steps import FIRST_STEP, WAKEUP, Task
from .task_record import TaskRecord
from .timing import enter_task, same_mark, timed_step

if TYPE_CHECKING:
    from .tasks import Tasks

_tasks = Attribute("_echotui_tasks")
_future_waited_for = Attribute("_fut_waiter")
_asyncio_names: Any = vars(asyncio.tasks)

#: The task class that ours is one of. Where somebody has put another in its place, that one is made, and not observed.
OBSERVABLE = asyncio.Task


def create_task(self: Any, coro: Any, **kwargs: Any) -> Any:
    """Make an observed task of a coroutine.

    A task factory that was set is used: asyncio's eager one with observed tasks; what any other makes is its own.
    """
    tasks = self._echotui_tasks
    frame = calling_frame()
    if kwargs and (len(kwargs) > 1 or kwargs.get("name", kwargs) is not None):
        return self.create_any_task(coro, kwargs, frame)
    return _create_task(self, tasks, coro, kwargs, frame)


def _create_task(loop: Any, tasks: "Tasks", coro: Any, kwargs: dict[str, Any], frame: Any) -> Any:
    if (
        frame is None
        or tasks.factory is not None
        or tasks.thread != this_thread()
        or not tasks.on
        or tasks.loop_is_over
        or _asyncio_names["Task"] is not OBSERVABLE
    ):
        return loop.create_any_task(coro, kwargs, frame)
    # What `Tasks.make` does, where there is nothing to it: programs make tasks by the thousand.
    code = code_of(frame)
    if code is _CREATE_TASK:
        frame = back_of(frame)
        if frame is None:
            return loop.create_any_task(coro, kwargs, None)
        code = code_of(frame)
    made = program_mark(frame) if address(globals_of(frame)) in MACHINERY else same_mark(tasks, code, offset_of(frame))
    if tasks.numbers >= tasks.sweep_at:
        tasks.sweep()
    record = TaskRecord(tasks, coro, made)
    try:
        task: Any = call(Task, (coro,), tasks.task_arguments)
    except BaseException:  # it is no coroutine: whoever asked is told, and nobody has this number
        tasks.spoilt += 1
        raise
    enter_task(tasks, task, record)
    creator = tasks.running
    if creator is not None and creator.unsettled:
        loop.observation.complaints.made_while_cancelled(record, creator)
    if task._source_traceback:
        cut_off_ours(task._source_traceback)
    return task


def stepping_task(callback: Any, argument: Any) -> Any:
    """Return whose step a callback is; None if it is no observed task's.

    `argument` is the only one that it is called with; None if there is none, or more than one.
    """
    kind = type(callback)
    if kind is FIRST_STEP:  # asked in `create_task`, or by the task itself
        task = callback.__self__
        return task if type(task) is Task else None
    if kind is WAKEUP and argument is not None:
        task = self_of(callback)
        return task if type(task) is Task and argument is _future_waited_for.of(task) else None
    return None


def call_soon(self: Any, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
    """Have something called in the next turn of an asyncio loop. A step of a task is timed."""
    return _call_soon(self, _tasks.of(self), callback, args, context)


def _call_soon(
    loop: Any, tasks: "Tasks", callback: Any, args: tuple[Any, ...], context: Context | None
) -> asyncio.Handle:
    if tasks.loop_is_over:
        loop._check_closed()
    if loop._debug:
        return loop.call_soon_in_debug_mode(callback, args, context)  # type: ignore[no-any-return]
    # `create_task` asks by itself.
    if type(callback) is not FIRST_STEP and tasks.thread != this_thread() and tasks.thread:
        loop.observation.complaints.called_from_elsewhere("call_soon", callback)
    handle: Any
    task = stepping_task(callback, args[0] if len(args) == 1 else None)
    if task is not None:
        handle = timed_step(task, callback, args, copy_context() if context is None else context, loop)
    else:
        handle = asyncio.Handle(callback, args, loop, context)
    loop._ready.append(handle)
    return handle  # type: ignore[no-any-return]


def process_events(self: Any, events: list[tuple[SelectorKey, int]]) -> None:
    """Put into the queue of an asyncio loop what belongs to the descriptors that are ready."""
    ready = self._ready
    for key, mask in events:
        enqueue(self, ready, key, key.data, mask)


def enqueue(loop: Any, ready: Any, key: SelectorKey, handles: tuple[Any, Any], mask: int) -> None:
    """Put into the queue what belongs to one that is ready: its reader, its writer, or both."""
    reader, writer = handles
    if mask & EVENT_READ and reader is not None:
        if reader._cancelled:
            loop._remove_reader(key.fileobj)
        else:
            ready.append(reader)
    if mask & EVENT_WRITE and writer is not None:
        if writer._cancelled:
            loop._remove_writer(key.fileobj)
        else:
            ready.append(writer)


_CREATE_TASK = asyncio.create_task.__code__  # noqa: TID251 - it is not called

MACHINERY.add(id(globals()))
