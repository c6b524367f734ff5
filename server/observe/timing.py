"""What is noted of every task and of each of its steps, and what runs the step meanwhile.

This runs for every message of every server. It is compiled where there is a C compiler (``timing.pxd`` says what its
numbers are in C), and runs as it stands where there is none: see ``compiled.py``.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from enum import StrEnum
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any
from weakref import ref

from ..native import Attribute, Question, address, clock, weak
from .places import BOTTOMS, MACHINERY, Mark, name_of

if TYPE_CHECKING:
    from .cancellations import Cancellation
    from .steps import Task
    from .task_record import TaskRecord
    from .tasks import Tasks

#: A step at least this long, in seconds, is compared with the loop's own limit for slow callbacks.
WORTH_A_LOOK = 0.001

#: How many ended tasks stay visible: of the screen's own, and of all others.
ENDED_KEPT = 1_000

#: How many timers that fired or were cancelled stay visible.
TIMERS_KEPT = 1_000

#: After how many new tasks, at the least, the live ones are gone through for those that were collected in silence.
SWEPT_EVERY = 1_000


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


class CoroutineKind:
    """What tasks of the same coroutine function have in common."""

    __slots__ = ("among_all", "busy", "code", "owner")

    def __init__(self, code: CodeType | None, owner: str | None, busy: float, *, among_all: bool) -> None:
        self.code = code
        """Held, so that no other code can have its id."""
        self.owner = owner
        self.busy = busy
        """How long those that have ended ran, in seconds."""
        self.among_all = among_all
        """Whether those that end go to the history of all: they are not the screen's, nor whoever's made them."""


class Turn:
    """Which task runs, and since when; which tasks live, and what becomes of one that ends.

    And what has to be known of the loop whenever a task is made or a step scheduled.
    """

    __slots__ = (
        "debug",
        "ended",
        "factory",
        "kinds",
        "latest_mark",
        "live",
        "loop_is_over",
        "numbers",
        "on",
        "running",
        "spoilt",
        "started",
        "sweep_at",
        "task_arguments",
        "thread",
        "timers",
    )

    def __init__(self) -> None:
        self.on = True
        """Whether new tasks are observed."""
        self.debug = False
        """Whether the loop is in debug mode. Only uvloop's says so here."""
        self.factory: Any = None
        """The task factory that was set; None if none was."""
        self.loop_is_over = False
        """Whether the loop is closed: what `is_closed` says, for the price of an attribute."""
        self.thread = 0
        """In which thread the loop runs; 0 while it does not."""
        self.numbers = 0
        """The number of the newest task."""
        self.spoilt = 0
        """How many numbers no task has, because it could not be made."""
        self.sweep_at = SWEPT_EVERY
        """At which number of tasks made to `sweep`."""
        self.running: TaskRecord | None = None
        """The record of the task that runs; None while none does."""
        self.started = 0.0
        """When the running step began."""
        self.live: dict[int, TaskRecord] = {}
        """The tasks that have not ended, by id."""
        self.ended: deque[TaskRecord] = deque(maxlen=ENDED_KEPT)
        """The latest that have ended, oldest first, but for the screen's own."""
        self.kinds: dict[int, CoroutineKind] = {}
        """What is known of each coroutine function, by the id of its code."""
        self.task_arguments: dict[str, Any] = {}
        """What a task of this loop is made with, by name: the loop."""
        self.latest_mark: Mark | None = None
        """What `same_mark` has returned last."""
        self.timers: TimerCounts = None  # type: ignore[assignment] # whose all this is sets it
        """What is known of the loop's timers."""

    def sweep(self) -> None:
        """Move what was collected as garbage before it ended out of the live tasks."""
        tasks: Any = self
        for record in list(self.live.values()):
            if record._task is None or record._task() is None:
                tasks.destroyed(record)
        self.sweep_at = self.numbers + max(SWEPT_EVERY, len(self.live))


class TaskData:
    """What is noted of one task. Times are by the clock of `time.monotonic`, in seconds; so are durations."""

    __slots__ = (
        "_task",
        "busy",
        "code",
        "creator_id",
        "eager",
        "given_name",
        "id",
        "longest",
        "look_above",
        "made",
        "outcome",
        "owner_then",
        "rare",
        "since",
        "steps",
        "tasks",
        "unsettled",
    )

    def __init__(self, tasks: "Tasks", coro: Any, made: Mark | None) -> None:
        self._task: ref[Task] | None = None
        self.tasks = tasks
        self.tasks.numbers += 1
        self.id = self.tasks.numbers
        """Its number among the tasks of its loop, from 1."""
        self.code: CodeType | None = None
        """The code of its coroutine; None where that is not written in Python."""
        try:  # noqa: SIM105 - this runs for every task
            self.code = coro.cr_code
        except Exception:  # noqa: BLE001, S110 - it may be anybody's object
            pass
        self.made = made
        creator = self.tasks.running
        self.creator_id: int | None = None if creator is None else creator.id
        """The id of the task that made it; None if it was not made in a task."""
        self.outcome: TaskState | None = None
        """How it ended; None if it has not."""
        self.given_name: str | None = None
        """The name it was given; None if asyncio has numbered it."""
        self.owner_then: str | None = None
        """Whose it was when it ended, where its coroutine alone does not tell; None while it lives."""
        self.eager = False
        """Whether its first step ran while it was created."""
        self.rare: dict[str, Any] | None = None
        """What is `Rare`; None while nothing is."""
        self.since = clock()
        """When its latest step ended, or when it was made."""
        self.steps = 0
        """How often it has run."""
        self.busy = 0.0
        """How long it has run, in all its steps, without what tasks take that start eagerly inside one of them."""
        self.longest = 0.0
        """Its longest step."""
        self.look_above = WORTH_A_LOOK
        """A step that takes longer than this is looked at closer: see `Tasks.look_at_step`."""
        self.unsettled: tuple[Cancellation, ...] = ()
        """The cancellations whose outcome is open, oldest first."""


_record = Attribute("_echotui_record")
_is_done = Question(asyncio.Task.done)
_was_cancelled: Any = asyncio.Task.cancelled
_append: Any = deque.append


def same_mark(turn: Turn, code: CodeType, offset: int) -> Mark:
    """Return the mark of a code and an offset: the very one of the last time, if it was of the same."""
    mark = turn.latest_mark
    if mark is None or mark[0] is not code or mark[1] != offset:
        mark = turn.latest_mark = (code, offset)
    return mark


def enter_task(turn: Turn, task: Any, record: "TaskRecord") -> None:
    """Note that a task lives, and give it its record."""
    record._task = weak(task)
    turn.live[record.id] = task._echotui_record = record


def end_task(turn: Turn, task: Any, record: "TaskRecord") -> None:
    """Note how a task has ended, without retrieving its exception. What has been noted already stays so."""
    tasks: Any = turn
    try:
        if turn.live.pop(record.id, None) is None:
            return  # another thread has made it, and it ran in the loop's before that was done
        error = task._exception
        if error is not None:
            tasks.failed(task, record, error)
            record.outcome = FAILED
        elif _was_cancelled(task):
            record.outcome = CANCELLED
        else:
            record.outcome = FINISHED
        kind = turn.kinds.get(address(record.code))
        if kind is None:
            kind = tasks.new_kind(record.code)
        if kind.among_all:
            _append(turn.ended, record)
        else:
            tasks.keep(record)
        kind.busy += record.busy
        if record.unsettled:
            tasks.cancellations.task_ended(record)
    except Exception as failure:  # noqa: BLE001 - nothing here may break the step that has just run
        tasks.fail(failure)


def begin_step(record: "TaskRecord", task: Any, woken_by: Any) -> None:
    """Note that a step of a task begins, and which future wakes it; None if none does."""
    turn = record.tasks
    if record.unsettled:
        turn.cancellations.before_step(task, woken_by)
    turn.running = record
    turn.started = clock()


def end_step(record: "TaskRecord", task: Any) -> None:
    """Note what a step took that has just run, and whether its task has ended."""
    now = clock()
    turn = record.tasks
    took = now - turn.started
    turn.running = None
    record.since = now
    record.steps += 1
    record.busy += took
    if took > record.longest:
        record.longest = took
    if took > record.look_above:
        turn.look_at_step(task, took)
    if _is_done.of(task):
        end_task(turn, task, record)


class TimerCounts:
    """How many timers a loop has set, and what became of them."""

    __slots__ = ("cancelled", "fired", "held", "made", "on", "ring")

    def __init__(self) -> None:
        self.on = True
        """Whether the end of each timer is noted. They are counted in any case."""
        self.made = 0
        """How many were set, ever."""
        self.fired = 0
        self.cancelled = 0
        self.ring: deque[tuple[float, float | None, float, str, int | None]] = deque(maxlen=TIMERS_KEPT)
        self.held: dict[Any, Any] = {}
        """Those that are set, where the loop itself does not tell which are: on uvloop."""


def note_fired(counts: TimerCounts, when: float, name: str | None, callback: Any, setter: "TaskRecord | None") -> None:
    """Note that a timer fires, which was due at `when` by the loop's clock; `name` is its callback's, if known."""
    counts.fired += 1
    if counts.on:
        now = clock()
        _note(counts, when, now - when, now, name, callback, setter)


def note_cancelled(
    counts: TimerCounts, when: float, name: str | None, callback: Any, setter: "TaskRecord | None"
) -> None:
    """Note that a timer is cancelled."""
    counts.cancelled += 1
    if counts.on:
        _note(counts, when, None, clock(), name, callback, setter)


def _note(  # noqa: PLR0913, PLR0917 - a row
    counts: TimerCounts,
    when: float,
    late: float | None,
    now: float,
    name: str | None,
    callback: Any,
    setter: "TaskRecord | None",
) -> None:
    if name is None:
        plain = type(callback) is FunctionType or type(callback) is BuiltinFunctionType
        name = callback.__qualname__ if plain else name_of(callback)
    _append(counts.ring, (when, late, now, name, None if setter is None else setter.id))


class Called:
    """Something that is called in place of the program's own callback, and does what asyncio's handle of it does."""

    __slots__ = ("__weakref__", "_args", "_callback", "_cancelled", "_context", "_loop")

    _callback: Any
    _args: tuple[Any, ...]
    _context: Context | None
    _loop: Any
    _cancelled: bool

    def cancelled(self) -> bool:
        """Return whether it was cancelled."""
        return self._cancelled

    def get_context(self) -> Context | None:
        """Return the context that it runs in; None where its loop's own handle knows that."""
        return self._context

    def tell_failed(self, callback: Any, args: tuple[Any, ...], error: BaseException) -> None:
        """Tell the loop's exception handler what the callback has raised, as `asyncio.Handle` does."""
        what = _plain(asyncio.Handle(callback, args, self._loop)).removeprefix("<Handle ").removesuffix(">")
        message = f"Exception in callback {what}"
        self._loop.call_exception_handler({"message": message, "exception": error, "handle": self})

    def said_by(self, handle: Any) -> str:
        """Return what asyncio's handle of the same would say of itself."""
        handle._cancelled = self._cancelled
        return _plain(handle)


def stand_in(called: Called, callback: Any, args: tuple[Any, ...], context: Context | None, loop: Any) -> None:
    """Have something called in place of a callback."""
    called._callback = callback
    called._args = args
    called._context = context
    called._loop = loop
    called._cancelled = False


def _plain(handle: Any) -> str:
    """Return the repr of a handle that was made just now, and not by the program."""
    handle._source_traceback = None
    return repr(handle)


class TimedStep(Called):
    """One step of an observed task, in the queue of an asyncio loop in place of asyncio's own handle."""

    __slots__ = ("task",)

    task: Any

    @property  # type: ignore[misc] # nobody sets it
    def __class__(self) -> type[asyncio.Handle]:  # type: ignore[override] # which is the point
        """What it is to ``isinstance``: what is compiled is no subclass of what is not."""
        return asyncio.Handle

    @property
    def _source_traceback(self) -> None:
        """What a handle has in debug mode: there each step has a `Step`."""

    def _run(self) -> None:
        """Run it in its context, as `asyncio.Handle._run` does, and note what it took."""
        task, callback, args = self.task, self._callback, self._args
        context: Any = self._context
        record = _record.of(task)
        begin_step(record, task, args[0] if args else None)
        try:
            if args:
                context.run(callback, args[0])
            else:
                context.run(callback)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - the loop tells its exception handler, and goes on
            self.tell_failed(callback, args, error)
        finally:
            end_step(record, task)
            # What is left of this frame may belong to the traceback of a task that has failed (3.12, 3.13), and with
            # these it would hold the task: a cycle, and asyncio's complaint would come when garbage is collected.
            del self, task, callback, args

    def cancel(self) -> None:
        """Have it not run. Only who schedules a task's step by itself has this handle."""
        self._cancelled = True
        self._callback, self._args = None, ()

    def __repr__(self) -> str:
        return self.said_by(asyncio.Handle(self._callback, self._args, self._loop))


def timed_step(task: Any, callback: Any, args: tuple[Any, ...], context: Context | None, loop: Any) -> TimedStep:
    """Return a step to be called in place of the task's own, which is `callback`."""
    step = TimedStep.__new__(TimedStep)
    step.task = task
    stand_in(step, callback, args, context, loop)
    return step


class Step(asyncio.Handle):
    """One step of an observed task, in the queue of an asyncio loop in debug mode, which asks more of a handle."""

    __slots__ = ("task",)
    task: Any
    # What asyncio's own handles hold, for the type checker.
    _loop: Any
    _context: Context | None
    _callback: Callable[..., object] | None
    _args: tuple[Any, ...]

    def _run(self) -> None:
        """Run the step, and note what it took."""
        task, args = self.task, self._args
        record = task._echotui_record
        begin_step(record, task, args[0] if args else None)
        try:
            super()._run()
        finally:
            end_step(record, task)
            del self, task, args  # as in `TimedStep`


# Its parent's name, because its ``repr`` shows that.
Step.__name__ = Step.__qualname__ = "Handle"
for _type in (TimedStep, Step):
    BOTTOMS.add(id(getattr(_type._run, "__code__", None)))  # where it is compiled no frame has it
MACHINERY.add(id(globals()))
