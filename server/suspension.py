"""Ctrl+z and fg: how long the process was stopped, told when it goes on.

SIGTSTP and SIGSTOP stop the process at once, and nobody can tell the journal then. What remains is the last beat of the
pulse before, and SIGCONT after: the gap between them, less the beat that was due anyway.

Whatever is being measured just then would seem to have taken as long as the gap. So the first thing that happens when
the process goes on, in the handler of SIGCONT itself, is that those who measure are told to leave the gap out.

SIGCONT may have a handler already, and Textual sets one of its own when it starts, after us: ours calls whichever
there is, and is put before it again at the next beat.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable
from time import monotonic
from types import FrameType

from .events import Resumed
from .journal import Journal

#: A gap that is not longer than this, in seconds, may be a busy loop as well: it is not told.
SHORTEST = 0.25


class Suspension:
    """Watches for the process to be stopped and to go on. It belongs to the main thread.

    Args:
        journal: is told how long the gap was.
        resumed: called as soon as the process goes on, in a signal handler: between any two steps of the program.
    """

    def __init__(self, journal: Journal, resumed: Callable[[], None]) -> None:
        self._journal = journal
        self._resumed = resumed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat_at = monotonic()
        self._between = 0.0
        self._before: Callable[[int, FrameType | None], object] | int | None = None
        self._handles = False

    def install(self) -> None:
        """Begin to watch, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._take_over()

    def uninstall(self) -> None:
        """Give the signal back, unless somebody else has taken it."""
        self._loop = None
        if signal.getsignal(signal.SIGCONT) == self._goes_on:
            signal.signal(signal.SIGCONT, self._before or signal.SIG_DFL)

    def beat(self, seconds: float) -> None:
        """Note that the process runs. `seconds` have passed since the last beat."""
        self._beat_at, self._between = monotonic(), seconds
        if self._loop is not None and signal.getsignal(signal.SIGCONT) != self._goes_on:
            self._take_over()

    def _take_over(self) -> None:
        self._before = signal.signal(signal.SIGCONT, self._goes_on)

    def _goes_on(self, number: int, frame: FrameType | None) -> None:
        if self._handles:  # by the handler that was put before this one, which calls the one it has found
            return
        gap = monotonic() - self._beat_at
        if gap > SHORTEST:
            self._resumed()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._tell, gap)
        if callable(self._before):
            self._handles = True
            try:
                self._before(number, frame)
            finally:
                self._handles = False

    def _tell(self, gap: float) -> None:
        if gap > SHORTEST:
            self._journal.record(Resumed(round(gap, 3), round(self._between, 3)))
