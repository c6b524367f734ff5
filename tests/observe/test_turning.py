"""One turn of an asyncio loop: ours does what asyncio's own does, and leaves to that what is not as usual."""

import asyncio
import math
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from functools import partialmethod
from selectors import SelectSelector
from types import FrameType
from typing import Any

import pytest
from support import PATIENCE

from echotui.server.loops import new_event_loop
from echotui.server.observe.loop import AsyncioLoop

on_epoll = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere asyncio's own turn is taken")

Script = Callable[[Any], Any]

_ASYNCIOS_TURN = asyncio.BaseEventLoop._run_once.__code__  # type: ignore[attr-defined]


def _run(loop: Any, seconds: float = 0.0) -> None:
    """Run until everything that is ready, or due within so many seconds, was called."""
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def _has_own_turn(loop: Any) -> bool:
    """Whether a loop turns in our way while it runs."""
    found: list[bool] = []

    def look() -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_code is not _ASYNCIOS_TURN:
            frame = frame.f_back
        found.append(frame is None)

    loop.call_soon(look)
    _run(loop)
    return found[0]


def order_of_a_turn(loop: Any) -> Any:
    """Readers, then timers; what is queued meanwhile comes next turn; who reads and writes does both."""
    said: list[str] = []
    here, there = socket.socketpair()
    with here, there:
        there.send(b"x")
        loop.add_reader(here, lambda: said.append(f"reader {loop.remove_reader(here)}"))
        loop.add_writer(here, lambda: said.append(f"writer {loop.remove_writer(here)}"))
        loop.call_later(0.01, said.append, "later")
        loop.call_at(loop.time() - 1, said.append, "overdue")
        loop.call_soon(loop.call_soon, said.append, "sooner than later")
        loop.call_soon(said.append, "cancelled").cancel()
        _run(loop, 0.03)
        loop.add_reader(here, said.append, "nobody reads")
        key = loop._selector.get_key(here.fileno())
        key.data[0].cancel()
        there.send(b"x")
        _run(loop, 0.001)
        said.append(str(here.fileno() in loop._selector.get_map()))
    return said


def timers_that_were_cancelled(loop: Any) -> Any:
    """The first are thrown out one by one; the others once they are more than half of over a hundred."""
    said: list[Any] = []
    for many in (10, 120, 300):
        timers = [loop.call_later(1000 + number, print) for number in range(many)]
        for timer in timers[: many * 2 // 3]:
            timer.cancel()
        timers[-1].cancel()
        said.append((len(loop._scheduled), loop._timer_cancelled_count))
        _run(loop, 0.001)
        said.append((len(loop._scheduled), loop._timer_cancelled_count))
        said.append([timer._scheduled for timer in timers])
        for timer in timers:
            timer.cancel()
        _run(loop, 0.001)
        said.append((len(loop._scheduled), loop._timer_cancelled_count))
    return said


def odd_times(loop: Any) -> Any:
    """Whatever can be compared with a time is one."""
    said: list[Any] = []
    times: list[Any] = [-math.inf, math.nan, 0, -5, Fraction(1, 3), True, math.inf, 10**400, "soon", 1j]
    for when in times:
        try:
            loop.call_at(when, said.append, when)
            _run(loop)
        except Exception as error:  # noqa: BLE001 - whatever it is, both raise it
            said.append(type(error))
        loop._scheduled.clear()
        loop._ready.clear()
    return str(said)


def what_ends_the_loop(loop: Any) -> Any:
    """What comes after it in the same turn is called when the loop runs again."""
    said: list[Any] = []

    def leave(error: BaseException) -> None:
        raise error

    for error in (KeyboardInterrupt(), SystemExit(3)):
        loop.call_soon(said.append, "before")
        loop.call_soon(leave, error)
        loop.call_soon(said.append, "after")
        with pytest.raises(type(error)):
            loop.run_forever()
        said.append(loop.is_running())
    loop.stop()
    loop.call_soon(said.append, "in the one turn of a loop that was stopped before")
    loop.run_forever()
    return said


def other_threads(loop: Any) -> Any:
    """A loop that sleeps for as long as it takes is woken."""
    thread = threading.Timer(0.02, loop.call_soon_threadsafe, [loop.stop])
    thread.start()
    loop.run_forever()
    thread.join(PATIENCE)
    return loop.time() > 0


def debug_mode_meanwhile(loop: Any) -> Any:
    """It may be switched on and off while the loop runs."""
    said: list[Any] = []
    for enabled in (True, False):
        loop.call_soon(loop.set_debug, enabled)
        _run(loop, 0.002)
        loop.call_soon(lambda: said.append(loop._current_handle is None))
        _run(loop)
    return said


SCRIPTS = [
    order_of_a_turn,
    timers_that_were_cancelled,
    odd_times,
    what_ends_the_loop,
    other_threads,
    debug_mode_meanwhile,
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_turn_is_as_asyncios_own(script: Script) -> None:
    said = []
    for make in (asyncio.SelectorEventLoop, AsyncioLoop):
        loop: Any = make()
        try:
            said.append(script(loop))
        finally:
            loop.close()
    assert said[0] == said[1]


@on_epoll
def test_a_loop_as_usual_turns_in_our_way() -> None:
    loop: Any = new_event_loop("asyncio")
    try:
        assert _has_own_turn(loop)
    finally:
        loop.close()


class ByAnotherClock(AsyncioLoop):
    """A loop whose time stands still."""

    def time(self) -> float:
        return 5.0


class CountsItsTurns(AsyncioLoop):
    """A loop that does something around each turn."""

    turns = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()


class SeesItsEvents(AsyncioLoop):
    """A loop that looks at what is ready."""

    seen = 0

    def _process_events(self, events: Any) -> None:
        self.seen += 1
        super()._process_events(events)


def test_what_is_not_as_usual_is_left_to_asyncios_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    for make in (
        ByAnotherClock,
        SeesItsEvents,
        lambda: AsyncioLoop(SelectSelector()),
        lambda: _with(AsyncioLoop(), "time", lambda: 5.0),
        lambda: _with(AsyncioLoop(), "_process_events", lambda _: None),
        lambda: _with(AsyncioLoop(), "_selector.select", lambda _: []),
    ):
        loop: Any = make()
        try:
            assert not _has_own_turn(loop)
        finally:
            loop.close()
    turn = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]
    monkeypatch.setattr(asyncio.BaseEventLoop, "_run_once", partialmethod(turn))
    loop = AsyncioLoop()
    try:
        assert not _has_own_turn(loop)
    finally:
        loop.close()


def _with(loop: Any, name: str, value: Any) -> Any:
    holder, _, name = name.rpartition(".")
    setattr(getattr(loop, holder) if holder else loop, name, value)
    return loop


def test_another_clock_says_when_a_timer_is_due() -> None:
    loop = ByAnotherClock()
    try:
        said: list[str] = []
        loop.call_at(5.0, said.append, "due")
        loop.call_at(5.1, said.append, "not due")
        loop.call_soon(loop.call_soon, loop.stop)
        loop.run_forever()
        assert said == ["due"]
    finally:
        loop.close()


@on_epoll
def test_a_subclass_may_do_something_around_each_turn() -> None:
    loop: Any = CountsItsTurns()
    try:
        assert _has_own_turn(loop)
        assert loop.turns > 0
    finally:
        loop.close()


def _leap(now: Callable[[], float]) -> tuple[Callable[[], float], Callable[[], None]]:
    """Return a clock, and what has it go on by an hour."""
    ahead = [0.0]
    return (lambda: now() + ahead[0]), lambda: ahead.__setitem__(0, 3600.0)


def test_who_replaces_the_clock_of_a_running_loop_makes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def by_the_loop() -> None:
        loop = asyncio.get_running_loop()
        clock, leap = _leap(loop.time)
        monkeypatch.setattr(loop, "time", clock)
        loop.call_soon(leap)
        await asyncio.sleep(3600)

    async def by_the_system() -> None:
        clock, leap = _leap(time.monotonic)
        with monkeypatch.context() as patched:
            patched.setattr(time, "monotonic", clock)
            asyncio.get_running_loop().call_soon(leap)
            await asyncio.sleep(3600)

    for test in (by_the_loop, by_the_system):
        with asyncio.Runner(loop_factory=AsyncioLoop) as runner:
            runner.run(asyncio.wait_for(test(), 7200))


def test_what_is_replaced_while_the_loop_runs_is_used() -> None:
    async def test() -> None:
        loop: Any = asyncio.get_running_loop()
        said: list[str] = []
        for name in ("select", "_process_events"):
            holder = loop._selector if name == "select" else loop
            own = getattr(holder, name)

            def instead(given: Any, name: str = name, own: Any = own) -> Any:
                said.append(name)
                return own(given)

            setattr(holder, name, instead)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert said.pop() == name
            said.clear()
            setattr(holder, name, own)
        loop._ready = deque(loop._ready)
        await asyncio.sleep(0.001)

    with asyncio.Runner(loop_factory=AsyncioLoop) as runner:
        runner.run(asyncio.wait_for(test(), 10))


def test_an_interrupted_wait_is_one_that_has_found_nothing() -> None:
    """As in asyncio's selectors, who is interrupted by a signal whose handler says so waits no more."""

    def interrupt(_: int, __: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with asyncio.Runner(loop_factory=AsyncioLoop) as runner:

            async def test() -> None:
                this = threading.get_ident()
                threading.Timer(0.05, signal.pthread_kill, (this, signal.SIGUSR1)).start()
                await asyncio.sleep(0.2)

            runner.run(test())
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_alarm_that_cannot_be_set_is_switched_off_and_reported() -> None:
    loop: Any = new_event_loop("asyncio")
    observation = loop.observation

    def broken(_: float) -> None:
        raise LookupError("no thread left")

    observation.stalls.put_off = broken
    try:
        loop.run_until_complete(asyncio.sleep(0.001))
        loop.run_until_complete(asyncio.sleep(0.001))
        assert not observation.stalls.on
        assert observation.disabled == {"stalls": "LookupError: no thread left"}
        assert observation.ticks.on
    finally:
        loop.close()


@on_epoll
def test_a_selector_that_waits_in_vain_is_noted() -> None:
    """A descriptor that nobody watches any more when its turn comes is no ready one."""
    loop: Any = new_event_loop("asyncio")
    ours, theirs = os.pipe()
    try:
        os.write(theirs, b"x")
        loop.add_reader(ours, lambda: None)
        _run(loop, 0.002)
        assert any((ours, 1) in tick.ready for tick in loop.observation.ticks.recent)
        del loop._selector._fd_to_key[ours]
        count = loop.observation.ticks.count
        while loop.observation.ticks.count < count + 4:  # however few turns a thread that waits for a core makes
            _run(loop, 0.002)
        late = [tick for tick in loop.observation.ticks.recent if tick.number > count + 1]
        assert late
        assert all((ours, 1) not in tick.ready for tick in late)
    finally:
        loop.close()
        os.close(ours)
        os.close(theirs)
