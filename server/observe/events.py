"""What the observed loop tells the journal: what is rare and matters. Everything else is in live records.

`task` is a task's name, for people; `task_id` its number among the tasks of its loop, by which its record is found.
"""

from ..events import Event, duration
from ..value import value
from .core_time import Spent


@value
class CancellationAsked(Event):
    """Somebody asked a task to end. `by` is the task that asked, if a task did; `reason` how it asked."""

    kind = "cancellation_asked"
    cancellation: int
    task: str
    owner: str
    reason: str
    by: str | None
    place: str | None
    message: str | None
    task_id: int | None = None

    @property
    def sentence(self) -> str:
        by = f" by {self.by}" if self.by else ""
        place = f" at {self.place}" if self.place else ""
        message = f": {self.message}" if self.message else ""
        return f"{self.task} is asked to end, {self.reason}{by}{place}{message}"


@value
class CancellationDelivered(Event):
    """A request to end has reached its task, as CancelledError at an await, `after` seconds."""

    kind = "cancellation_delivered"
    cancellation: int
    task: str
    owner: str
    place: str | None
    after: float
    before_first_step: bool
    task_id: int | None = None

    @property
    def sentence(self) -> str:
        if self.before_first_step:
            return f"{self.task} is cancelled before its first step: nothing of it ever runs"
        return f"{self.task} gets CancelledError at {self.place}, {duration(self.after)} after it was asked"


@value
class CancellationSettled(Event):
    """What became of a request to end, and how long the task took over it (`clean_up`, seconds)."""

    kind = "cancellation_settled"
    cancellation: int
    task: str
    owner: str
    outcome: str
    clean_up: float | None
    error: str | None
    task_id: int | None = None

    @property
    def sentence(self) -> str:
        took = "" if self.clean_up is None else f", clean-up took {duration(self.clean_up)}"
        error = f" by {self.error}" if self.error else ""
        return f"cancellation of {self.task}: {self.outcome}{error}{took}"


@value
class Complained(Event):
    """Something is wrong with the program: `about` names the kind, see `complaints.KINDS`.

    `only_debug` tells that it would not have been seen without asyncio's debug mode.
    """

    kind = "complaint"
    alarming = True
    about: str
    message: str
    meaning: str
    fix: str
    error: str | None = None
    task: str | None = None
    owner: str | None = None
    place: str | None = None
    only_debug: bool = False
    task_id: int | None = None

    @property
    def sentence(self) -> str:
        return " · ".join(part for part in (self.message, self.task, self.error, self.place) if part)


@value
class LettersLost(Event):
    """How much there was to tell of the loop, by other threads or garbage, that it did not turn in time to hear."""

    kind = "letters_lost"
    alarming = True
    count: int

    @property
    def sentence(self) -> str:
        return f"{self.count:,} complaints or other news of the loop are lost: too many came within one turn"


@value
class StallBegan(Event):
    """The loop does not turn: something on it has not come back for `lasted` seconds.

    Its time in the journal is when that was noticed, `lasted` seconds after it began; the journal is told when it ends.
    """

    kind = "stall_began"
    alarming = True
    stall: int
    lasted: float
    place: str | None
    task: str | None
    task_id: int | None = None

    @property
    def sentence(self) -> str:
        who = f" in {self.task}" if self.task else ""
        place = self.place or "a place that cannot be seen"
        return f"the loop is blocked for {duration(self.lasted)} now, at {place}{who}"


@value
class StallEnded(Event):
    """The loop turns again after `lasted` seconds, with what had to wait for it meanwhile. Its time is the end.

    At least so many seconds of it the loop's thread `ran`, was `starved` of a core, or `waited` in a call.
    """

    kind = "stall_ended"
    alarming = True
    stall: int
    lasted: float
    place: str | None
    task: str | None
    delayed_timers: int
    delayed_descriptors: int | None
    delayed_callbacks: int | None
    task_id: int | None = None
    ran: float | None = None
    starved: float | None = None
    waited: float | None = None

    @property
    def sentence(self) -> str:
        delayed = [
            f"{count} {what}{'' if count == 1 else 's'}"
            for count, what in (
                (self.delayed_timers, "timer"),
                (self.delayed_descriptors, "descriptor"),
                (self.delayed_callbacks, "callback"),
            )
            if count
        ]
        late = f"; {', '.join(delayed)} had to wait" if delayed else ""
        why = Spent(self.lasted, self.ran, self.starved, self.waited).in_words
        place = self.place or "a place that was not seen"
        return f"the loop was blocked for {duration(self.lasted)}{why and ', ' + why}, at {place}{late}"
