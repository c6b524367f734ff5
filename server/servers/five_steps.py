"""A hand-written event loop, whole: the five steps of every event loop are in `FiveSteps.turns`.

Only the waiting itself is somebody else's: see ``hosting.py``. This runs for every message of the `selectors` server:
compiled where that is possible, as ``exchange.py`` is.
"""

import heapq
import itertools
from collections.abc import Callable, Generator
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from socket import socket
from typing import TYPE_CHECKING, Protocol

from .. import events
from ..native import clock

if TYPE_CHECKING:
    from ..journal import Journal

Ready = list[tuple[SelectorKey, int]]
Turns = Generator[float, Ready | None, None]

#: A deadline that is due at once makes a select that waits for nothing. From how many seconds on it counts as a wait.
_WORTH_TELLING = 0.001


class Sleeper(Protocol):
    """Somebody who is told that their deadline has come."""

    def on_deadline(self) -> None: ...


class Handler(Sleeper, Protocol):
    """Somebody who is told as well that their socket is ready, or that they failed."""

    sock: socket

    @property
    def whose(self) -> str:
        """Whose socket it is, for people."""

    def on_ready(self) -> None: ...
    def on_failed(self, error: Exception) -> None: ...


class FiveSteps:
    """An event loop with its own selector, its own registrations and its own deadlines.

    Args:
        server: whose it is, by name.
        journal: is told what each select has found.
        longest: for how long to wait at most, in seconds.
        on_empty: is told that a select came back empty after its timeout.
    """

    __slots__ = (
        "_deadlines",
        "_journal",
        "_longest",
        "_new",
        "_on_empty",
        "_order",
        "_ready",
        "_server",
        "busy",
        "now",
    )

    def __init__(self, server: str, journal: "Journal", longest: float, on_empty: Callable[[], None]) -> None:
        self.now = clock()
        """The time of this turn: read once, good enough for everything that happens in it."""
        self.busy = 0.0
        """For how long it has run, in seconds."""
        self._server = server
        self._journal = journal
        self._longest = longest
        self._on_empty = on_empty
        self._ready: list[Handler] = []
        self._new: list[Handler] = []
        self._deadlines: list[tuple[float, int, Sleeper]] = []
        self._order = itertools.count()

    def begin(self, selector: BaseSelector) -> Turns:
        """Forget what was, and return the turns: they wait with this selector."""
        self._ready.clear()
        self._new.clear()
        self._deadlines.clear()
        return self.turns(selector)

    def turns(self, selector: BaseSelector) -> Turns:
        """The event loop: one turn after the other, until whoever runs them has enough."""
        since = clock()
        while True:
            self._run_ready()  # 1. run what is ready
            self._register_new(selector)  # 2. register new sockets
            timeout = self._calculate_timeout()  # 3. calculate the timeout
            self.busy += clock() - since
            found = yield timeout  # 4. select: our host waits, and tells what it found
            since = clock()
            self._turn_into_ready(found)  # 5. turn events into what is ready

    def _run_ready(self) -> None:
        ready = self._ready
        self._ready = []
        for handler in ready:
            try:
                handler.on_ready()
            except Exception as error:  # noqa: BLE001 - a handler's failure ends its connection, not the loop
                handler.on_failed(error)

    def _register_new(self, selector: BaseSelector) -> None:
        for handler in self._new:
            if handler.sock.fileno() != -1:  # it may have been closed since
                selector.register(handler.sock, EVENT_READ, handler)
        self._new.clear()

    def _calculate_timeout(self) -> float:
        self.now = clock()
        while self._deadlines and self._deadlines[0][0] <= self.now:
            heapq.heappop(self._deadlines)[2].on_deadline()
        if self._ready or self._new:
            return 0.0
        if not self._deadlines:
            return self._longest
        return min(self._longest, self._deadlines[0][0] - self.now)

    def _turn_into_ready(self, found: Ready | None) -> None:
        asked_at = self.now
        self.now = clock()
        journal = self._journal
        if found:
            for key, _ in found:
                self._ready.append(key.data)
            if journal.details_open:
                journal.record(events.Selected(self._server, len(found), self.now - asked_at, _what(found[0])))
            else:
                journal.details_skipped += 1
        elif found is not None and self.now - asked_at > _WORTH_TELLING:
            self._on_empty()
            if journal.details_open:
                journal.record(events.SelectTimeout(self._server, self.now - asked_at))
            else:
                journal.details_skipped += 1

    # -- for its handlers

    def look_at(self, handler: Handler) -> None:
        """Let this handler have its turn, although its socket is not ready."""
        self._ready.append(handler)

    def register_soon(self, handler: Handler) -> None:
        """Register this handler's socket in the next step 2."""
        self._new.append(handler)

    def call_at(self, when: float, sleeper: Sleeper) -> None:
        """Tell somebody when their deadline has come. `when` is by the clock of `now`."""
        heapq.heappush(self._deadlines, (when, next(self._order), sleeper))


def _what(found: tuple[SelectorKey, int]) -> str:
    key, mask = found
    wants = " and ".join(word for bit, word in ((EVENT_READ, "read"), (EVENT_WRITE, "write")) if mask & bit)
    return f"fd {key.fd} {wants} ({key.data.whose})"
