"""All tasks of one loop: those that live, and the latest that have ended; and what each kind of them has cost."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from time import monotonic
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any
from weakref import ref

from .places import MACHINERY, Mark, innermost_mark, program_mark, raised_at
from .steps import Task
from .task_record import LOOK_ALWAYS, TaskRecord, describe, record_of
from .timing import ENDED_KEPT, WORTH_A_LOOK, CoroutineKind, TaskState, Turn, end_task, enter_task

if TYPE_CHECKING:
    from .observation import Observation

#: The owner whose ended tasks have a history of their own. A screen makes so many that no others would be left in one.
APART = "ui"

#: How many coroutine functions are told apart.
KINDS_KEPT = 10_000

_IN_ORDER = attrgetter("since", "id")


class Tasks(Turn):
    """All tasks of one loop: the live ones, and the latest that have ended.

    Tasks made without the loop (`asyncio.Task` called directly, or by a task factory that is not asyncio's own)
    are not observed.
    """

    name = "tasks"

    def __init__(self, observation: "Observation", classify: Callable[[CodeType], str | None]) -> None:
        super().__init__()
        self.ended_ui: deque[TaskRecord] = deque(maxlen=ENDED_KEPT)
        """The latest of the screen's own that have ended, oldest first."""
        self.ended_ui_count = 0
        """How many of the screen's own have ended, ever."""
        self.unobserved = 0
        """How many a task factory has made that are not observed."""
        self.classify = classify
        """Says whose a coroutine is, from its code; None if it is its creator's."""
        self.cancellations = observation.cancellations
        self.timers = observation.timers
        self._observation = observation
        # Those that have failed and still exist, by id: whoever keeps the tasks bounds them, as it does the live ones.
        self._failed: dict[int, TaskRecord] = {}

    @property
    def made(self) -> int:
        """How many were made, ever."""
        return self.numbers - self.spoilt

    @property
    def ended_count(self) -> int:
        """How many have ended, ever."""
        return self.made - len(self.live)

    @property
    def unheard(self) -> list[TaskRecord]:
        """Those that have failed, still exist, and were not asked for their exception: asyncio says nothing of them."""
        # A list is made of a dictionary in one go, a tuple is not: a task may be collected as garbage meanwhile.
        return [record for record in list(self._failed.values()) if record.unretrieved]

    @property
    def past(self) -> list[TaskRecord]:
        """The ended tasks that are kept, oldest first: the latest, and those that are unheard for as long as they are.

        It takes time in proportion to what is kept.
        """
        return sorted({*self.ended, *self.ended_ui, *self.unheard}, key=_IN_ORDER)

    @property
    def forgotten(self) -> int:
        """How many ended tasks are no longer kept, but for the screen's own."""
        return self.ended_count - self.ended_ui_count - len(self._kept(self.ended, apart=False))

    @property
    def forgotten_ui(self) -> int:
        """How many of the screen's own ended tasks are no longer kept."""
        return self.ended_ui_count - len(self._kept(self.ended_ui, apart=True))

    def _kept(self, latest: Iterable[TaskRecord], *, apart: bool) -> set[TaskRecord]:
        return {*latest, *(record for record in self.unheard if (record.owner == APART) is apart)}

    def get(self, id: int | None) -> TaskRecord | None:
        """Return the task with this id if it is live or still kept."""
        if id is None:
            return None
        found = self.live.get(id) or self._failed.get(id)
        if found is not None:
            return found
        # Copies: the thread that watches for stalls asks too, while this one may add to them.
        return next(
            (record for ended in (self.ended, self.ended_ui) for record in tuple(ended) if record.id == id), None
        )

    def record_of(self, task: object) -> TaskRecord | None:
        """Return the record of a task; None if it is not observed."""
        return record_of(task)

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

    def make(
        self, loop: asyncio.AbstractEventLoop, coro: Any, frame: FrameType | None, arguments: dict[str, Any]
    ) -> Task:
        """Return a new observed task. `frame` is who asked for it, `arguments` are the task's own.

        It has its record before it is one: its first step may run at once, or in another thread.
        """
        task: Task = Task.__new__(Task)
        if self.numbers >= self.sweep_at:
            self.sweep()
        record = TaskRecord(self, coro, program_mark(frame))
        enter_task(self, task, record)
        # Without its loop running asyncio does not start it now, whatever it was asked.
        eager = arguments.get("eager_start") and asyncio._get_running_loop() is loop
        outer, outer_started, began = self.running, self.started, record.since
        if eager:
            record.eager = True
            self.running, self.started = record, began
        try:
            Task.__init__(task, coro, loop=loop, **arguments)
        except BaseException as error:
            self.live.pop(record.id, None)
            if isinstance(error, Exception):  # no task could be made of it; else it was one, and ended by this
                self.spoilt += 1
                del task._echotui_record
            raise
        finally:
            if eager:
                record.since = monotonic()
                record.steps = 1
                record.busy = record.longest = record.since - self.started
                # The time since this one began is not the outer step's own.
                self.running, self.started = outer, outer_started + (record.since - began)
        if arguments.get("name") is not None:
            record.given_name = task.get_name()
        if eager and record.longest > record.look_above:
            self.look_at_step(task, record.longest)
        if outer is not None and outer.unsettled:
            self._observation.complaints.made_while_cancelled(record, outer)
        if task.done():
            end_task(self, task, record)
        try:
            return task
        finally:
            # Else an exception of a task that starts at once would hold this frame, and this frame the task.
            del task

    def look_at_step(self, task: Task, took: float) -> None:
        """Look closer at a step: it was long, or its task is being cancelled or studied."""
        record = task._echotui_record
        try:
            if record.histogram is not None:
                record.histogram[int(took * 1e6).bit_length()] += 1
            if record.unsettled:
                self.cancellations.after_step(task)
            if record.made_late and (not record.unsettled or task.done()):
                self._observation.complaints.made_late(record)
            if took > WORTH_A_LOOK and took >= self._observation.slow_callback_duration:
                self._observation.complaints.slow_step(record, took)
            closely = record.unsettled or record.histogram is not None
            record.look_above = LOOK_ALWAYS if closely else WORTH_A_LOOK
        except Exception as error:  # noqa: BLE001 - nothing here may break the step that has just run
            self.fail(error)

    def failed(self, task: Task, record: TaskRecord, error: BaseException) -> None:
        """Note with what a task has failed, and keep its record for as long as the task exists."""
        record.error = describe(error)
        record.error_mark = raised_at(error)
        self._failed[record.id] = record
        record._task = ref(task, partial(_forget, self._failed, record.id))

    def fail(self, error: Exception) -> None:
        """Something here has raised: this instrument is switched off."""
        self._observation.disable(self, error)

    def destroyed(self, record: TaskRecord, at: float | None = None) -> None:
        """Note that a live task was collected as garbage, at this time of `time.monotonic`; None if just now."""
        if self.live.pop(record.id, None) is not None:
            record.given_name = record.name
            record.outcome = TaskState.DESTROYED
            record.since = monotonic() if at is None else at
            self.keep(record)
            if record.unsettled:
                self.cancellations.task_ended(record)

    def keep(self, record: TaskRecord) -> None:
        """Put an ended task into the history it belongs to, and fix its owner: its creator may be forgotten first."""
        record.owner_then = self.owner_of(record)
        if record.owner_then == APART:
            self.ended_ui.append(record)
            self.ended_ui_count += 1
        else:
            self.ended.append(record)

    def new_kind(self, code: CodeType | None) -> "CoroutineKind":
        if len(self.kinds) >= KINDS_KEPT:
            # A program that makes new code all the time: their times are kept, who they were is not.
            busy = sum(kind.busy for kind in self.kinds.values())
            rest = CoroutineKind(None, "program", busy, among_all=True)
            self.kinds = {id(None): rest}
        owner: str | None = "program"
        if code is not None:
            try:
                owner = self.classify(code)
            except Exception as error:  # noqa: BLE001 - a classifier is anybody's code
                self.classify = _nobody_knows
                self._observation.report("classifier", error)
        kind = self.kinds[id(code)] = CoroutineKind(code, owner, 0.0, among_all=owner not in (None, APART))
        return kind

    def owner_of(self, record: TaskRecord) -> str:
        """Return whose task it is. One whose coroutine is asyncio's own is its creator's."""
        if record.owner_then is not None:
            return record.owner_then
        kind = self.kinds.get(id(record.code)) or self.new_kind(record.code)
        if kind.owner is not None:
            return kind.owner
        creator = self.get(record.creator_id)
        return "program" if creator is None else creator.owner

    @property
    def busy_by_owner(self) -> dict[str, float]:
        """How long all tasks ran, the ended ones included, in seconds, by owner; asyncio's own under ``asyncio``."""
        busy: Counter[str] = Counter()
        for kind in self.kinds.values():
            busy[kind.owner or "asyncio"] += kind.busy  # type: ignore[assignment]
        for record in list(self.live.values()):
            kind = self.kinds.get(id(record.code)) or self.new_kind(record.code)
            busy[kind.owner or "asyncio"] += record.busy  # type: ignore[assignment]
        return dict(busy)


def _forget(failed: dict[int, TaskRecord], id: int, _: object) -> None:
    """Let go of the record of a task that exists no more."""
    failed.pop(id, None)


def _nobody_knows(_: CodeType) -> str:
    return "program"


MACHINERY.add(id(globals()))
