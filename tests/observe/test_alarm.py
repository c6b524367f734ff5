"""The alarm that the loop puts off, on a system with timer descriptors and on one without."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from echotui.server.observe.alarm import Alarm, KernelAlarm, PolledAlarm, new_alarm

#: More than anybody waits for, in seconds.
NEVER = 1000.0

NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="timer descriptors are Linux's")


@pytest.fixture(params=[pytest.param(KernelAlarm, marks=NEEDS_LINUX), PolledAlarm])
def alarm(request: pytest.FixtureRequest) -> Iterator[Alarm]:
    make: Callable[[], Alarm] = request.param
    alarm = make()
    yield alarm
    alarm.close()


def sleeper(alarm: Alarm) -> threading.Thread:
    """A thread that ends when the alarm rings."""
    thread = threading.Thread(target=alarm.wait, daemon=True)
    thread.start()
    return thread


def rings(thread: threading.Thread) -> bool:
    thread.join(10)
    return not thread.is_alive()


def test_it_rings_once(alarm: Alarm) -> None:
    alarm.set(0.01)
    assert rings(sleeper(alarm))
    second = sleeper(alarm)
    second.join(0.1)
    assert second.is_alive()
    alarm.set(0.001)
    assert rings(second)


def test_it_can_be_set_while_somebody_waits(alarm: Alarm) -> None:
    thread = sleeper(alarm)
    alarm.set(NEVER)
    alarm.set(1e-6)
    assert rings(thread)


def test_who_puts_it_off_is_not_rung_for(alarm: Alarm) -> None:
    thread = sleeper(alarm)
    alarm.set(0.05)
    alarm.set(NEVER)
    thread.join(0.2)
    assert thread.is_alive()
    alarm.set(0.05)
    alarm.set(0)
    thread.join(0.2)
    assert thread.is_alive()
    alarm.set(0.01)
    assert rings(thread)


def test_who_is_hushed_may_be_rung_for_again(alarm: Alarm) -> None:
    thread = sleeper(alarm)
    alarm.set(0.1)
    alarm.hush()
    if isinstance(alarm, PolledAlarm):  # it is as good as it was set
        assert rings(thread)
        thread = sleeper(alarm)
    thread.join(0.3)
    assert thread.is_alive()
    alarm.set(0.01)
    assert rings(thread)


def test_whole_seconds_count(alarm: Alarm) -> None:
    """A timer descriptor takes seconds and nanoseconds apart."""
    alarm.set(1.001)
    thread = sleeper(alarm)
    thread.join(0.2)
    assert thread.is_alive()
    assert rings(thread)


@NEEDS_LINUX
def test_without_descriptors_it_polls() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 1, hard))
    try:
        # Descriptors below it may be free.
        while True:
            try:
                held.append(os.dup(held[0]))
            except OSError:
                break
        alarm = new_alarm()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)
    assert isinstance(alarm, PolledAlarm)
    alarm.set(0.001)
    assert rings(sleeper(alarm))


def test_a_loop_that_was_closed_touches_no_alarm_any_more() -> None:
    """Its descriptor may be somebody else's by the time the loop is collected as garbage."""
    import asyncio
    import gc
    import weakref

    from echotui.server import new_event_loop

    told: list[float] = []

    def tell(alarm: Alarm) -> None:
        alarm.set = told.append  # type: ignore[method-assign, assignment]

    loop: Any = new_event_loop("asyncio")
    loop.run_until_complete(asyncio.sleep(0))
    alarm = loop.observation.stalls._watch.alarm
    loop.close()
    tell(alarm)
    gone = weakref.ref(loop.observation.stalls)
    del loop
    gc.collect()
    assert gone() is None
    assert told == []
