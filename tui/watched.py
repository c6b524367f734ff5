"""What the views draw of the loop itself: an observation, live or as it was at one moment."""

import copy
from collections import Counter
from collections.abc import Sequence
from time import monotonic
from types import SimpleNamespace
from typing import Any, Protocol

from echotui.server.observe.cancellations import Cancellation
from echotui.server.observe.complaints import Complaint
from echotui.server.observe.observation import Observation
from echotui.server.observe.places import Place
from echotui.server.observe.stalls import Stall
from echotui.server.observe.task_record import TaskRecord
from echotui.server.observe.ticks import KeptRegistration, Registration, Tick
from echotui.server.observe.timers import LiveTimer
from echotui.server.observe.timing import TaskState
from echotui.server.observe.waiting import Wait
from echotui.server.value import value

#: How many timers are looked at.
TIMERS = 200

#: The kind of problem that a task is which nobody has asked for its exception.
UNHEARD = "failed silently"

#: For how long, in seconds, a failed task is no problem yet: whoever awaits it asks in the next turn of the loop.
ASKED_SOON = 0.2


class TaskRow(Protocol):
    """What is drawn of a task: a `TaskRecord`, or a copy of what it said."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def state(self) -> TaskState: ...
    @property
    def steps(self) -> int: ...
    @property
    def busy(self) -> float: ...
    @property
    def longest(self) -> float: ...
    @property
    def eager(self) -> bool: ...
    @property
    def wait(self) -> Wait | None: ...
    @property
    def waiting_for(self) -> float | None: ...
    @property
    def made_at(self) -> Place | None: ...
    @property
    def creator_id(self) -> int | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def error_at(self) -> Place | None: ...
    @property
    def unretrieved(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def histogram(self) -> Counter[int] | None: ...
    @property
    def cancellations(self) -> tuple[Cancellation, ...]: ...


_TASK_FIELDS = tuple(name for name in vars(TaskRow) if isinstance(vars(TaskRow)[name], property))


@value
class Problems:
    """What went wrong, as it is kept: the newest last."""

    complaints: Sequence[Complaint]
    forgotten: int
    """How many complaints are no longer kept."""
    stalls: Sequence[Stall]
    """Those that are over, and at the end the one that lasts, if one does."""
    unheard: Sequence[TaskRecord] = ()
    """The tasks that have failed and still exist, and that nobody has asked for their exception."""


class Watched:
    """An observation, as the views read it. Everything is worked out when it is asked for."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    @property
    def tasks(self) -> Sequence[TaskRow]:
        """The live tasks, the newest first, and then the latest that have ended."""
        tasks = self._observation.tasks
        return [*reversed(tasks.live.values()), *reversed(tasks.past)]

    def task(self, number: int) -> TaskRow | None:
        """Return a task by its number; None if it is not kept any more."""
        return self._observation.tasks.get(number)

    @property
    def task_changes(self) -> object:
        """Something that is another one whenever a task is made or ends."""
        tasks = self._observation.tasks
        return tasks.made, tasks.ended_count

    @property
    def tasks_forgotten(self) -> int:
        """How many ended tasks are no longer kept, but for Textual's own."""
        return self._observation.tasks.forgotten

    @property
    def ui_tasks_forgotten(self) -> int:
        """How many of Textual's own ended tasks are no longer kept."""
        return self._observation.tasks.forgotten_ui

    @property
    def busy_by_owner(self) -> dict[str, float]:
        """How long all tasks ran, in seconds, by owner."""
        return self._observation.tasks.busy_by_owner

    @property
    def why_no_ticks(self) -> str | None:
        """Why ticks and registrations cannot be seen; None where they can."""
        return self._observation.why_no_ticks

    @property
    def ticks(self) -> Sequence[Tick]:
        """The latest ticks, oldest first; none where they cannot be seen."""
        return [] if self._observation.ticks is None else self._observation.ticks.recent

    @property
    def tick_count(self) -> int:
        """How many ticks there were, ever."""
        return 0 if self._observation.ticks is None else self._observation.ticks.count

    @property
    def registrations(self) -> Sequence[Registration]:
        """The descriptors the loop watches; none where they cannot be seen."""
        return [] if self._observation.ticks is None else self._observation.ticks.registrations()

    @property
    def registered(self) -> int:
        """How many descriptors the loop watches; 0 where that cannot be seen."""
        return 0 if self._observation.ticks is None else self._observation.ticks.registered()

    def registration(self, fd: int) -> Registration | None:
        """Return what the loop watches a descriptor for; None if it does not, or that cannot be seen."""
        return None if self._observation.ticks is None else self._observation.ticks.registration(fd)

    @property
    def timers(self) -> Sequence[LiveTimer]:
        """The timers that are set, soonest first: the first `TIMERS` of them."""
        return self._observation.timers.soonest(TIMERS)

    @property
    def timer_counts(self) -> tuple[int, int, int]:
        """How many timers are set, have fired, and were cancelled."""
        timers = self._observation.timers
        return timers.live, timers.fired, timers.cancelled

    @property
    def problems(self) -> Problems:
        """What went wrong."""
        complaints, stalls = self._observation.complaints, self._observation.stalls
        lasting = [] if stalls.current is None else [stalls.current]
        long_enough = monotonic() - ASKED_SOON
        unheard = [record for record in self._observation.tasks.unheard if record.since < long_enough]
        return Problems([*complaints.recent], complaints.forgotten, [*stalls.recent, *lasting], unheard)

    @property
    def disabled(self) -> dict[str, str]:
        """The instruments that raised and are switched off, and what they raised."""
        return self._observation.disabled

    def study(self, row: TaskRow) -> None:
        """Have the steps of a task counted by their length from now on, if it is live."""
        record = self._observation.tasks.live.get(row.id)
        if record is not None:
            self._observation.tasks.keep_histogram(record)

    def freeze(self) -> "Watched":
        """Return what is true at this moment. It takes time in proportion to the tasks there are."""
        values = {name: getattr(self, name) for name in PROPERTIES}
        values["tasks"] = [_frozen_task(row) for row in values["tasks"]]
        values["registrations"] = [
            KeptRegistration(one.fd, one.events, one.whose, one.task_id) for one in values["registrations"]
        ]
        values["busy_by_owner"] = dict(values["busy_by_owner"])
        values["disabled"] = dict(values["disabled"])
        return Still(values)


class Still(Watched):
    """A `Watched` that stays as it is.

    Args:
        values: what each of `PROPERTIES` is.
    """

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def task(self, number: int) -> TaskRow | None:
        """Return a task by its number; None if it was not kept any more."""
        return next((row for row in self.tasks if row.id == number), None)

    def registration(self, fd: int) -> Registration | None:
        """Return what the loop watched a descriptor for; None if it did not, or that could not be seen."""
        return next((one for one in self.registrations if one.fd == fd), None)

    def study(self, row: TaskRow) -> None:
        """Do nothing: nothing changes any more."""

    def freeze(self) -> Watched:
        """Return itself."""
        return self


def _stored(name: str) -> property:
    def value(frozen: Still) -> Any:
        return frozen.values[name]

    return property(value)


#: What a `Watched` can be asked for.
PROPERTIES = tuple(name for name, value in vars(Watched).items() if isinstance(value, property))
for _name in PROPERTIES:
    setattr(Still, _name, _stored(_name))


def _frozen_task(row: TaskRow) -> Any:
    values = {name: getattr(row, name) for name in _TASK_FIELDS}
    values["cancellations"] = tuple(copy.copy(one) for one in row.cancellations)
    values["histogram"] = None if row.histogram is None else row.histogram.copy()
    return SimpleNamespace(**values)
