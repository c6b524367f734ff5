"""Who waits for a hand-written event loop: the app's loop, or a thread where that cannot be.

The loop of ``five_steps.py`` is a generator that yields its timeout where a program of its own would have called
``select(timeout)``. A host waits that long, or until something is ready, and sends in what ``select`` found:

* `OnLoop`: an epoll or kqueue descriptor is itself readable when something registered in it is ready, so the
  app's loop watches that one descriptor, and a timer of its own wakes the generator when its timeout is over.
* `InThread`: for selectors that are no descriptor (select, poll) a small thread selects, and hands over.

`OnLoop` is there for every message: compiled where that is possible, as ``five_steps.py`` is.

What is sent in: a list of what is ready; an empty list when the timeout is over; None when `wake` was called.
"""

import asyncio
import contextlib
import queue
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Protocol

from ..native import clock
from .five_steps import Ready, Turns

#: How many of those that are ready a turn is given at once; the others wait until the app's loop has been round.
#: With thousands of busy connections a turn for all of them would keep the loop, and with it the screen, waiting:
#: a key takes the loop several rounds.
AT_ONCE = 256


class Host(Protocol):
    """Runs the turns of a hand-written loop on the thread of an asyncio loop."""

    def start(self) -> None:
        """Run the first turn and begin to wait."""

    def wake(self) -> None:
        """Run a turn soon, although nothing is ready. Call it on the loop's thread."""

    def stop(self) -> None:
        """Stop waiting and close the generator. The selector stays open."""


class OnLoop:
    """The app's loop waits, for `descriptor`: the selector itself."""

    __slots__ = (
        "_deadline",
        "_descriptor",
        "_going_on",
        "_loop",
        "_selector",
        "_timer",
        "_timer_due",
        "_turns",
        "_woken",
    )

    def __init__(self, turns: Turns, selector: selectors.BaseSelector, descriptor: int) -> None:
        self._turns = turns
        self._selector = selector
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._timer: asyncio.TimerHandle | None = None
        self._woken: asyncio.Handle | None = None
        self._going_on: asyncio.Handle | None = None
        self._timer_due = 0.0
        self._deadline = 0.0

    def start(self) -> None:
        self._loop.add_reader(self._descriptor, self._readable)
        self._wait(next(self._turns))

    def wake(self) -> None:
        if self._woken is None:
            self._woken = self._loop.call_soon(self._called)

    def stop(self) -> None:
        self._loop.remove_reader(self._descriptor)
        for handle in (self._timer, self._woken, self._going_on):
            if handle is not None:
                handle.cancel()
        self._timer = self._woken = self._going_on = None
        self._turns.close()

    def _wait(self, timeout: float) -> None:
        # A timer that is due no later than ours stays: most turns end long before their timeout, and
        # cancelling a timer and making another in each of them costs more than one that fires early.
        self._deadline = clock() + timeout
        if self._timer is not None:
            if self._timer_due <= self._deadline:
                return
            self._timer.cancel()
        self._set_timer(timeout)

    def _set_timer(self, timeout: float) -> None:
        self._timer_due = clock() + timeout
        self._timer = self._loop.call_later(timeout, self._due)

    def _readable(self) -> None:
        if self._going_on is None and (ready := self._selector.select(0)):
            self._hand_over(ready)

    def _hand_over(self, ready: Ready) -> None:
        self._going_on = self._loop.call_soon(self._hand_over, ready[AT_ONCE:]) if len(ready) > AT_ONCE else None
        self._wait(self._turns.send(ready[:AT_ONCE]))

    def _due(self) -> None:
        self._timer = None
        if self._going_on is not None:
            return  # the turn that comes at once says how long to wait
        left = self._deadline - clock()
        if left > 0:  # a turn has come in between, or the loop's timers are coarse and this one came early
            self._set_timer(left)
        else:
            self._wait(self._turns.send(self._selector.select(0)))

    def _called(self) -> None:
        self._woken = None
        self._wait(self._turns.send(None))


class InThread:
    """A thread waits, and is asked to wait again only when its findings have been worked off.

    So the selector is never changed while the thread selects: turns run only in between.
    """

    def __init__(self, turns: Turns, selector: selectors.BaseSelector) -> None:
        self._turns = turns
        self._selector = selector
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        self._asleep, self._waker = socket.socketpair()
        self._asleep.setblocking(False)
        self._waker.setblocking(False)
        self._timeouts: queue.SimpleQueue[float | None] = queue.SimpleQueue()
        self._stopped = False
        self._selector.register(self._asleep, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._pump, name="echotui-select", daemon=True)
        self._timeouts.put(next(self._turns))
        self._thread.start()

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a socket full of wake-ups will wake
            self._waker.send(b"\0")

    def stop(self) -> None:
        self._stopped = True
        self._timeouts.put(None)
        self.wake()
        self._thread.join()
        self._selector.unregister(self._asleep)
        self._asleep.close()
        self._waker.close()
        self._turns.close()

    def _pump(self) -> None:
        while (timeout := self._timeouts.get()) is not None:
            ready = self._selector.select(timeout)
            if self._stopped:
                return
            try:
                self._loop.call_soon_threadsafe(self._turn, ready)
            except RuntimeError:
                return  # the loop was closed without stopping us first

    def _turn(self, ready: Ready) -> None:
        if self._stopped:
            return
        found = [(key, mask) for key, mask in ready if key.fileobj is not self._asleep]
        woken = len(found) < len(ready)
        if woken:
            self._asleep.recv(4096)
        self._hand_over(found or (None if woken else []))

    def _hand_over(self, found: Ready | None) -> None:
        if self._stopped:
            return
        if found and len(found) > AT_ONCE:
            self._turns.send(found[:AT_ONCE])
            self._loop.call_soon(self._hand_over, found[AT_ONCE:])
        else:
            self._timeouts.put(self._turns.send(found))


def host_for(turns: Turns, selector: selectors.BaseSelector) -> Host:
    """Return who can wait for this selector: the app's loop if the selector is a descriptor, else a thread."""
    fileno: Callable[[], int] | None = getattr(selector, "fileno", None)
    return InThread(turns, selector) if fileno is None else OnLoop(turns, selector, fileno())
