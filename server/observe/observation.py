"""An observation: the instruments of one loop, and their way into the journal."""

import asyncio
import contextlib
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import get_ident
from time import monotonic
from types import CodeType
from typing import Any, Protocol

from ..events import Event, InstrumentDisabled
from ..journal import Journal
from .beating import Later
from .cancellations import Cancellations
from .complaints import Complaints
from .events import LettersLost
from .places import MACHINERY
from .stalls import Stalls
from .task_record import describe
from .tasks import Tasks
from .ticks import NOT_ON_UVLOOP, Ticks
from .timers import Timer, Timers

#: How many events are kept for a journal that is not attached yet.
EARLY_KEPT = 1_000

#: How many letters are kept until the loop turns.
LETTERS_KEPT = 10_000

_log = logging.getLogger("echotui.observe")


class Instrument(Protocol):
    """What all instruments have."""

    name: str
    on: bool


class Observation:
    """What is known of one loop: live records to read, instruments to switch, and a journal to tell.

    Read the instruments' records at any time. Switch an instrument with its `on`: that changes what is known, never
    what the loop does.

    Args:
        loop: the loop that is observed.
        scheduled: gives the timers that it holds.
        later: has something called after some seconds, unobserved if that can be.
        ticks: whether its ticks can be seen.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scheduled: Callable[[], Iterable[Timer]],
        later: Later,
        *,
        ticks: bool,
    ) -> None:
        self.letters: deque[Callable[[], object]] = deque()
        """What other threads have to say, and what is found out at a line where nobody expects it, as when garbage is
        collected. The loop opens them when it turns. At most `LETTERS_KEPT`."""
        self.cancellations = Cancellations(self)
        self.complaints = Complaints(self)
        self.timers = Timers(scheduled)
        self.tasks = Tasks(self, by_module)
        self.tasks.task_arguments = {"loop": loop}
        self.stalls = Stalls(self, loop, later)
        self.ticks = Ticks(self, loop) if ticks else None
        """None where the loop's ticks cannot be seen."""
        self.why_no_ticks = None if ticks else NOT_ON_UVLOOP
        """Why `ticks` is None."""
        self.disabled: dict[str, str] = {}
        """The instruments that raised and are switched off, and what they raised."""
        self.untold: frozenset[str] = frozenset()
        """The owners about whose tasks the journal is told only what is an error; the records have the rest as well."""
        self._loop: Any = loop
        self.journal: Journal | None = None
        self._early: deque[tuple[Event, float]] = deque(maxlen=EARLY_KEPT)
        self._lost = 0

    def attach(self, journal: Journal) -> None:
        """Tell this journal from now on, first of all what there was to tell before."""
        self.journal = journal
        while self._early:
            event, at = self._early.popleft()
            journal.record(event, ago=monotonic() - at)

    @property
    def is_quiet(self) -> bool:
        """Whether no descriptor was ready when the loop woke for the turn it is in; True where that cannot be seen."""
        ticks = self.ticks
        return ticks is None or not ticks.on or ticks.ready_now == 0

    @property
    def slow_callback_duration(self) -> float:
        """The loop's own limit for slow callbacks, in seconds."""
        limit: float = self._loop.slow_callback_duration
        return limit

    def begin(self) -> None:
        """The loop begins to run, in this thread."""
        self.tasks.thread = get_ident()
        self._guard(self.complaints, self.complaints.begin)
        self._guard(self.stalls, self.stalls.begin)
        if self.ticks is not None:
            self._guard(self.ticks, self.ticks.begin)

    def end(self) -> None:
        """The loop does not run any more."""
        if self.ticks is not None:
            self._guard(self.ticks, self.ticks.end)
        self._guard(self.stalls, self.stalls.end)
        self._guard(self.complaints, self.complaints.end)
        self.tasks.thread = 0
        self.open_letters()

    def close(self) -> None:
        """The loop is closed."""
        self._guard(self.stalls, self.stalls.close)
        self.open_letters()

    def resumed(self) -> None:
        """The process was stopped, and goes on just now: leave that time out of what is being measured.

        May be called in a signal handler: it takes no lock.
        """
        now = monotonic()
        self.tasks.started = now
        self.stalls.resumed_at = now
        # A stall that was seen before is over when a turn is told that has lasted as long.
        if self.ticks is not None and self.stalls.current is None:
            self.ticks.awake_since = now

    def tell(self, event: Event, at: float | None = None) -> None:
        """Record an event that happened at this time of `time.monotonic`; now, if None. In the loop's thread."""
        if getattr(event, "owner", None) in self.untold and getattr(event, "error", None) is None:
            return
        if self.journal is None:
            self._early.append((event, monotonic() if at is None else at))
        else:
            self.journal.record(event, ago=0.0 if at is None else monotonic() - at)

    def leave(self, letter: Callable[[], object]) -> None:
        """Have this called in the loop's thread, when the loop turns next. To be called in any thread, at any line."""
        if len(self.letters) < LETTERS_KEPT:
            self.letters.append(letter)
            self.stalls.nudge()
        else:
            self._lost += 1

    def open_letters(self) -> None:
        """Call what was left. In the loop's thread, between two callbacks."""
        for _ in range(len(self.letters)):  # what telling them leads to is for the next turn
            try:
                self.letters.popleft()()
            except Exception as error:  # noqa: BLE001 - nothing that is told may stop the loop
                self.report("letters", error)
        if self._lost:
            lost, self._lost = self._lost, 0
            self.tasks.sweep()  # they may have told that a task is gone
            self.tell(LettersLost(lost))

    def disable(self, instrument: Instrument, error: Exception) -> None:
        """Switch an instrument off that has raised."""
        instrument.on = False
        self.report(instrument.name, error)

    def report(self, name: str, error: Exception) -> None:
        """Say that something that watches has raised: once in the log, and in the journal."""
        if name not in self.disabled:
            why = self.disabled[name] = describe(error)
            with contextlib.suppress(Exception):  # the program's own filters and handlers may raise
                _log.error("%s raised, and is switched off", name, exc_info=error)
            self.tell(InstrumentDisabled(name, why))

    def _guard(self, instrument: Instrument, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - an instrument that fails must not stop the loop
            self.disable(instrument, error)


def by_module(code: CodeType) -> str | None:
    """Say whose a coroutine is by the package it is written in. asyncio's own belong to who made them: None."""
    file = code.co_filename
    if file.startswith(_ASYNCIO):
        return None
    for package, owner in (("textual", "ui"), ("echotui.tui", "ui"), ("echotui.server", "server")):
        path = getattr(sys.modules.get(package), "__path__", ())
        if any(file.startswith(folder + os.sep) for folder in path):
            return owner
    return "program"


_ASYNCIO = str(Path(asyncio.__file__).parent) + os.sep
MACHINERY.add(id(globals()))
