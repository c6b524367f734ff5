"""Every task: what it is doing, what it has cost, who made it.

Steps are seen from outside the coroutine: a task asks its loop to `call_soon` each step, so the loop can time it there.
Nothing is put between a task and its coroutine: ``get_coro``, stacks, tracebacks and tools that read a process's memory
(``python -m asyncio pstree``) find the very objects they would find on a bare loop.
"""

import asyncio
import sys
import weakref
from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum
from time import monotonic
from types import BuiltinFunctionType, CodeType, FrameType
from typing import TYPE_CHECKING, Any

from .cancellations import recognise
from .places import BOTTOMS, MACHINERY, Mark, Place, innermost_mark, place_of, program_mark
from .waiting import Wait, what_a_task_waits_for

if TYPE_CHECKING:
    from .cancellations import Cancellation
    from .observation import Observation

#: How many ended tasks stay visible.
ENDED_KEPT = 1_000

#: A step at least this long, in seconds, is compared with the loop's own limit for slow callbacks.
WORTH_A_LOOK = 0.001

#: How many codes are remembered with their owner.
OWNERS_KEPT = 10_000

#: How much of what an exception says is kept.
ERROR_KEPT = 200


class TaskState(StrEnum):
    """Where a task is in its life."""

    CREATED = "created"
    """It has not run yet."""
    READY = "ready"
    """What it waited for is over; it runs in one of the next ticks."""
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    """It was asked to end, and has not ended."""
    FINISHED = "finished"
    FAILED = "failed"
    """It ended with an exception."""
    CANCELLED = "cancelled"
    DESTROYED = "destroyed"
    """It was collected as garbage before it ended."""


class TaskRecord:
    """What is true of one task now, and what was, once it has ended.

    Times are by the clock of `time.monotonic`, in seconds; so are durations.
    """

    # Defaults live on the class: a record is made for every task, and most never get past a few of these.
    steps = 0
    """How often it has run."""
    busy = 0.0
    """How long it has run, in all its steps. What a task that starts eagerly inside one of them takes is not in it."""
    longest = 0.0
    """Its longest step."""
    eager = False
    """Whether its first step ran while it was created."""
    ended_at: float | None = None
    error: str | None = None
    """The exception it ended with."""
    error_mark: Mark | None = None
    histogram: Counter[int] | None = None
    """How many steps took less than 2ⁿ µs, by n, since `Tasks.keep_histogram`; None if nobody asked."""
    unsettled: "tuple[Cancellation, ...]" = ()
    """The cancellations whose outcome is open, oldest first."""
    cancellations: "tuple[Cancellation, ...]" = ()
    """The latest cancellations, open or not, oldest first."""
    _name: str | None = None
    _outcome: TaskState | None = None
    _owner: str | None = None

    def __init__(
        self, tasks: "Tasks", id: int, code: CodeType | None, made: Mark | None, creator: "TaskRecord | None", since: float
    ) -> None:
        self.tasks = tasks
        self.id = id
        """Its number among the tasks of its loop, from 1."""
        self.code = code
        """The code of its coroutine; None where that is not written in Python."""
        self.made = made
        self.creator_id = None if creator is None else creator.id
        """The id of the task that made it; None if it was not made in a task."""
        self.since = since
        """When its latest step ended, or when it was made."""
        self.task: weakref.ref[Task] | None = None

    @property
    def name(self) -> str:
        """Its name now, or when it ended."""
        task = self.task and self.task()
        return task.get_name() if task else self._name or f"task {self.id}"

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
        if self._owner is None:
            self._owner = self.tasks.owner_of(self)
        return self._owner

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._outcome is not None

    @property
    def state(self) -> TaskState:
        """Where it is in its life."""
        if self._outcome is not None:
            return self._outcome
        task: Any = self.task and self.task()
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
        task = self.task and self.task()
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
        task: Any = self.task and self.task()
        for callback, _ in (task and task._callbacks) or ():
            holder = getattr(callback, "__self__", None)
            if isinstance(holder, asyncio.TaskGroup):
                return holder
        return None

    @property
    def unretrieved(self) -> bool:
        """Whether it failed, still exists, and nobody has asked for its exception: asyncio is silent about it till it goes."""
        task: Any = self.task and self.task()
        return bool(task is not None and task.done() and task._log_traceback)


class Task(asyncio.Task[Any]):
    """The task of an observed loop: an asyncio.Task whose record is kept.

    It has the name of its parent, because its ``repr`` shows that.
    """

    __slots__ = ("record",)
    record: TaskRecord

    def observed_step(self, step: Callable[..., object], *args: Any) -> None:
        """Run one step, and note what it took. The loop calls this in place of `step`."""
        record = self.record
        tasks = record.tasks
        if record.unsettled:
            tasks.cancellations.before_step(self, args)
        tasks.running = record
        tasks.started = monotonic()
        try:
            step(*args)
        finally:
            now = monotonic()
            took = now - tasks.started
            tasks.running = None
            record.since = now
            record.steps += 1
            record.busy += took
            if took > record.longest:
                record.longest = took
            if took > WORTH_A_LOOK or record.unsettled or record.histogram is not None:
                tasks.look_at_step(self, took)
            if self.done():
                tasks.end(self, record)

    def cancel(self, msg: Any | None = None) -> bool:
        """Ask the task to end, as `asyncio.Task.cancel` does, and note who asks."""
        if self.done():
            return False
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


# What asyncio's tasks hand to call_soon: for a first step and after ``sleep(0)`` an object of a type with no public name,
# after a wait a builtin method of the task. Both tell their task as ``__self__``.
WAKEUP = BuiltinFunctionType
WAKEUP_NAME = "task_wakeup"


def _find_step_type() -> type:
    """Return the type of the callable that a task schedules for its first step."""
    found: list[type] = []

    class Catch(asyncio.AbstractEventLoop):
        def get_debug(self) -> bool:
            return False

        def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
            found.append(type(callback))
            return asyncio.Handle(callback, args, self)

        def call_exception_handler(self, context: dict[str, Any]) -> None:
            """Say nothing: the task below is dropped on purpose."""

    async def nothing() -> None:
        """Never run."""

    coroutine = nothing()
    task: Any = asyncio.Task(coroutine, loop=Catch())
    task._log_destroy_pending = False
    del task
    coroutine.close()
    return found[0]


FIRST_STEP = _find_step_type()

BOTTOMS.add(id(Task.observed_step.__code__))
recognise("its awaiter", Task.cancel)
MACHINERY.add(id(globals()))


class Tasks:
    """All tasks of one loop: the live ones, and the latest that have ended.

    Tasks that are made without the loop (`asyncio.Task` called directly, or by a task factory that is not asyncio's own)
    are not observed.
    """

    name = "tasks"

    def __init__(self, observation: "Observation", classify: Callable[[CodeType], str | None]) -> None:
        self.on = True
        """Whether new tasks are observed."""
        self.live: dict[int, TaskRecord] = {}
        """The tasks that have not ended, by id."""
        self.ended: deque[TaskRecord] = deque(maxlen=ENDED_KEPT)
        self.made = 0
        """How many were made, ever."""
        self.ended_count = 0
        """How many have ended, ever."""
        self.unobserved = 0
        """How many a task factory has made that are not observed."""
        self.busy_by_owner: Counter[str] = Counter()
        """How long the tasks that have ended ran, in seconds, by owner."""
        self.running: TaskRecord | None = None
        self.started = 0.0
        """When the running step began."""
        self.classify = classify
        """Says whose a coroutine is, from its code; None if it is its creator's."""
        self.cancellations = observation.cancellations
        self._observation = observation
        self._owners: dict[int, tuple[CodeType, str | None]] = {}

    @property
    def forgotten(self) -> int:
        """How many ended tasks are no longer kept."""
        return self.ended_count - len(self.ended)

    def get(self, id: int | None) -> TaskRecord | None:
        """Return the task with this id if it is live or still kept."""
        if id is None:
            return None
        return self.live.get(id) or next((record for record in self.ended if record.id == id), None)

    def record_of(self, task: object) -> TaskRecord | None:
        """Return the record of a task; None if it is not observed."""
        return getattr(task, "record", None) if isinstance(task, Task) else None

    def children(self, id: int) -> list[TaskRecord]:
        """Return the live tasks that this one has made."""
        return [record for record in self.live.values() if record.creator_id == id]

    def keep_histogram(self, record: TaskRecord) -> None:
        """Count the steps of a task by their length from now on."""
        if record.histogram is None:
            record.histogram = Counter()

    def destroyed(self, record: TaskRecord) -> None:
        """Note that a live task is being collected as garbage."""
        if not record.ended:
            record._name = record.name
            self._forget(record, TaskState.DESTROYED)

    def last_mark(self, record: TaskRecord) -> Mark | None:
        """Return the line at which a task waits; None if it has ended."""
        task = record.task and record.task()
        return None if task is None else innermost_mark(task.get_coro())

    def sweep(self) -> None:
        """Move what was collected as garbage before it ended out of the live tasks."""
        for record in list(self.live.values()):
            if record.task is None or record.task() is None:
                self._forget(record, TaskState.DESTROYED)

    def make(self, loop: asyncio.AbstractEventLoop, coro: Any, frame: FrameType | None, **kwargs: Any) -> Task:
        """Return a new observed task. `frame` is who asked for it."""
        now = monotonic()
        self.made += 1
        creator = self.running
        record = TaskRecord(self, self.made, getattr(coro, "cr_code", None), program_mark(frame), creator, now)
        if kwargs.get("eager_start"):
            return self._make_eagerly(record, loop, coro, kwargs)
        task = Task(coro, loop=loop, **kwargs)
        task.record = record
        record.task = weakref.ref(task)
        self.live[record.id] = record
        if creator is not None and creator.unsettled:
            self._observation.complaints.made_while_cancelled(record, creator)
        return task

    def _make_eagerly(
        self, record: TaskRecord, loop: asyncio.AbstractEventLoop, coro: Any, kwargs: dict[str, Any]
    ) -> Task:
        """Make a task that runs its first step at once, inside the step that makes it."""
        task: Task = Task.__new__(Task)
        task.record = record
        record.task = weakref.ref(task)
        outer, outer_started = self.running, self.started
        self.live[record.id] = record
        # Without a running loop asyncio does not start it now, whatever it was asked.
        record.eager = asyncio._get_running_loop() is loop
        self.running, self.started = record, record.since
        try:
            Task.__init__(task, coro, loop=loop, **kwargs)
        except BaseException:
            del self.live[record.id]
            raise
        finally:
            now = monotonic()
            took = now - self.started
            self.running = outer
            # The time since is not the outer step's own.
            self.started = outer_started + (now - record.since)
        if record.eager:
            record.since = now
            record.steps = 1
            record.busy = record.longest = took
            if took > WORTH_A_LOOK or record.unsettled:
                self.look_at_step(task, took)
        if task.done():
            self.end(task, record)
        return task

    def look_at_step(self, task: Task, took: float) -> None:
        """Look closer at a step that was long, or of a task that is being cancelled or studied."""
        record = task.record
        try:
            if record.histogram is not None:
                record.histogram[int(took * 1e6).bit_length()] += 1
            if record.unsettled:
                self.cancellations.after_step(task)
            if took >= self._observation.slow_callback_duration:
                self._observation.complaints.slow_step(record, took)
        except Exception as error:  # noqa: BLE001 - nothing here may break the step that has just run
            self._observation.disable(self, error)

    def end(self, task: Task, record: TaskRecord) -> None:
        """Note how a task has ended, without retrieving its exception."""
        try:
            self._end(task, record)
        except Exception as failure:  # noqa: BLE001 - nothing here may break the step that has just run
            self._observation.disable(self, failure)

    def _end(self, task: Task, record: TaskRecord) -> None:
        outcome = TaskState.FINISHED
        if task.cancelled():
            outcome = TaskState.CANCELLED
        else:
            error: BaseException | None = task._exception
            if error is not None:
                outcome = TaskState.FAILED
                record.error = describe(error)
                record.error_mark = raised_at(error)
        record._name = task.get_name()
        self._forget(record, outcome)

    def _forget(self, record: TaskRecord, outcome: TaskState) -> None:
        record._outcome = outcome
        record.ended_at = record.since
        self.live.pop(record.id, None)
        self.ended.append(record)
        self.ended_count += 1
        if record.unsettled:
            self.cancellations.task_ended(record)
        self.busy_by_owner[record.owner] += record.busy  # type: ignore[assignment]

    def owner_of(self, record: TaskRecord) -> str:
        """Ask the classifier whose task it is. If it is asyncio's own, then its creator's."""
        code = record.code
        if code is None:
            return "program"
        known = self._owners.get(id(code))
        if known is None:
            if len(self._owners) >= OWNERS_KEPT:
                self._owners.clear()
            try:
                known = (code, self.classify(code))
            except Exception as error:  # noqa: BLE001 - a classifier is anybody's code
                self.classify = _nobody_knows
                self._observation.disable(self, error)
                return "program"
            self._owners[id(code)] = known
        if known[1] is not None:
            return known[1]
        creator = self.get(record.creator_id)
        return "program" if creator is None else creator.owner


def _nobody_knows(code: CodeType) -> str:
    return "program"


def describe(error: BaseException) -> str:
    """Return the type of an exception and what it says, at most `ERROR_KEPT` characters of it."""
    try:
        said = str(error)
    except Exception as unspeakable:  # noqa: BLE001 - its ``__str__`` is anybody's code
        said = f"<its str() raised {type(unspeakable).__name__}>"
    kind = type(error).__name__
    return f"{kind}: {said[:ERROR_KEPT]}" if said else kind


def raised_at(error: BaseException) -> Mark | None:
    """Return the line that raised an exception; None if it was never raised."""
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code, traceback.tb_lasti
