"""Cancellations: the life-line of every request to end a task, from who asked to what became of it.

asked → delivered at an await → obeyed, swallowed, replaced by another exception, or taken back. Whether a task that
waits again after CancelledError still cleans up, or has swallowed it, shows in its await chain: as long as an
``except`` or ``finally`` deals with the exception, the interpreter holds on to it there.
"""

import asyncio
import gc
import weakref
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from threading import get_ident
from time import monotonic
from types import FrameType, MethodType
from typing import TYPE_CHECKING, Any

from .events import CancellationAsked, CancellationDelivered, CancellationSettled
from .places import MACHINERY, Mark, Place, await_chain, frame_of, innermost_mark, place_of, program_mark
from .task_record import LOOK_ALWAYS, text_of
from .waiting import shielded_by

if TYPE_CHECKING:
    from .observation import Observation
    from .steps import Task
    from .task_record import TaskRecord

#: How many cancellations stay visible.
KEPT = 500

#: How many of them a task's own record keeps.
KEPT_BY_TASK = 8


class Outcome(StrEnum):
    """What became of a request to end."""

    ASKED = "asked, not yet delivered"
    CLEANING_UP = "delivered, cleaning up"
    OBEYED = "obeyed"
    """The task ended as cancelled."""
    SWALLOWED = "swallowed"
    """The task caught CancelledError and went on, or returned as if nothing had been."""
    REPLACED = "replaced"
    """The task ended with another exception."""
    UNCANCELLED = "uncancelled"
    """Whoever asked took it back after it was delivered, as `asyncio.timeout` and `asyncio.TaskGroup` do."""
    NOT_DELIVERED = "not delivered"
    """The task's wait, or the task itself, ended in another way first."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class Cancellation:
    """One request to end a task. Times are by `time.monotonic`, in seconds."""

    id: int
    task_id: int
    task_name: str
    asked_at: float
    reason: str
    """How it was asked: ``cancel()``, ``timeout``, ``wait_for``, ``task group``, ``gather``, ``its awaiter`` (a task
    that waits for this one and was cancelled itself), ``runner`` or ``SIGINT``."""
    message: str | None
    asker_id: int | None
    """The id of the task that asked; None if no task did."""
    asker_name: str | None
    asked_mark: Mark | None
    """The program's line that asked; None where there is none, as for a timeout's timer."""
    asked_through: Mark | None
    """The line that called ``Task.cancel``, whosoever it is; None where that is not written in Python."""
    because_of: int | None
    """The id of the cancellation that led to this one; None if it stands alone."""
    limit_mark: Mark | None = None
    """The line that waited under the timeout that asked; None if no timeout did."""
    shielded: str | None = None
    """The name of the task that goes on behind the `asyncio.shield` at which this was delivered."""
    before_first_step: bool = False
    delivered_at: float | None = None
    delivered_mark: Mark | None = None
    """The await at which it was delivered: the program's innermost line."""
    outcome: Outcome = Outcome.ASKED
    settled_at: float | None = None
    """When its outcome was known."""
    ended_at: float | None = None
    """When the task ended; None if it has not, or goes on."""
    error: str | None = None
    """The exception that replaced it."""
    again: int = 0
    """How often its task was asked again, without a life-line of its own: it has `KEPT_BY_TASK` open ones already."""
    asker: "weakref.ref[Any] | None" = None
    """The timeout or task group that asked, to tell when it takes the request back."""

    @property
    def asked_from(self) -> Place | None:
        """The program's line that asked; if none did the one that waited under the timeout, else asyncio's own."""
        return place_of(self.asked_mark or self.limit_mark or self.asked_through)

    @property
    def delivered_in(self) -> Place | None:
        """The await at which it was delivered."""
        return place_of(self.delivered_mark)

    @property
    def clean_up(self) -> float | None:
        """How long the task took over it, from delivery to outcome, in seconds; None if there is no such time yet."""
        if self.delivered_at is None or self.settled_at is None:
            return None
        return self.settled_at - self.delivered_at

    @property
    def settled(self) -> bool:
        """Whether its outcome is known."""
        return self.settled_at is not None


_REASONS: dict[int, tuple[str, str | None]] = {}


def recognise(reason: str, *functions: Any, asker: str | None = None) -> None:
    """Give a reason to what these functions cancel. `asker` is their local variable that may take the request back."""
    for function in functions:
        if function is not None:
            _REASONS[id(function.__code__)] = (reason, asker)


_asyncio: Any = asyncio
recognise("timeout", _asyncio.timeouts.Timeout._on_timeout, asker="self")
recognise("wait_for", asyncio.wait_for, getattr(_asyncio.tasks, "_cancel_and_wait", None))
recognise("task group", _asyncio.TaskGroup._on_task_done, _asyncio.TaskGroup._abort, asker="self")
recognise("gather", _asyncio.tasks._GatheringFuture.cancel)
recognise("runner", _asyncio.runners._cancel_all_tasks)
recognise("SIGINT", _asyncio.runners.Runner._on_sigint)

#: Where a task group leaves the number of its parent's cancellations as it was: it takes one back and asks for another.
#: Neither is meant for what has been asked from outside (CPython from 3.13 on).
_GROUP_EXIT = frozenset(
    id(method.__code__)
    for name in ("__aexit__", "_aexit")
    if (method := getattr(asyncio.TaskGroup, name, None)) is not None
)
_TIMEOUT_EXIT = id(_asyncio.timeouts.Timeout.__aexit__.__code__)
MACHINERY.add(id(globals()))


class Cancellations:
    """The open cancellations of one loop, and the latest that are settled."""

    name = "cancellations"

    def __init__(self, observation: "Observation") -> None:
        self.on = True
        self.open: dict[int, Cancellation] = {}
        """Those whose outcome is not known yet, by id."""
        self.settled: deque[Cancellation] = deque(maxlen=KEPT)
        self.count = 0
        """How many there were, ever; the id of the newest."""
        self.asking: Cancellation | None = None
        """The one that is being asked for right now: others that begin meanwhile are because of it."""
        self._observation = observation

    @property
    def forgotten(self) -> int:
        """How many settled ones are no longer kept."""
        return self.count - len(self.open) - len(self.settled)

    def asked(self, task: "Task", message: object, frame: FrameType | None) -> Cancellation | None:
        """Begin a life-line. `frame` is the caller of ``Task.cancel``; None if that is not written in Python."""
        if not self.on or _code_id(frame) in _GROUP_EXIT:
            return None
        try:
            return self._asked(task, message, frame)
        except Exception as error:  # noqa: BLE001 - nothing here may stop a cancellation
            self._observation.disable(self, error)
            return None

    def _asked(self, task: "Task", message: object, frame: FrameType | None) -> Cancellation | None:
        record = task._echotui_record
        if len(record.unsettled) >= KEPT_BY_TASK:
            record.unsettled[-1].again += 1
            return None
        reason, asker_name = _REASONS.get(_code_id(frame), ("cancel()", None))
        asker = frame.f_locals.get(asker_name) if frame is not None and asker_name else None
        cause = self.asking
        limit_mark = None
        if reason == "timeout":
            reason, limit_mark = _limit(task, asker)
        by = record.tasks.running if record.tasks.thread in {0, get_ident()} else None
        waiter: Any = task._fut_waiter
        hidden = shielded_by(waiter)
        self.count += 1
        cancellation = Cancellation(
            id=self.count,
            task_id=record.id,
            task_name=record.name,
            asked_at=monotonic(),
            reason=reason,
            message=None if message is None else text_of(message),
            asker_id=None if by is None else by.id,
            asker_name=None if by is None else by.name,
            asked_mark=None if reason == "SIGINT" else program_mark(frame),
            asked_through=None if frame is None else (frame.f_code, frame.f_lasti),
            because_of=None if cause is None else cause.id,
            limit_mark=limit_mark,
            shielded=hidden.get_name() if isinstance(hidden, asyncio.Task) else None,
            asker=None if asker is None else weakref.ref(asker),
        )
        self.open[cancellation.id] = cancellation
        record.unsettled += (cancellation,)
        record.look_above = LOOK_ALWAYS
        record.cancellations = (*record.cancellations, cancellation)[-KEPT_BY_TASK:]
        place = cancellation.asked_from
        self._observation.tell(
            CancellationAsked(
                cancellation.id,
                cancellation.task_name,
                record.owner,
                reason,
                cancellation.asker_name,
                None if place is None else str(place),
                cancellation.message,
                record.id,
            )
        )
        return cancellation

    def before_step(self, task: "Task", woken_by: "asyncio.Future[Any] | None") -> None:
        """See whether the step that is about to run delivers what was asked. None woke it if it never waited."""
        try:
            self._before_step(task, woken_by)
        except Exception as error:  # noqa: BLE001 - nothing here may stop a step
            self._observation.disable(self, error)

    def _before_step(self, task: "Task", woken_by: Any) -> None:
        record = task._echotui_record
        asked = [one for one in record.unsettled if one.delivered_at is None]
        if not asked:
            return
        if not (task._must_cancel or _ended_cancelled(woken_by)):  # type: ignore[attr-defined]
            for one in asked:
                self._settle(record, one, Outcome.NOT_DELIVERED)
            return
        now = monotonic()
        mark = innermost_mark(task.get_coro())
        for one in asked:
            one.delivered_at = now
            one.before_first_step = record.steps == 0
            one.delivered_mark = mark
            one.outcome = Outcome.CLEANING_UP
            self._observation.tell(
                CancellationDelivered(
                    one.id,
                    one.task_name,
                    record.owner,
                    str(one.delivered_in or "a place that cannot be seen"),
                    now - one.asked_at,
                    one.before_first_step,
                    record.id,
                )
            )

    def after_step(self, task: "Task") -> None:
        """See whether a task that was given CancelledError, and waits again, still deals with it."""
        record = task._echotui_record
        if task.done() or _deals_with_it(task):
            return
        for one in record.unsettled:
            # A task group takes back what it asked of its parent when its children have ended, and not before.
            if one.delivered_at is not None and one.reason != "task group":
                self._settle(record, one, Outcome.SWALLOWED)
                self._observation.complaints.swallowed(record, one)

    def uncancelled(self, task: "Task", frame: FrameType | None) -> None:
        """Note that a request is taken back. `frame` is the caller of ``Task.uncancel``; None as for `asked`."""
        try:
            self._uncancelled(task, frame)
        except Exception as error:  # noqa: BLE001 - nothing here may stop an uncancel
            self._observation.disable(self, error)

    def _uncancelled(self, task: "Task", frame: FrameType | None) -> None:
        record = task._echotui_record
        holder = frame.f_locals.get("self") if frame is not None and id(frame.f_globals) in MACHINERY else None
        of_holder = [
            one for one in record.unsettled if holder is not None and one.asker is not None and one.asker() is holder
        ]
        delivered = [one for one in record.unsettled if one.delivered_at is not None and one.asker is None]
        if _code_id(frame) in _GROUP_EXIT and not of_holder:
            return
        taken_back = of_holder or delivered
        if not taken_back or taken_back[-1].delivered_at is None:
            return
        one = taken_back[-1]
        if frame is not None and _code_id(frame) == _TIMEOUT_EXIT and frame.f_locals.get("exc_type") is None:
            # Its block ended without an exception although CancelledError was raised in it.
            self._settle(record, one, Outcome.SWALLOWED)
            self._observation.complaints.swallowed(record, one)
            return
        self._settle(record, one, Outcome.UNCANCELLED)

    def task_ended(self, record: "TaskRecord") -> None:
        """Settle what is open: the task has ended."""
        for one in record.unsettled:
            state = record.state
            if state == "cancelled":
                outcome = Outcome.OBEYED  # also where it was never delivered: the task's last step had asked
            elif one.delivered_at is None:
                outcome = Outcome.NOT_DELIVERED
            elif state == "failed":
                outcome = Outcome.REPLACED
                one.error = record.error
            else:
                outcome = Outcome.SWALLOWED
            one.ended_at = record.ended_at
            self._settle(record, one, outcome)
            if outcome is Outcome.SWALLOWED:
                self._observation.complaints.swallowed(record, one)

    def _settle(self, record: "TaskRecord", one: Cancellation, outcome: Outcome) -> None:
        one.outcome = outcome
        one.settled_at = record.ended_at if record.ended_at is not None else monotonic()
        record.unsettled = tuple(other for other in record.unsettled if other is not one)
        self.open.pop(one.id, None)
        self.settled.append(one)
        self._observation.tell(
            CancellationSettled(one.id, one.task_name, record.owner, outcome, one.clean_up, one.error, record.id)
        )


def _code_id(frame: FrameType | None) -> int:
    """Return the id of the code of a frame; 0, which is none's, where there is no frame."""
    return 0 if frame is None else id(frame.f_code)


def _ended_cancelled(future: Any) -> bool:
    """Whether a future hands CancelledError to the task it wakes. gather's sets it as an exception."""
    if future is None:
        return False
    return bool(future.cancelled()) or isinstance(getattr(future, "_exception", None), asyncio.CancelledError)


def _deals_with_it(task: "Task") -> bool:
    """Whether an ``except`` or ``finally`` in the task's await chain deals with a CancelledError."""
    return any(
        issubclass(type(held), asyncio.CancelledError)  # nothing is asked of what the program holds
        for link in await_chain(task.get_coro())
        for held in gc.get_referents(link)
    )


def _limit(task: "Task", timeout: object) -> tuple[str, Mark | None]:
    """Return whether a timeout is that of a `wait_for`, and the program's line that waits under it."""
    line: Mark | None = None
    for link in await_chain(task.get_coro()):
        frame = frame_of(link)
        if id(frame.f_globals) not in MACHINERY:
            line = frame.f_code, frame.f_lasti
        if any(
            held is timeout or (type(held) is MethodType and held.__self__ is timeout)
            for held in gc.get_referents(link)
        ):
            return ("wait_for" if frame.f_code is asyncio.wait_for.__code__ else "timeout"), line
    return "timeout", None
