"""uvloop's loop, observed. Its ticks are libuv's own affair and cannot be seen; everything else can."""

import asyncio
import sys
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from time import monotonic
from typing import TypeVarTuple

import uvloop

from .loop import Observed
from .observation import Observation
from .places import MACHINERY
from .scheduling import uv_call_soon
from .timers import Timer

_Arguments = TypeVarTuple("_Arguments")


class UvLoop(Observed, uvloop.Loop):  # type: ignore[misc] # uvloop's stubs and asyncio's do not agree
    """uvloop's loop, observed."""

    # uvloop 0.23 hands ``eager_start=None`` to every factory from Python 3.13 on, which makes asyncio's eager factory
    # make lazy tasks. It is not for an observer to mend that.
    eager_by_factory = sys.version_info < (3, 13)

    def __init__(self) -> None:
        super().__init__()
        self._timers: dict[int, Timer] = {}
        self.observation = Observation(self, self._timers.values, super().call_later, ticks=False)
        self.tasks = self.observation.tasks

    call_soon = uv_call_soon  # type: ignore[assignment] # it takes what its parent's takes
    unobserved_call_soon = uvloop.Loop.call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Have something called after some seconds."""
        observation, tasks = self.observation, self.tasks
        if tasks.thread != get_ident() and tasks.thread and not self.get_debug():
            observation.complaints.called_from_elsewhere(
                "call_later or call_at", callback
            )  # the one is made of the other
        timers = observation.timers
        timer = Timer(monotonic() + delay, callback, args, self, context, timers, tasks.running)
        timer.inner = super().call_later(delay, self._fire, timer)
        timers.made += 1
        self._timers[id(timer)] = timer
        return timer

    def _fire(self, timer: Timer) -> None:
        del self._timers[id(timer)]
        timer.inner = None  # it holds this timer as well
        timer._run()
        timer.let_go()

    def _timer_handle_cancelled(self, timer: Timer) -> None:
        """Cancel the loop's own handle. asyncio's handles call this when they are cancelled."""
        if timer.inner is not None:
            timer.inner.cancel()
        self._timers.pop(id(timer), None)

    def close(self) -> None:
        """Close the loop; what was to be called later is let go, as uvloop does."""
        super().close()
        self._timers.clear()


MACHINERY.add(id(globals()))
