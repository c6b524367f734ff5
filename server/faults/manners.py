"""Bad manners: what a handler's task does when it is cancelled, where it should only clean up and end.

A server that has a task for each connection asks `Manners.cancelled` in its ``except CancelledError``, and nowhere
else: a connection without such faults has none (`Connection.manners` is None).
"""

import asyncio
import gc
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

from ..records import Treatment

#: After how many seconds garbage is collected, once a task was dropped: it waits by then, and nothing holds it.
COLLECT_AFTER = 0.01

#: After how many times as long as a collection took the next one may follow.
COLLECT_AGAIN = 10


class Habit(Protocol):
    """One fault's part in what a task does when it is cancelled."""

    fault: int

    async def cancelled(self) -> bool:
        """Do it; return whether the task goes on as if it had not been cancelled."""
        ...


class Manners:
    """What the faults of one connection make of its handler."""

    def __init__(self) -> None:
        self.treatment: Treatment | None = None
        """What becomes of its task if that fails; None for what its server does with all."""
        self.habits: list[Habit] = []

    @property
    def none_left(self) -> bool:
        """Whether no fault is left in here."""
        return self.treatment is None and not self.habits

    def remove(self, fault: int) -> None:
        """Take a fault away."""
        self.habits = [habit for habit in self.habits if habit.fault != fault]

    async def cancelled(self) -> bool:
        """Do what faults do to a task that is cancelled. Call it while CancelledError is being handled.

        Returns:
            Whether the task goes on as if it had not been cancelled.

        Raises:
            asyncio.CancelledError: if it is cancelled again meanwhile.
        """
        goes_on = False
        for habit in tuple(self.habits):
            goes_on = await habit.cancelled() or goes_on
        return goes_on


class Swallow:
    """Goes on."""

    def __init__(self, fault: int, tell: Callable[[str], None]) -> None:
        self.fault = fault
        self._tell = tell

    async def cancelled(self) -> bool:
        """Say so, and go on."""
        self._tell("its task swallows the cancellation, and goes on")
        return True


class SlowCleanUp:
    """Takes `seconds` to clean up; `end` ends that at once."""

    def __init__(self, fault: int, seconds: float, tell: Callable[[str], None]) -> None:
        self.fault = fault
        self._seconds = seconds
        self._tell = tell
        self._enough = asyncio.Event()

    def end(self) -> None:
        """Let a clean-up that is under way be over."""
        self._enough.set()

    async def cancelled(self) -> bool:
        """Take the time."""
        self._tell(f"its task takes {self._seconds * 1e3:.0f} ms to clean up")
        try:
            async with asyncio.timeout(self._seconds):
                await self._enough.wait()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self._tell("a second cancellation cuts the clean-up short")
            raise
        return False


class Collector:
    """Collects garbage: once for all tasks that were dropped by then.

    Among thousands of connections it takes a tenth of a second, in which nobody is served.
    """

    def __init__(self) -> None:
        self._is_due = False
        self._again = False
        self._took = 0.0

    def soon(self) -> None:
        """Collect in a moment; once more after the next time if that is due already: it may be too soon."""
        if self._is_due:
            self._again = True
            return
        self._is_due = True
        asyncio.get_running_loop().call_later(COLLECT_AFTER + COLLECT_AGAIN * self._took, self._collect)

    def _collect(self) -> None:
        self._is_due = False
        began = perf_counter()
        gc.collect()
        self._took = perf_counter() - began
        if self._again:
            self._again = False
            self.soon()


class DroppedTask:
    """Makes a task that waits for what never comes, and keeps it nowhere."""

    def __init__(self, fault: int, name: str, collector: Collector, tell: Callable[[str], None]) -> None:
        self.fault = fault
        self._name = name
        self._collector = collector
        self._tell = tell

    async def cancelled(self) -> bool:
        """Make the task and drop it; collect the garbage once it waits, so that asyncio notices soon."""
        loop = asyncio.get_running_loop()
        self._tell(f"its task makes another one, {self._name}, and drops it")
        loop.create_task(_goodbye(), name=self._name)  # noqa: RUF006 - that nobody keeps it is the fault
        self._collector.soon()
        return False


async def _goodbye() -> None:
    """Wait for a peer that will never take the goodbye."""
    await asyncio.get_running_loop().create_future()
