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
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from types import BuiltinFunctionType, CodeType, FrameType
from typing import TYPE_CHECKING, Any

from .cancellations import LOOK_ALWAYS, recognise
from .places import BOTTOMS, MACHINERY, Mark, Place, innermost_mark, place_of, program_mark
from .waiting import Wait, what_a_task_waits_for

if TYPE_CHECKING:
    from .cancellations import Cancellation
    from .observation import Observation

#: How many ended tasks stay visible.
ENDED_KEPT = 1_000

#: A step at least this long, in seconds, is compared with the loop's own limit for slow callbacks.
WORTH_A_LOOK = 0.001

#: How many coroutine functions are told apart.
KINDS_KEPT = 10_000

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


FINISHED, FAILED, CANCELLED = TaskState.FINISHED, TaskState.FAILED, TaskState.CANCELLED


class TaskRecord:
    """What is true of one task now, and what was, once it has ended.

    Times are by the clock of `time.monotonic`, in seconds; so are durations.
    """

    # What a step touches is set when a record is made; the rest has its default on the class, because most tasks never
    # get past it and every task pays for making its record.
    eager = False
    """Whether its first step ran while it was created."""
    ended_at: float | None = None
    error: str | None = None
    """The exception it ended with."""
    error_mark: Mark | None = None
    histogram: Counter[int] | None = None
    """How many steps took less than 2ⁿ µs, by n, since `Tasks.keep_histogram`; None if nobody asked."""
    cancellations: "tuple[Cancellation, ...]" = ()
    """The latest cancellations, open or not, oldest first."""
    outcome: TaskState | None = None
    """How it ended; None if it has not."""
    final_name: str | None = None
    """Its name when it ended."""

    creator_id: int | None = None
    """The id of the task that made it; None if it was not made in a task."""
    _task: "weakref.ref[Task] | None" = None

    def __init__(self, tasks: "Tasks", id: int, code: CodeType | None, made: Mark | None, since: float) -> None:
        self.tasks = tasks
        self.id = id
        """Its number among the tasks of its loop, from 1."""
        self.code = code
        """The code of its coroutine; None where that is not written in Python."""
        self.made = made
        self.since = since
        """When its latest step ended, or when it was made."""
        self.steps = 0
        """How often it has run."""
        self.busy = 0.0
        """How long it has run, in all its steps. What a task that starts eagerly inside one of them takes is not in it."""
        self.longest = 0.0
        """Its longest step."""
        self.look_above = WORTH_A_LOOK
        """A step that takes longer than this is looked at closer: see `Tasks.look_at_step`."""
        self.unsettled: tuple[Cancellation, ...] = ()
        """The cancellations whose outcome is open, oldest first."""

    @property
    def task(self) -> "Task | None":
        """The task itself; None if it is gone."""
        return None if self._task is None else self._task()

    @property
    def name(self) -> str:
        """Its name now, or when it ended."""
        task = self.task
        return task.get_name() if task else self.final_name or f"task {self.id}"

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
        task: Any = self.task
        for callback, _ in (task and task._callbacks) or ():
            holder = getattr(callback, "__self__", None)
            if isinstance(holder, asyncio.TaskGroup):
                return holder
        return None

    @property
    def unretrieved(self) -> bool:
        """Whether it failed, still exists, and nobody has asked for its exception: asyncio is silent about it till it goes."""
        task: Any = self.task
        return bool(task is not None and task.done() and task._log_traceback)


class Task(asyncio.Task[Any]):
    """The task of an observed loop: an asyncio.Task whose record is kept.

    It has the name of its parent, because its ``repr`` shows that.
    """

    __slots__ = ("record",)
    record: TaskRecord

    def observed_step(self, step: Callable[..., object], *args: Any) -> None:
        """Run one step, and note what it took. uvloop calls this in place of `step`; asyncio's has `Step` for it."""
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
            if took > record.look_above:
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


class Step(asyncio.Handle):
    """One step of an observed task, in the queue of an asyncio loop. It does what `Task.observed_step` does.

    Said twice because it is the one place that runs for every message of every server: each call costs.
    """

    __slots__ = ("task",)
    task: Task
    # What asyncio's own handles hold, for the type checker.
    _loop: Any
    _context: Context
    _callback: Callable[..., object]
    _args: tuple[Any, ...]

    def _run(self) -> None:
        """Run the step, and note what it took."""
        task = self.task
        record = task.record
        tasks = record.tasks
        if record.unsettled:
            tasks.cancellations.before_step(task, self._args)
        tasks.running = record
        tasks.started = monotonic()
        try:
            self._context.run(self._callback, *self._args)
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


# Its parent's name, because its ``repr`` shows that.
Step.__name__ = Step.__qualname__ = "Handle"


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
    # With a name, else it would use up the "Task-1" of whoever makes the first task.
    task: Any = asyncio.Task(coroutine, loop=Catch(), name="nothing")
    task._log_destroy_pending = False
    del task
    coroutine.close()
    return found[0]


FIRST_STEP = _find_step_type()

BOTTOMS.update((id(Task.observed_step.__code__), id(Step._run.__code__)))
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
        self.running: TaskRecord | None = None
        self.started = 0.0
        """When the running step began."""
        self.classify = classify
        """Says whose a coroutine is, from its code; None if it is its creator's."""
        self.cancellations = observation.cancellations
        self._observation = observation
        self._kinds: dict[int, CoroutineKind] = {}

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
            record.look_above = LOOK_ALWAYS

    def last_mark(self, record: TaskRecord) -> Mark | None:
        """Return the line at which a task waits; None if it has ended."""
        task = record.task
        return None if task is None else innermost_mark(task.get_coro())

    def sweep(self) -> None:
        """Move what was collected as garbage before it ended out of the live tasks."""
        for record in list(self.live.values()):
            if record.task is None:
                self.destroyed(record)

    def make(self, loop: asyncio.AbstractEventLoop, coro: Any, frame: FrameType | None, arguments: dict[str, Any]) -> Task:
        """Return a new observed task. `frame` is who asked for it, `arguments` are the task's own."""
        self.made = id = self.made + 1
        record = TaskRecord(self, id, getattr(coro, "cr_code", None), program_mark(frame), monotonic())
        creator = self.running
        if creator is not None:
            record.creator_id = creator.id
        if arguments:
            if arguments.get("eager_start"):
                return self._make_eagerly(record, loop, coro, arguments)
            task = Task(coro, loop=loop, **arguments)
        else:
            task = Task(coro, loop=loop)
        task.record = record
        record._task = weakref.ref(task)
        self.live[id] = record
        if creator is not None and creator.unsettled:
            self._observation.complaints.made_while_cancelled(record, creator)
        return task

    def _make_eagerly(
        self, record: TaskRecord, loop: asyncio.AbstractEventLoop, coro: Any, kwargs: dict[str, Any]
    ) -> Task:
        """Make a task that runs its first step at once, inside the step that makes it."""
        task: Task = Task.__new__(Task)
        task.record = record
        record._task = weakref.ref(task)
        outer, outer_started = self.running, self.started
        self.live[record.id] = record
        # Without its loop running asyncio does not start it now, whatever it was asked.
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
            # The time since then is not the outer step's own.
            self.started = outer_started + (now - record.since)
        if record.eager:
            record.since = now
            record.steps = 1
            record.busy = record.longest = took
            if took > record.look_above:
                self.look_at_step(task, took)
        if task.done():
            self.end(task, record)
        return task

    def look_at_step(self, task: Task, took: float) -> None:
        """Look closer at a step: it was long, or its task is being cancelled or studied."""
        record = task.record
        try:
            if record.histogram is not None:
                record.histogram[int(took * 1e6).bit_length()] += 1
            if record.unsettled:
                self.cancellations.after_step(task)
            if took > WORTH_A_LOOK and took >= self._observation.slow_callback_duration:
                self._observation.complaints.slow_step(record, took)
            closely = record.unsettled or record.histogram is not None
            record.look_above = LOOK_ALWAYS if closely else WORTH_A_LOOK
        except Exception as error:  # noqa: BLE001 - nothing here may break the step that has just run
            self._observation.disable(self, error)

    def end(self, task: Task, record: TaskRecord) -> None:
        """Note how a task has ended, without retrieving its exception."""
        try:
            outcome = FINISHED
            if task.cancelled():
                outcome = CANCELLED
            elif task._exception is not None:  # type: ignore[attr-defined]
                outcome = FAILED
                error: BaseException = task._exception  # type: ignore[attr-defined]
                record.error = describe(error)
                record.error_mark = raised_at(error)
            record.final_name = task.get_name()
            record.outcome = outcome
            record.ended_at = record.since
            del self.live[record.id]
            self.ended.append(record)
            self.ended_count += 1
            kind = self._kinds.get(id(record.code))
            if kind is None:
                kind = self._new_kind(record.code)
            kind.busy += record.busy
            if record.unsettled:
                self.cancellations.task_ended(record)
        except Exception as failure:  # noqa: BLE001 - nothing here may break the step that has just run
            self._observation.disable(self, failure)

    def destroyed(self, record: TaskRecord, name: str | None = None) -> None:
        """Note that a live task is collected as garbage. A task in a cycle cannot be asked for its name any more."""
        if self.live.pop(record.id, None) is not None:
            record.final_name = name or record.name
            record.outcome = TaskState.DESTROYED
            record.ended_at = record.since
            self.ended.append(record)
            self.ended_count += 1
            if record.unsettled:
                self.cancellations.task_ended(record)

    def _new_kind(self, code: CodeType | None) -> "CoroutineKind":
        if len(self._kinds) >= KINDS_KEPT:
            # A program that makes new code all the time: their times are kept, who they were is not.
            rest = CoroutineKind(None, "program", sum(kind.busy for kind in self._kinds.values()))
            self._kinds = {id(None): rest}
        owner: str | None = "program"
        if code is not None:
            try:
                owner = self.classify(code)
            except Exception as error:  # noqa: BLE001 - a classifier is anybody's code
                self.classify = _nobody_knows
                self._observation.report("classifier", error)
        kind = self._kinds[id(code)] = CoroutineKind(code, owner, 0.0)
        return kind

    def owner_of(self, record: TaskRecord) -> str:
        """Return whose task it is. One whose coroutine is asyncio's own is its creator's."""
        kind = self._kinds.get(id(record.code)) or self._new_kind(record.code)
        if kind.owner is not None:
            return kind.owner
        creator = self.get(record.creator_id)
        return "program" if creator is None else creator.owner

    @property
    def busy_by_owner(self) -> dict[str, float]:
        """How long all tasks ran, the ended ones included, in seconds, by owner; asyncio's own under ``asyncio``."""
        busy: Counter[str] = Counter()
        for kind in self._kinds.values():
            busy[kind.owner or "asyncio"] += kind.busy  # type: ignore[assignment]
        for record in list(self.live.values()):
            kind = self._kinds.get(id(record.code)) or self._new_kind(record.code)
            busy[kind.owner or "asyncio"] += record.busy  # type: ignore[assignment]
        return dict(busy)


@dataclass(slots=True)
class CoroutineKind:
    """What tasks of the same coroutine function have in common."""

    code: CodeType | None
    """Held, so that no other code can have its id."""
    owner: str | None
    busy: float
    """How long those that have ended ran, in seconds."""


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
