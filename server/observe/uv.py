"""uvloop's loop, observed. Its ticks are libuv's own affair and cannot be seen; everything else can."""

import asyncio
import sys
from collections.abc import Callable, Iterable
from contextvars import Context
from time import monotonic
from typing import Any

import uvloop

from .loop import Observed
from .observation import Observation
from .places import MACHINERY
from .timers import Timer
from .uv_steps import uv_call_soon
from .uv_timers import seconds_of, uv_call_later


class UvLoop(Observed, uvloop.Loop):  # type: ignore[misc] # uvloop's stubs and asyncio's do not agree
    """uvloop's loop, observed."""

    # All that it has, so that nothing is in its dictionary: each look for one of its methods would look in there first.
    __slots__ = ("_echotui_tasks", "observation")

    # uvloop 0.23 hands ``eager_start=None`` to every factory from Python 3.13 on, which makes asyncio's eager factory
    # make lazy tasks. It is not for an observer to mend that.
    eager_by_factory = sys.version_info < (3, 13)

    def __init__(self) -> None:
        self.observation = Observation(self, self._held, super().call_later, ticks=False)
        self._echotui_tasks = self.observation.tasks
        super().__init__()

    def _held(self) -> Iterable[Any]:
        return self.observation.timers.held.values()

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - as its parent
        """Switch debug mode."""
        super().set_debug(enabled)
        self._echotui_tasks.debug = self.get_debug()

    call_soon = uv_call_soon  # type: ignore[assignment] # it takes what its parent's takes
    call_later = uv_call_later  # type: ignore[assignment] # it takes what its parent's takes

    def call_later_in_debug_mode(
        self, delay: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.TimerHandle:
        """Have something called after some seconds, by a timer that knows by which line it was set."""
        when = monotonic() + seconds_of(delay)
        timer = Timer(when, callback, args, self, context, self.observation.timers, self._echotui_tasks.running)
        timer.inner = super().call_later(delay, self._fire, timer)
        self.observation.timers.made += 1
        self.observation.timers.held[id(timer)] = timer  # those that are alike are equal
        return timer

    def _fire(self, timer: Timer) -> None:
        del self.observation.timers.held[id(timer)]
        timer.inner = None  # it holds this timer as well
        timer._run()
        timer.let_go()

    def _timer_handle_cancelled(self, timer: Timer) -> None:
        """Cancel the loop's own handle. asyncio's handles call this when they are cancelled."""
        if timer.inner is not None:
            timer.inner.cancel()
        self.observation.timers.held.pop(id(timer), None)

    def close(self) -> None:
        """Close the loop; what was to be called later is let go, as uvloop does."""
        super().close()
        self.observation.timers.held.clear()


MACHINERY.add(id(globals()))
