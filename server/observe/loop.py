"""The observed loop: every hook into a loop is here, and nothing but hooks.

`Observed` is what asyncio's and uvloop's loop have in common; `AsyncioLoop` is asyncio's. uvloop's is in ``uv.py``.
"""

import asyncio
import heapq
import selectors
import sys
from collections.abc import Callable
from contextvars import Context
from typing import Any

from .observation import Observation
from .places import BOTTOMS, MACHINERY
from .tasks import FIRST_STEP, WAKEUP, WAKEUP_NAME, Task
from .ticks import ObservedSelector
from .timers import Timer


class Observed(asyncio.AbstractEventLoop):
    """What observing takes on any loop that runs asyncio's own tasks. To be mixed in before the loop's class."""

    observation: Observation
    """What is known of this loop."""

    def run_forever(self) -> None:
        """Run until stopped."""
        self.observation.begin()
        try:
            super().run_forever()
        finally:
            self.observation.end()

    def close(self) -> None:
        """Close the loop."""
        super().close()
        self.observation.close()

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        """Make an observed task of a coroutine.

        A task factory that was set is used, asyncio's eager one with observed tasks; what any other one makes is its own.
        """
        factory = self.get_task_factory()
        tasks = self.observation.tasks
        if factory is not None:
            if not (tasks.on and _is_eager_factory(factory)):
                task = super().create_task(coro, **kwargs)
                tasks.unobserved += 1
                return task
            kwargs.setdefault("eager_start", True)
        elif not tasks.on:
            return super().create_task(coro, **kwargs)
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        try:
            task = tasks.make(self, coro, sys._getframe(1), **kwargs)
            if task._source_traceback:
                # The frames of this method and the one below it are no part of the program.
                del task._source_traceback[-2:]
            return task
        finally:
            # Else an exception of the task would hold this frame, and this frame the task.
            del task

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Have something called in the next turn. A step of a task is timed."""
        kind = type(callback)
        if kind is FIRST_STEP or (kind is WAKEUP and callback.__name__ == WAKEUP_NAME):
            task = callback.__self__
            if type(task) is Task:
                return super().call_soon(task.observed_step, callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what went wrong, and handle it as the loop does."""
        complaints = self.observation.complaints
        complaints.handled(context)
        complaints.handling = True
        try:
            super().call_exception_handler(context)
        finally:
            complaints.handling = False


def _is_eager_factory(factory: Any) -> bool:
    """Whether a task factory is `asyncio.eager_task_factory`, which Textual sets, or another one for plain tasks."""
    eager: Any = getattr(asyncio, "eager_task_factory", None)
    if eager is None or getattr(factory, "__code__", None) is not eager.__code__:
        return False
    return factory.__closure__[0].cell_contents is asyncio.Task


class AsyncioLoop(Observed, asyncio.SelectorEventLoop):
    """asyncio's own selector loop, observed.

    Args:
        selector: what it waits with; the platform's best unless told otherwise.
    """

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self.observation = observation = Observation(self, lambda: self._scheduled, ticks=True)
        ticks = observation.ticks
        assert ticks is not None
        super().__init__(ObservedSelector(selector or selectors.DefaultSelector(), ticks))

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have something called at a time of the loop's clock."""
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        timer = Timer(when, callback, args, self, context)
        if timer._source_traceback:
            del timer._source_traceback[-1]
        observation = self.observation
        timer.timers = timers = observation.timers
        timer.setter = observation.tasks.running
        timer.over = False
        timers.made += 1
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer


BOTTOMS.add(id(Observed.run_forever.__code__))
MACHINERY.add(id(globals()))
