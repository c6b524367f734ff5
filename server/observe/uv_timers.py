"""The timers of an observed uvloop loop.

`uv_call_later` is a method of the loop. Compiled where that is possible, as ``timing.py`` is. In debug mode such a loop
has the same timers as an asyncio loop.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

import uvloop

from ..native import clock, this_thread
from .places import MACHINERY
from .timing import Called, TimerCounts, note_cancelled, note_fired, stand_in

if TYPE_CHECKING:
    from .tasks import Tasks

_bare_call_later: Any = uvloop.Loop.call_later


def seconds_of(delay: Any) -> float:
    """Return a delay as a number, whatever it is: it is for the loop to say whether it takes that."""
    if type(delay) is float:
        return delay
    try:
        return float(delay)
    except OverflowError:
        return float("inf") if delay > 0 else 0.0
    except Exception:  # noqa: BLE001 - it is anybody's object
        return 0.0


class UvTimer(Called):
    """A timer, as `asyncio.TimerHandle` is one, that knows which task set it, and tells its end.

    The loop's own handle calls it when it is due.
    """

    __slots__ = ("_counts", "_inner", "_over", "_when", "setter")

    _counts: TimerCounts
    _inner: Any
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
        self._counts.held.pop(self, None)
        note_fired(self._counts, self._when, None, callback, self.setter)
        try:
            if args:
                callback(*args)
            else:
                callback()
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
            self._counts.held.pop(self, None)
            note_cancelled(self._counts, self._when, None, self._callback, self.setter)
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
    return _uv_call_later(self, self._echotui_tasks, delay, callback, args, context)  # type: ignore[no-any-return]


def _uv_call_later(  # noqa: PLR0913, PLR0917 - what a timer is made of
    loop: Any, tasks: "Tasks", delay: float, callback: Any, args: tuple[Any, ...], context: Context | None
) -> Any:
    if tasks.debug:
        return loop.call_later_in_debug_mode(delay, callback, args, context)
    elsewhere = tasks.thread != this_thread() and tasks.thread != 0
    if elsewhere:
        # `call_at` is made of this.
        loop.observation.complaints.called_from_elsewhere("call_later or call_at", callback)
    counts = tasks.timers
    when = clock() + seconds_of(delay)
    timer = UvTimer.__new__(UvTimer)
    stand_in(timer, callback, args, context, loop)
    timer._counts = counts
    timer._over = False
    timer.setter = None if elsewhere else tasks.running  # else the task that runs has not set it
    if context is None:
        timer._inner = _bare_call_later(loop, delay, timer)
    else:
        timer._inner = _bare_call_later(loop, delay, timer, context=context)
    timer._when = when
    counts.made += 1
    counts.held[timer] = timer
    return timer


MACHINERY.add(id(globals()))
