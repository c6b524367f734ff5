"""What the views draw: the lab's live records, or a copy of them that stays as it is while the view is paused."""

import copy
import platform
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple

from echotui.server.events import Event, SelectTimeout
from echotui.server.faults.active import ActiveFault
from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.records import Connections, ServerRecord
from echotui.server.value import value
from echotui.server.vitals import Vitals
from echotui.server.waterfall import Shutdown

from .watched import Watched

#: How often the vitals are measured, in seconds: what comes no more often may be drawn with them.
SECOND = 1.0


class Painting(NamedTuple):
    """What painting took in a second."""

    cost: float
    """The share of the time, from 0 to 1."""
    frames: float
    """How often something was brought to the terminal, a second."""


@value
class Picture:
    """Everything there is to draw, from one source at one time."""

    loop: str
    """What the loop is, in words: ``asyncio · epoll``."""
    python: str
    """What runs it: ``Python 3.11.7``."""
    started_at: float
    """By `now`."""
    now: Callable[[], float]
    """The clock of the records, ``time.monotonic()``; in a frozen picture it stands still."""
    servers: list[ServerRecord]
    connections: Connections
    journal: Journal
    vitals: Callable[[], Vitals]
    draining_until: Callable[[], float | None]
    """Until when open connections may finish, by `now`; None while nothing is stopping."""
    painting: Callable[[], Painting | None]
    """What drawing took in the last second; None while that is not known."""
    watched: Watched | None = None
    """The loop itself; None where it is not an observed one."""
    faults: Callable[[], Sequence[ActiveFault]] = tuple
    """The faults that were injected, newest last: the active ones, and the latest that are over."""
    shutdowns: Callable[[], Sequence[Shutdown]] = tuple
    """The latest shutdowns, newest last."""
    missed: Callable[[], int] | None = None
    """In a frozen picture, how many events have come in since; None in a live one."""
    empty_selects_are_news: bool = True
    """Whether a select that came back empty is drawn at once; else it is one of the things that only time brings."""

    @property
    def frozen(self) -> bool:
        """Whether it stays as it is."""
        return self.missed is not None

    def stamp(self) -> tuple[Any, ...]:
        """Return something that is another one whenever there is something new to draw.

        Times are drawn in whole seconds, and the vitals are measured once a second: what only time has changed is drawn
        with them, so that a second in which nothing happens costs one frame and not ten.
        """
        draining = self.draining_until() is not None
        return (
            int(self.now() * 10) if draining else None,
            self.journal.recorded if self.empty_selects_are_news else self._happened,
            self.journal.details_skipped,
            self.connections.changes,
            self.vitals().samples,
            *[(record.state, record.bytes_in, record.bytes_out, record.treatment) for record in self.servers],
        )

    def stamp_of_connections(self) -> object:
        """Return something that is another one whenever something may have happened to a connection."""
        _, _, *others = self.stamp()
        return self._happened, *others

    @property
    def _happened(self) -> int:
        """How many events there were, but for selects that came back empty."""
        return self.journal.recorded - self.journal.counts[SelectTimeout.kind]

    def is_news(self, event: Event) -> bool:
        """Return whether an event is to be drawn soon, and not with what only time has changed."""
        return self.empty_selects_are_news or not isinstance(event, SelectTimeout)

    def freeze(self) -> "Picture":
        """Return a picture of this moment."""
        now, vitals, draining_until = self.now(), copy.deepcopy(self.vitals()), self.draining_until()
        journal = self.journal.frozen()
        faults = [_frozen_fault(fault) for fault in self.faults()]
        shutdowns = copy.deepcopy([*self.shutdowns()])
        return Picture(
            self.loop,
            self.python,
            self.started_at,
            lambda: now,
            [record.frozen() for record in self.servers],
            self.connections.frozen(),
            journal,
            lambda: vitals,
            lambda: draining_until,
            self.painting,
            None if self.watched is None else self.watched.freeze(),
            lambda: faults,
            lambda: shutdowns,
            missed=lambda: self.journal.recorded - journal.recorded,
        )


def picture_of(lab: Lab, loop: str, painting: Callable[[], Painting | None]) -> Picture:
    """Return the live picture of a lab, drawn at the cost that `painting` tells."""
    return Picture(
        loop,
        f"Python {platform.python_version()}",
        lab.started_at,
        monotonic,
        lab.records,
        lab.connections,
        lab.journal,
        lambda: lab.vitals,
        lambda: lab.draining_until,
        painting,
        None if lab.observation is None else Watched(lab.observation),
        lambda: sorted([*lab.faults.ended, *lab.faults.active.values()], key=_id),
        lambda: lab.shutdowns,
        empty_selects_are_news=lab.settings.select_timeout < SECOND,
    )


def _id(fault: ActiveFault) -> int:
    return fault.id


def _frozen_fault(fault: ActiveFault) -> ActiveFault:
    frozen = copy.copy(fault)
    frozen.radius = copy.deepcopy(fault.radius)
    return frozen
