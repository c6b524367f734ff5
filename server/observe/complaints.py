"""Complaints: what is wrong with the program on this loop, what it means, and how to mend it.

They come from asyncio (the loop's exception handler, its logger), from the interpreter (a coroutine that was
never awaited), and from what the other instruments see without debug mode.
"""

import asyncio
import logging
import sys
import warnings
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Lock, get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..events import duration
from .events import Complained
from .places import MACHINERY, Mark, Place, caller, name_of, place_of, program_mark, raised_at
from .task_record import describe, text_of
from .waiting import is_awaited

if TYPE_CHECKING:
    from .cancellations import Cancellation
    from .observation import Observation
    from .task_record import TaskRecord

#: How many complaints stay visible.
KEPT = 500


class Kind(NamedTuple):
    """What a kind of complaint means, and how to mend it in one line."""

    meaning: str
    fix: str


KINDS: dict[str, Kind] = {
    "never retrieved": Kind(
        "A task failed, and was dropped before anyone asked for its result: its exception would have been lost.",
        "Await the task, put it into a TaskGroup, or handle the exception inside it.",
    ),
    "never awaited": Kind(
        "A coroutine function was called, and its coroutine dropped: nothing of it ever ran.",
        "Write await before the call, or give the coroutine to create_task.",
    ),
    "destroyed pending": Kind(
        "A task was collected as garbage before it ended: the loop holds tasks only weakly.",
        "Keep a reference to the task until it has ended, or put it into a TaskGroup.",
    ),
    "callback raised": Kind(
        "A callback raised, and nobody could be given the exception: the loop goes on without it.",
        "Handle the exception inside the callback.",
    ),
    "slow step": Kind(
        "A step ran so long without awaiting that everything else on the loop had to wait.",
        "Move the work to a thread (asyncio.to_thread), or await in between.",
    ),
    "wrong thread": Kind(
        "A loop was told from another thread to do something: it may not notice until something else wakes it.",
        "Use loop.call_soon_threadsafe, or asyncio.run_coroutine_threadsafe.",
    ),
    "task made while cancelled": Kind(
        "A task was made by one that dealt with its cancellation: if the loop ends first, it is destroyed pending.",
        "Do the clean-up in the task itself, or await the new one.",
    ),
    "cancellation swallowed": Kind(
        "A task caught CancelledError and went on: whoever asked it to end waits in vain.",
        "Raise again after the clean-up, or call uncancel() if going on is meant.",
    ),
    "logged": Kind("asyncio wrote this to its log.", "Read the message: it says what asyncio could not do."),
    "other": Kind("asyncio had nobody else to tell.", "Read the message and the exception."),
}

#: How many tasks that one has made while it is cancelled are looked at when it has ended.
LATE_KEPT = 100

#: What asyncio's messages begin with, and the kind they are.
_MESSAGES = (
    ("Task exception was never retrieved", "never retrieved"),
    ("Future exception was never retrieved", "never retrieved"),
    ("Task was destroyed but it is pending", "destroyed pending"),
    ("Exception in callback", "callback raised"),
    ("Unhandled exception in client_connected_cb", "callback raised"),
    ("Fatal error: protocol", "callback raised"),
)


@dataclass(slots=True, eq=False)
class Complaint:
    """One complaint. `at` is when, by `time.monotonic`, in seconds."""

    kind: str
    message: str
    at: float = field(default_factory=monotonic)
    error: str | None = None
    task_id: int | None = None
    task_name: str | None = None
    owner: str | None = None
    mark: Mark | None = None
    only_debug: bool = False
    """Whether asyncio's debug mode was needed to see it."""

    @property
    def meaning(self) -> str:
        """What it means."""
        return KINDS[self.kind].meaning

    @property
    def fix(self) -> str:
        """How to mend it, in one line."""
        return KINDS[self.kind].fix

    @property
    def place(self) -> Place | None:
        """The line it is about; None where there is none."""
        return place_of(self.mark)


class Complaints:
    """The latest complaints about one loop, and how many there were of each kind."""

    name = "complaints"

    def __init__(self, observation: "Observation") -> None:
        self.on = True
        self.recent: deque[Complaint] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()
        """How many of each kind there were, ever."""
        self.handling = False
        """Whether the loop's exception handler is at work: what it logs has been noted already."""
        self._observation = observation
        # When the last step ended of which `slow_step` has told: in debug mode asyncio logs the same in a moment.
        self._slow_until = 0.0
        self._elsewhere: set[tuple[int, int]] = set()

    @property
    def forgotten(self) -> int:
        """How many are no longer kept."""
        return self.counts.total() - len(self.recent)

    def handled(self, context: dict[str, Any]) -> None:
        """Note what asyncio hands to the loop's exception handler."""
        if not self.on:
            return
        try:
            self._handled(context)
        except Exception as error:  # noqa: BLE001 - nothing here may keep the handler from its work
            self._observation.disable(self, error)

    def _handled(self, context: dict[str, Any]) -> None:
        message = str(context.get("message") or "Unhandled exception in event loop")
        kind = next((kind for start, kind in _MESSAGES if message.startswith(start)), "other")
        error: BaseException | None = context.get("exception")
        task: Any = context.get("task") or context.get("future")
        record = self._observation.tasks.record_of(task)
        mark = None if error is None else raised_at(error)
        if mark is None and record is not None:
            mark = record.made
        if kind in ("never retrieved", "destroyed pending") and record is not None:
            record.given_name = task.get_name()  # nobody can ask the task later
        self._leave(Complaint(kind, message, error=None if error is None else describe(error), mark=mark), record)

    def slow_step(self, record: "TaskRecord", took: float) -> None:
        """Note a step over the loop's limit for slow callbacks."""
        if self.on:
            stall = self._observation.stalls.during(took)
            mark = None if stall is None else stall.mark_in(record.id)
            if mark is None:
                mark = self._observation.tasks.last_mark(record)
            complaint = Complaint("slow step", f"a step took {duration(took)}", mark=mark)
            self._slow_until = complaint.at
            self._keep(complaint, record)

    def swallowed(self, record: "TaskRecord", cancellation: "Cancellation") -> None:
        """Note a task that went on after a cancellation was delivered to it."""
        if self.on:
            message, mark = "a cancellation was swallowed", cancellation.delivered_mark
            self._keep(Complaint("cancellation swallowed", message, mark=mark), record)

    def made_while_cancelled(self, made: "TaskRecord", maker: "TaskRecord") -> None:
        """Note a task that was made by code that deals with CancelledError: `made_late` says whether it is wrong."""
        if self.on and isinstance(sys.exc_info()[1], asyncio.CancelledError):
            late = maker.made_late = [one for one in maker.made_late or () if not one.ended]
            if len(late) < LATE_KEPT:
                late.append(made)

    def made_late(self, maker: "TaskRecord") -> None:
        """Complain of the tasks that one made while it was cancelled, if they go on unawaited when this is over."""
        late, maker.made_late = maker.made_late or (), None
        try:
            for made in late:
                if made.task is not None and not made.ended and not is_awaited(made.task):
                    message = f"{maker.name} makes a task while it is cancelled"
                    self._keep(Complaint("task made while cancelled", message, mark=made.made), made)
        except Exception as error:  # noqa: BLE001 - nothing here may break the step that has just run
            self._observation.disable(self, error)

    def called_from_elsewhere(self, method: str, callback: object) -> None:
        """Note a call from another thread than the loop's, in that thread. In debug mode asyncio raises instead."""
        if not self.on:
            return
        mark = program_mark(caller(1))
        # A program that does this does it often: it is told once a line.
        line = (0, 0) if mark is None else (id(mark[0]), mark[1])
        if line not in self._elsewhere and len(self._elsewhere) < KEPT:
            self._elsewhere.add(line)
            message = f"{method}({name_of(callback)}) from another thread"
            self._observation.leave(lambda: self._keep(Complaint("wrong thread", message, mark=mark)))

    def _leave(self, complaint: Complaint, record: "TaskRecord | None" = None) -> None:
        """Keep and tell a complaint when the loop turns: garbage complains in any thread, in the middle of anything."""
        if not self._observation.tasks.thread:
            self._keep(complaint, record, complaint.at)
        else:
            self._observation.leave(partial(self._keep, complaint, record, complaint.at))

    def _keep(self, complaint: Complaint, record: "TaskRecord | None" = None, at: float | None = None) -> None:
        """Keep and tell a complaint, in the loop's thread.

        `record` is the task it is about; `at` when it was, by `time.monotonic`, if not just now.
        """
        if record is not None:
            if complaint.kind == "destroyed pending":
                self._observation.tasks.destroyed(record, at)
            complaint.task_id, complaint.task_name, complaint.owner = record.id, record.name, record.owner
        self.recent.append(complaint)
        self.counts[complaint.kind] += 1
        place = complaint.place
        self._observation.tell(
            Complained(
                complaint.kind,
                complaint.message,
                complaint.meaning,
                complaint.fix,
                complaint.error,
                complaint.task_name,
                complaint.owner,
                None if place is None else str(place),
                complaint.only_debug,
                complaint.task_id,
            ),
            at,
        )

    def begin(self) -> None:
        """The loop begins to run, in this thread."""
        _Everywhere.join(self)

    def end(self) -> None:
        """The loop does not run any more."""
        _Everywhere.leave(self)

    def never_awaited(self, coroutine: Any) -> None:
        """Note a coroutine that was dropped before it ran."""
        if not self.on:
            return
        try:
            code = coroutine.cr_code
            # In debug mode the coroutine knows where it was made; else its definition must do.
            origin = coroutine.cr_origin
            message = f"coroutine {code.co_qualname}() was never awaited"
            if origin:
                file, line, function = origin[0]
                message += f", made at {file}:{line} in {function}"
            self._leave(Complaint("never awaited", message, mark=(code, -1)))
        except Exception as error:  # noqa: BLE001 - this runs while an object is deallocated
            self._observation.disable(self, error)

    def logged(self, entry: logging.LogRecord) -> None:
        """Note what asyncio logs, beyond what its exception handlers log."""
        if not self.on or self.handling or entry.levelno < logging.WARNING:
            return
        try:
            message = _message_of(entry)
            slow = message.startswith("Executing ")
            if slow and self._is_told(entry):
                return
            self._leave(Complaint("slow step" if slow else "logged", message, only_debug=slow))
        except Exception as error:  # noqa: BLE001 - nothing here may break the logging of others
            self._observation.disable(self, error)

    def _is_told(self, entry: logging.LogRecord) -> bool:
        """Whether what ran so long, as asyncio has just logged, is the step of which `slow_step` has told."""
        took = entry.args[-1] if isinstance(entry.args, tuple) and entry.args else None
        return isinstance(took, float) and monotonic() - took < self._slow_until


class _Everywhere:
    """What belongs to the process and not to a loop: the hook for coroutines never awaited, and asyncio's logger.

    Both are in place while an observed loop runs, in any thread.
    """

    lock: ClassVar[Lock] = Lock()
    running: ClassVar[dict[int, Complaints]] = {}
    """Those of the loops that run, by their thread: another dictionary at each change, because others read it."""
    before: ClassVar[Callable[[Any], None] | None] = None
    hook: ClassVar[type | None] = None

    @classmethod
    def join(cls, complaints: Complaints) -> None:
        with cls.lock:
            if not cls.running:
                cls.before = getattr(warnings, "_warn_unawaited_coroutine", None)
                if cls.before is not None:
                    cls.hook = _hook_before(cls.before)
                    warnings._warn_unawaited_coroutine = cls.hook  # type: ignore[attr-defined]
                logging.getLogger("asyncio").addFilter(_logged)
            cls.running = {**cls.running, get_ident(): complaints}

    @classmethod
    def leave(cls, complaints: Complaints) -> None:
        with cls.lock:
            cls.running = {thread: one for thread, one in cls.running.items() if one is not complaints}
            if not cls.running:
                if cls.hook is not None and getattr(warnings, "_warn_unawaited_coroutine", None) is cls.hook:
                    warnings._warn_unawaited_coroutine = cls.before  # type: ignore[attr-defined]
                logging.getLogger("asyncio").removeFilter(_logged)

    @classmethod
    def here(cls) -> Complaints | None:
        """Return the complaints of the loop that runs in this thread."""
        return cls.running.get(get_ident())


def _message_of(entry: logging.LogRecord) -> str:
    """Return what was logged; what cannot be put into words, as it was given: the logger's handlers say why."""
    try:
        return entry.getMessage()
    except Exception:  # noqa: BLE001 - what it is made of is anybody's
        return text_of(entry.msg)


def _hook_before(original: Callable[[Any], None]) -> type:
    """Return what notes a coroutine that was never awaited, and then calls the interpreter's own hook.

    It is a class, because the hook warns about the frame that called it: calling a class runs `__new__`, and then
    `__init__` with no frame of ours around it.
    """

    class Hook:
        def __new__(cls, coroutine: Any) -> Any:
            complaints = _Everywhere.here()
            if complaints is not None:
                complaints.never_awaited(coroutine)
            return super().__new__(cls)

        __init__ = staticmethod(original)

    hook: type = Hook
    return hook


def _logged(entry: logging.LogRecord) -> bool:
    """Listen to asyncio's logger as a filter that lets everything pass: a handler would change who else handles it."""
    complaints = _Everywhere.here()
    if complaints is not None:
        complaints.logged(entry)
    return True


MACHINERY.add(id(globals()))
