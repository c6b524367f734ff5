"""One turn of an asyncio loop, in C where that is possible.

A loop that is not busy turns once for every message; asyncio's own turn is Python, and takes longer than all that is
noted of it. Here it does just what `asyncio.BaseEventLoop._run_once` does, where all is as usual: the loop's own
selector, its own clock, no debug mode. All else is left to asyncio's own turn, and so is everything where an asyncio is
found that does it in another way than those known here. It is looked at in each turn, since whoever tests with a clock
of their own replaces it while the loop runs. Only in a turn in which debug mode is switched on does asyncio's own
already time the callbacks that are left.
"""

import asyncio
import heapq
import time
from collections import deque
from selectors import BaseSelector
from typing import Any

from ..native import Attribute, clock, function_of
from .places import MACHINERY
from .scheduling import enqueue, process_events
from .selecting import EpollSelector, events_of
from .ticking import READY_KEPT, Ticking, fall_asleep, wake
from .timing import TimedStep

_loop_type: Any = asyncio.BaseEventLoop
_run_once = _loop_type._run_once
_time = _loop_type.time
_time_module: Any = time
_monotonic = time.monotonic
_heappop = heapq.heappop
_popleft: Any = deque.popleft

# What each turn asks of its loop, which has it in slots.
_selector_of = Attribute("_selector")
_ready_of = Attribute("_ready")
_scheduled_of = Attribute("_scheduled")
_is_stopping = Attribute("_stopping")
_debug_of = Attribute("_debug")
_resolution_of = Attribute("_clock_resolution")
_cancelled_of = Attribute("_timer_cancelled_count")

#: From how many cancelled timers on asyncio asks whether it should throw them out: from 3.11 on more than half of 100.
MANY_CANCELLED = 50

#: For how long at most asyncio sleeps, in seconds.
_LONGEST_SLEEP: float = asyncio.base_events.MAXIMUM_SELECT_TIMEOUT  # type: ignore[attr-defined]

_NAMES = frozenset(_run_once.__code__.co_names)

#: The names that asyncio's own turn uses, from 3.11 to 3.14. One that uses others may do what is not known here.
_KNOWN = """
    _cancelled _clock_resolution _current_handle _debug _process_events _ready _run _scheduled _selector _stopping
    _timer_cancelled_count _when append heapify heappop heapq popleft select slow_callback_duration time
    _MIN_CANCELLED_TIMER_HANDLES_FRACTION _MIN_SCHEDULED_TIMER_HANDLES MAXIMUM_SELECT_TIMEOUT _format_handle logger
    warning len max min range
"""

#: Whether a timer that is set for NaN is due at once, as where asyncio asks for the greater of that and 0 (3.11). From
#: 3.13 on it ends the loop.
_NAN_IS_DUE = "max" in _NAMES


class Turning(Ticking):
    """Turns an asyncio loop, and notes each tick."""

    __slots__ = ("_keys", "_poll", "_queue", "_select", "_selector")

    def __init__(self, observation: Any, loop: Any) -> None:
        super().__init__(observation, loop)
        self._keys: dict[int, Any] = {}
        """What its selector watches, by descriptor."""
        self._queue: deque[Any] = deque()
        """What it calls in its next turn."""
        self._poll: Any = None
        """What it sleeps in; None if it turns as asyncio's own."""
        self._selector: Any = None
        """The selector that it began with."""
        self._select: Any = None
        """What its selector was given as `select`, that each tick is seen."""

    def find_out(self) -> None:
        """Find out whether the loop may turn in our way, before it runs."""
        # Not by `vars`: whoever has asked a loop for its dictionary once makes all its attributes slower (3.11).
        selector: BaseSelector = self._loop._selector
        self._poll = None
        if (
            _NAMES.issubset(_KNOWN.split())
            and _loop_type._run_once is _run_once
            and type(selector) is EpollSelector
            and selector.get_map() is not None
        ):
            self._selector = selector
            self._keys = selector._fd_to_key
            self._queue = self._loop._ready
            self._poll = selector._selector.poll


def _is_as_usual(turning: Turning, loop: Any) -> bool:
    """Whether a loop that may turn in our way has what it has had when it began."""
    selector = turning._selector
    return (
        _selector_of.of(loop) is selector
        and selector.select is turning._select
        and _ready_of.of(loop) is turning._queue
        and _time_module.monotonic is _monotonic
        and function_of(loop.time) is _time
        and function_of(loop._process_events) is process_events
        and _cancelled_of.of(loop) <= MANY_CANCELLED
        and not _debug_of.of(loop)
    )


def run_once(self: Any) -> None:
    """Turn an asyncio loop once: wait for what comes, and call all that is ready."""
    _turn(self, self._echotui_ticks)


def _turn(loop: Any, turning: Turning) -> None:
    if turning._poll is None or not turning.on or not _is_as_usual(turning, loop):
        _run_once(loop)
        return
    queue, scheduled = turning._queue, _scheduled_of.of(loop)
    _wait(turning, loop, queue, scheduled)
    _queue_due(scheduled, queue, turning.awake_since + _resolution_of.of(loop))
    for _ in range(len(queue)):  # what they put into the queue is the next turn's
        handle = _popleft(queue)
        if type(handle) is TimedStep:
            _run_step(handle)
        elif not handle._cancelled:
            handle._run()


def _run_step(step: TimedStep) -> None:
    if not step._cancelled:
        step._run()


def _wait(turning: Turning, loop: Any, queue: deque[Any], scheduled: list[Any]) -> None:
    """Sleep until something is to be done, and put into the queue what is ready."""
    while scheduled and scheduled[0]._cancelled:
        loop._timer_cancelled_count -= 1
        _heappop(scheduled)._scheduled = False
    letters, keys = turning._letters, turning._keys
    began = clock()
    timeout: float | None = None
    if queue or letters or _is_stopping.of(loop):
        timeout = 0
    elif scheduled:
        left = scheduled[0]._when - began
        timeout = min(left, _LONGEST_SLEEP) if left > 0 else 0 if left <= 0 or _NAN_IS_DUE else left
    fall_asleep(turning, began, timeout, scheduled, len(queue))
    found: list[tuple[int, int]]
    try:
        found = turning._poll(timeout, len(keys) or 1)
    except InterruptedError:  # a signal's handler has raised it, and asyncio's selectors take that for nothing found
        found = []
    now = clock()
    ready: list[tuple[int, int]] = []
    count = 0
    for fd, event in found:
        key = keys.get(fd)
        if key is not None:
            mask = events_of(event) & key[2]
            enqueue(loop, queue, key, key[3], mask)
            count += 1
            if count <= READY_KEPT:
                ready.append((fd, mask))
    wake(turning, now, ready, count)
    if letters:
        turning._observation.open_letters()


def _queue_due(scheduled: list[Any], queue: deque[Any], end: float) -> None:
    """Put into the queue what is due before `end`, a time of the loop's clock."""
    while scheduled:
        if scheduled[0]._when >= end:
            break
        timer = _heappop(scheduled)
        timer._scheduled = False
        queue.append(timer)


MACHINERY.add(id(globals()))
