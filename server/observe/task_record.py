"""What is true of one task: counted while it runs, everything else read from the task when somebody looks."""

import asyncio
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .places import MACHINERY, Mark, Place, bound_to, place_of
from .timing import TaskData, TaskState
from .waiting import Wait, callbacks_of, what_a_task_waits_for

if TYPE_CHECKING:
    from .cancellations import Cancellation
    from .steps import Task

#: Less than any step takes: see `TaskRecord.look_above`.
LOOK_ALWAYS = -1.0

#: How much of what an exception says is kept.
ERROR_KEPT = 200


Value = TypeVar("Value")


class Rare(Generic[Value]):
    """An attribute of records that few of them have: what most have costs every task, in time and in memory.

    Args:
        default: what it is where nobody has set it.
    """

    def __init__(self, default: Value) -> None:
        self._default = default

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, record: "TaskRecord | None", _: type) -> Value:
        if record is None:
            return self._default
        rare = record.rare
        return self._default if rare is None else rare.get(self._name, self._default)

    def __set__(self, record: "TaskRecord", value: Value) -> None:
        record.rare = {**(record.rare or {}), self._name: value}  # a new one, as a copy of the record has the old one


class TaskRecord(TaskData):
    """What is true of one task now, and what was, once it has ended.

    Times are by the clock of `time.monotonic`, in seconds; so are durations.
    """

    __slots__ = ()
    error = Rare[str | None](None)
    """The exception it ended with."""
    error_mark = Rare[Mark | None](None)
    histogram = Rare[Counter[int] | None](None)
    """How many steps took less than 2ⁿ µs, by n, since `Tasks.keep_histogram`; None if nobody asked."""
    cancellations = Rare[tuple["Cancellation", ...]](())
    """The latest cancellations, open or not, oldest first."""
    made_late = Rare[list["TaskRecord"] | None](None)
    """The tasks that it has made while it is cancelled; None once that is over, or if there are none."""

    @property
    def task(self) -> "Task | None":
        """The task itself; None if it is gone."""
        return None if self._task is None else self._task()

    @property
    def name(self) -> str:
        """Its name; once it is gone, and if nobody gave it one, ``task`` and its `id`."""
        task = self.task
        return task.get_name() if task else self.given_name or f"task {self.id}"

    @property
    def function(self) -> str:
        """The name of its coroutine."""
        return "?" if self.code is None else self.code.co_qualname

    @property
    def made_at(self) -> Place | None:
        """The line of the program that made it; None where asyncio itself did."""
        return place_of(self.made)

    @property
    def error_at(self) -> Place | None:
        """The line that raised the exception it ended with."""
        return place_of(self.error_mark)

    @property
    def owner(self) -> str:
        """Whose task it is: ``server``, ``ui``, ``program``, or what `Tasks.classify` says."""
        return self.tasks.owner_of(self)

    @property
    def ended_at(self) -> float | None:
        """When it ended: at the end of its last step. None if it has not."""
        return None if self.outcome is None else self.since

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.outcome is not None

    @property
    def state(self) -> TaskState:
        """Where it is in its life."""
        if self.outcome is not None:
            return self.outcome
        task: Any = self.task
        if task is None:
            return TaskState.DESTROYED
        if task.cancelling() or self.unsettled:
            return TaskState.CANCELLING
        if self is self.tasks.running:
            return TaskState.RUNNING
        if task._fut_waiter is None or task._fut_waiter.done():
            return TaskState.READY if self.steps else TaskState.CREATED
        return TaskState.WAITING

    @property
    def wait(self) -> Wait | None:
        """Where it is suspended, and at what; None if it is not."""
        task = self.task
        if task is None or self.ended or self is self.tasks.running:
            return None
        return what_a_task_waits_for(task)

    @property
    def waiting_for(self) -> float | None:
        """How long its current wait has lasted; None if it has ended or is running."""
        return None if self.ended or self is self.tasks.running else monotonic() - self.since

    @property
    def group(self) -> asyncio.TaskGroup | None:
        """The `TaskGroup` it is in, if that has not let it go."""
        for callback in callbacks_of(self.task):
            holder = bound_to(callback)
            if isinstance(holder, asyncio.TaskGroup):
                return holder
        return None

    @property
    def unretrieved(self) -> bool:
        """Whether it failed, still exists, and nobody asked for its exception: asyncio is silent till it goes."""
        task: Any = self.task
        return bool(task is not None and task.done() and task._log_traceback)


def record_of(task: object) -> TaskRecord | None:
    """Return the record of a task; None if it is not observed."""
    return getattr(task, "_echotui_record", None) if isinstance(task, asyncio.Task) else None


def describe(error: BaseException) -> str:
    """Return the type of an exception and what it says, at most `ERROR_KEPT` characters of it."""
    kind, said = type(error).__name__, text_of(error)
    return f"{kind}: {said}" if said else kind


def text_of(something: object) -> str:
    """Return what something of the program's says of itself, at most `ERROR_KEPT` characters of it."""
    try:
        return str(something)[:ERROR_KEPT]
    except Exception as unspeakable:  # noqa: BLE001 - its ``__str__`` is anybody's code
        return f"<its str() raised {type(unspeakable).__name__}>"


MACHINERY.add(id(globals()))
