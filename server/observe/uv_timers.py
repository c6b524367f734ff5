"""The timers of an observed uvloop loop: what stands between the loop's own handle and the program's callback.

Compiled where that is possible, as ``timing.py`` is. In debug mode such a loop has the same timers as an asyncio loop.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from time import monotonic
from typing import Any

from .places import MACHINERY
from .timing import Called, TimerCounts


class UvTimer(Called):
    """A timer, as `asyncio.TimerHandle` is one, that knows which task set it, and tells its end.

    The loop's own handle calls it when it is due.
    """

    __slots__ = ("_counts", "_inner", "_live", "_over", "_when", "setter")

    _counts: TimerCounts
    _inner: Any
    _live: dict[Any, Any]
    _over: bool
    _when: float
    setter: Any
    """The task that set it; None if no task did."""

    @property  # type: ignore[misc] # as in `TimedStep`
    def __class__(self) -> type[asyncio.TimerHandle]:  # type: ignore[override]
        return asyncio.TimerHandle

    def __call__(self) -> None:
        """Fire."""
        callback, args = self._callback, self._args
        self._inner = None  # it holds this timer as well
        self._over = True
        self._live.pop(self, None)
        self._counts.note_fired(self._when, None, callback, self.setter)
        try:
            callback(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - the loop tells its exception handler, and goes on
            self.tell_failed(callback, args, error)
        finally:
            # It has fired: whoever keeps it keeps nothing of the program, and no more than uvloop's own.
            self._callback = None
            self._args = ()
            del self, callback, args

    def cancel(self) -> None:
        """Cancel it. No effect if it has fired or is cancelled already."""
        if not self._over and not self._cancelled:
            self._live.pop(self, None)
            self._counts.note_cancelled(self._when, None, self._callback, self.setter)
            if self._inner is not None:
                self._inner.cancel()
                self._inner = None
        self._cancelled = True
        self._callback = None
        self._args = ()

    def when(self) -> float:
        """Return when it is due, by the loop's clock, in seconds."""
        return self._when

    def __repr__(self) -> str:
        return self.said_by(asyncio.TimerHandle(self._when, self._callback, self._args, self._loop))


def uv_call_later(
    self: Any, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
) -> asyncio.TimerHandle:
    """Have something called after some seconds."""
    tasks = self.tasks
    if self.get_debug():
        return self.call_later_in_debug_mode(delay, callback, args, context)  # type: ignore[no-any-return]
    if tasks.thread != get_ident() and tasks.thread:
        # `call_at` is made of this.
        self.observation.complaints.called_from_elsewhere("call_later or call_at", callback)
    return _uv_timer(self, monotonic() + delay, delay, callback, args, context, tasks.running)  # type: ignore[no-any-return]


def _uv_timer(  # noqa: PLR0913, PLR0917 - what a timer is made of
    loop: Any, when: float, delay: float, callback: Any, args: tuple[Any, ...], context: Context | None, setter: Any
) -> Any:
    counts, live = loop.timer_counts, loop.timers
    timer = UvTimer.__new__(UvTimer)
    timer._when = when
    timer._callback = callback
    timer._args = args
    timer._context = context
    timer._loop = loop
    timer._live = live
    timer._counts = counts
    timer._cancelled = timer._over = False
    timer.setter = setter
    timer._inner = loop.unobserved_call_later(delay, timer, context=context)
    counts.note_made()
    live[timer] = timer
    return timer


MACHINERY.add(id(globals()))
