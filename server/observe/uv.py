"""uvloop's loop, observed. Its ticks are libuv's own affair and cannot be seen; everything else can."""

import asyncio
import sys
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import Any

import uvloop

from .loop import Observed
from .observation import Observation
from .places import MACHINERY
from .scheduling import uv_call_soon
from .timers import Timer
from .uv_timers import uv_call_later


class UvLoop(Observed, uvloop.Loop):  # type: ignore[misc] # uvloop's stubs and asyncio's do not agree
    """uvloop's loop, observed."""

    # uvloop 0.23 hands ``eager_start=None`` to every factory from Python 3.13 on, which makes asyncio's eager factory
    # make lazy tasks. It is not for an observer to mend that.
    eager_by_factory = sys.version_info < (3, 13)

    def __init__(self) -> None:
        super().__init__()
        self.timers: dict[Any, Any] = {}
        self.observation = Observation(self, self.timers.values, super().call_later, ticks=False)
        self.tasks = self.observation.tasks
        self.timer_counts = self.observation.timers

    call_soon = uv_call_soon  # type: ignore[assignment] # it takes what its parent's takes
    unobserved_call_soon = uvloop.Loop.call_soon

    call_later = uv_call_later  # type: ignore[assignment] # it takes what its parent's takes
    unobserved_call_later = uvloop.Loop.call_later

    def call_later_in_debug_mode(
        self, delay: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.TimerHandle:
        """Have something called after some seconds, by a timer that knows by which line it was set."""
        when = monotonic() + delay
        timer = Timer(when, callback, args, self, context, self.timer_counts, self.tasks.running)
        timer.inner = super().call_later(delay, self._fire, timer)
        self.timer_counts.note_made()
        self.timers[id(timer)] = timer  # those that are alike are equal
        return timer

    def _fire(self, timer: Timer) -> None:
        del self.timers[id(timer)]
        timer.inner = None  # it holds this timer as well
        timer._run()
        timer.let_go()

    def _timer_handle_cancelled(self, timer: Timer) -> None:
        """Cancel the loop's own handle. asyncio's handles call this when they are cancelled."""
        if timer.inner is not None:
            timer.inner.cancel()
        self.timers.pop(id(timer), None)

    def close(self) -> None:
        """Close the loop; what was to be called later is let go, as uvloop does."""
        super().close()
        self.timers.clear()


MACHINERY.add(id(globals()))
