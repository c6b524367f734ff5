"""A shutdown as data: every step from the signal to the closed loop, with when it began and ended, to scale.

The records of the latest shutdowns are kept, so that SIGINT, SIGTERM and a second signal can be compared. Each step is
also told to the journal when it is over.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

from .events import Event, duration
from .journal import Journal
from .value import value

#: How many shutdowns stay visible.
SHUTDOWNS_KEPT = 10

#: From how many steps on those of connections are counted, and no longer kept: of all else there are few.
MOST_STEPS = 2_000


class What(StrEnum):
    """What a step is about, in the order in which they come."""

    SIGNAL = "signal"
    """From sending a signal to its handler; only where we have sent it ourselves is it known when."""
    HANDLER = "handler"
    """From the handler to the first thing that is done about it."""
    LISTENER = "listener"
    """A listening socket is closed."""
    CONNECTION = "connection"
    """A connection: from when it was asked to finish until its socket was closed."""
    SERVER = "server"
    """A server ends whatever still runs."""
    EXECUTOR = "executor"
    """The default executor is joined: its threads finish what they do."""
    LOOP = "loop"
    """The loop is closed."""


@value
class ShutdownStep(Event):
    """One step of a shutdown. `began` and `ended` are seconds since the shutdown began."""

    kind = "shutdown_step"
    shutdown: int
    what: str
    name: str
    began: float
    ended: float
    outcome: str
    doing: str | None = None
    server: str | None = None
    connection: int | None = None

    @property
    def sentence(self) -> str:
        doing = f" ({self.doing})" if self.doing else ""
        return f"{self.what} {self.name}: {self.outcome} at {duration(self.ended)}{doing}"


@dataclass(slots=True, eq=False)
class Step:
    """One step, over or under way. Times are seconds since the shutdown began."""

    what: What
    name: str
    began: float
    ended: float | None = None
    outcome: str = ""
    """What became of it; empty while it is under way."""
    doing: str | None = None
    """What it was doing when it had not finished in time: where it hangs."""
    server: str | None = None
    connection: int | None = None


@dataclass(slots=True, eq=False)
class Shutdown:
    """One shutdown, over or under way."""

    id: int
    cause: str
    """``SIGTERM from outside``, ``the keyboard`` …"""
    drain: float
    """How long open connections have to finish, in seconds."""
    began_at: float
    """By ``time.monotonic()``, in seconds."""
    open_then: int = 0
    """How many connections were open when it began."""
    steps: list[Step] = field(default_factory=list)
    dropped: int = 0
    """How many steps of connections are counted, but not kept: see `MOST_STEPS`."""
    cut_short: str = ""
    """By what, when, and what that has lost; empty if nothing cut it short."""
    took: float | None = None
    """How long it took until all servers had stopped; None while it is under way."""

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return monotonic() - self.began_at

    def begin(
        self,
        what: What,
        name: str,
        *,
        began: float | None = None,
        server: str | None = None,
        connection: int | None = None,
    ) -> Step | None:
        """Begin a step, now unless told otherwise; None if there are too many to keep."""
        if what is What.CONNECTION and len(self.steps) >= MOST_STEPS:
            self.dropped += 1
            return None
        step = Step(what, name, self.now if began is None else began, server=server, connection=connection)
        self.steps.append(step)
        return step

    def end(
        self, step: Step | None, outcome: str, journal: Journal, fault: int | None = None, *, at: float | None = None
    ) -> None:
        """End a step, now unless told otherwise. No error if it is not kept, or over."""
        if step is None or step.ended is not None:
            return
        step.ended, step.outcome = self.now if at is None else at, outcome
        journal.record(
            ShutdownStep(
                self.id,
                step.what,
                step.name,
                round(step.began, 6),
                round(step.ended, 6),
                outcome,
                step.doing,
                step.server,
                step.connection,
            ),
            fault,
        )


def new_history() -> deque[Shutdown]:
    """Return where the latest shutdowns are kept, newest last."""
    return deque(maxlen=SHUTDOWNS_KEPT)
