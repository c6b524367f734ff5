"""When a frame is drawn: the arithmetic of the clock, by a time that passes only where a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest
from support import PATIENCE

from echotui.tui import frames
from echotui.tui.frames import (
    ATTENTION,
    BREATHS,
    BUSY,
    BUSY_SHARE,
    CALM,
    EASY_SHARE,
    LONG_SLICE,
    RESTED,
    SAVED,
    SLICE,
    SLOWEST,
    UNHURRIED,
    WINDOW,
    FrameClock,
    PaintMeter,
)

PERIOD = 0.1


class Time:
    """What the clock takes for the time: `now`, and how long its thread has `worked`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.worked = 10.0

    def pass_(self, seconds: float, *, busy: bool = False) -> None:
        """Let time pass, in which the loop works all the time or not at all."""
        self.now += seconds
        self.worked += seconds if busy else 0.0


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(frames, "perf_counter", lambda: time.now)
    monkeypatch.setattr(frames, "thread_time", lambda: time.worked)
    return time


def a_meter(time: Time) -> PaintMeter:
    """Return one of an app that came up a while ago."""
    meter = PaintMeter()
    time.pass_(ATTENTION)
    assert meter.affords(PERIOD)
    return meter


def painted(meter: PaintMeter, time: Time, seconds: float) -> None:
    """Paint for so long; that is work, too."""
    time.pass_(seconds, busy=True)
    meter.spent(seconds, frames=1)


def waits(meter: PaintMeter, time: Time, *, busy: bool) -> float:
    """Return after how many seconds there is a frame again."""
    waited = 0.0
    while True:
        time.pass_(PERIOD, busy=busy)
        waited += PERIOD
        if meter.affords(PERIOD):
            return waited


def test_painting_has_its_share_of_the_time_and_a_smaller_one_while_the_loop_is_busy(time: Time) -> None:
    cost = 0.03
    for busy, share in ((False, EASY_SHARE), (True, BUSY_SHARE)):
        meter = a_meter(time)
        time.pass_(PERIOD, busy=busy)
        assert meter.affords(PERIOD)
        assert meter.loop_is_busy is busy
        painted(meter, time, cost)
        expected = min(cost / share - SAVED, SLOWEST)
        assert expected - PERIOD <= waits(meter, time, busy=busy) <= expected + PERIOD


def test_what_is_saved_up_is_bounded_and_so_is_what_is_owed(time: Time) -> None:
    meter = PaintMeter()
    time.pass_(3600)
    assert meter.affords(PERIOD)
    painted(meter, time, 2 * SAVED * EASY_SHARE)
    time.pass_(SAVED / 2)
    assert not meter.affords(PERIOD)  # an hour of quiet counts no more than `SAVED`
    painted(meter, time, 60.0)
    assert not meter.affords(PERIOD)
    assert waits(meter, time, busy=False) <= SLOWEST


def test_painting_alone_is_no_business_of_the_loop_and_who_was_busy_is_so_for_a_while(time: Time) -> None:
    meter = a_meter(time)
    painted(meter, time, PERIOD)
    meter.affords(PERIOD)
    assert not meter.loop_is_busy
    time.pass_(PERIOD * BUSY * 1.5, busy=True)
    time.pass_(PERIOD * (1 - BUSY * 1.5))
    meter.affords(PERIOD)
    assert meter.loop_is_busy
    time.pass_(CALM / 2)
    meter.affords(PERIOD)
    assert meter.loop_is_busy
    time.pass_(CALM)
    meter.affords(PERIOD)
    assert not meter.loop_is_busy


def test_who_comes_right_after_the_start_is_seen_at_once_whatever_the_start_took(time: Time) -> None:
    meter = PaintMeter()
    time.pass_(PERIOD, busy=True)
    painted(meter, time, 0.02)
    while time.now < 1000.0 + ATTENTION - PERIOD / 2:
        meter.affords(PERIOD)
        assert not meter.loop_is_busy
        time.pass_(PERIOD)
    time.pass_(PERIOD, busy=True)
    assert meter.affords(PERIOD)
    assert not meter.loop_is_busy  # what began while it came up is no work of others, either
    time.pass_(PERIOD, busy=True)
    meter.affords(PERIOD)
    assert meter.loop_is_busy


def test_what_painting_takes_is_measured_over_a_full_window(time: Time) -> None:
    meter = PaintMeter()
    painted(meter, time, WINDOW / 10)
    meter.affords(PERIOD)
    assert meter.measured is None
    time.pass_(WINDOW * 1.9)
    meter.affords(PERIOD)
    assert meter.measured is not None
    assert (meter.measured.cost, meter.measured.frames) == pytest.approx((0.05, 0.5))


class Asked(PaintMeter):
    """Has a test do something whenever the clock asks for a frame."""

    def __init__(self, asked: Callable[[], None]) -> None:
        super().__init__()
        self._asked = asked

    def affords(self, period: float) -> bool:
        self._asked()
        return super().affords(period)


class NoDrawing(nullcontext[None]):
    """As much of a drawing as the clock asks for."""

    count = 0


@asynccontextmanager
async def runs(clock: FrameClock) -> AsyncIterator[None]:
    """Have a clock run, and for no longer than `PATIENCE`."""
    running = asyncio.get_running_loop().create_task(clock.run(), name="clock")
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def until_asked(times: int, frame: Callable[[], Iterator[None]], owed: float) -> None:
    """Run a clock whose painting owes so many seconds until it has asked so often whether it is time for a frame."""
    enough = asyncio.Event()
    left = [times]

    def asked() -> None:
        left[0] -= 1
        if left[0] < 0:
            enough.set()

    meter = Asked(asked)
    meter.spent(owed)
    drawing: Any = NoDrawing()
    async with runs(FrameClock(1000.0, meter, frame, lambda: drawing, is_quiet=lambda: True, looks=lambda: True)):
        await enough.wait()


async def test_who_has_pressed_a_key_does_not_wait_for_what_painting_owes(time: Time) -> None:
    begun = []

    def frame() -> Iterator[None]:
        begun.append(time.now)
        yield

    await until_asked(3, frame, owed=60.0)  # a clock begins with somebody who has just come
    assert len(begun) >= 3


async def test_who_has_pressed_no_key_for_a_while_waits(time: Time) -> None:
    begun = []

    def frame() -> Iterator[None]:
        begun.append(time.now)
        time.pass_(ATTENTION)
        yield

    await until_asked(5, frame, owed=60.0)
    assert len(begun) == 1


async def test_frames_hurry_while_each_has_news_and_somebody_is_there(time: Time) -> None:
    news, looks = [True], [True]

    def frame() -> Iterator[None]:
        if news[0]:
            yield

    async def pauses_after(*frames: bool) -> float:
        for has_news in frames:
            news[0] = has_news
            await asyncio.wait_for(clock._draw(), PATIENCE)
        return clock.pause

    drawing: Any = NoDrawing()
    clock = FrameClock(1 / PERIOD, PaintMeter(), frame, lambda: drawing, is_quiet=lambda: True, looks=lambda: looks[0])
    assert await pauses_after(False) == PERIOD  # a clock begins with somebody who has just come
    time.pass_(ATTENTION)
    assert await pauses_after(False) == UNHURRIED
    assert await pauses_after(True) == UNHURRIED  # a clock that shows seconds has news once in a second
    assert await pauses_after(True) == PERIOD
    assert await pauses_after(False) == UNHURRIED
    clock.attend()
    assert clock.pause == PERIOD
    time.pass_(ATTENTION)
    looks[0] = False
    assert await pauses_after(True) == RESTED  # whatever there is to draw will wake it
    assert await pauses_after(False) == RESTED
    slow = FrameClock(0.5, PaintMeter(), frame, lambda: drawing, is_quiet=lambda: True, looks=lambda: False)
    time.pass_(ATTENTION)
    assert slow.pause == 2.0


@pytest.mark.parametrize("what_happens", [FrameClock.attend, FrameClock.wake])
async def test_a_key_or_an_event_does_not_wait_for_a_clock_that_rests(
    what_happens: Callable[[FrameClock], None], time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "UNHURRIED", 3600.0)
    monkeypatch.setattr(frames, "RESTED", 3600.0)
    begun = asyncio.Event()

    def frame() -> Iterator[None]:
        begun.set()
        yield

    drawing: Any = NoDrawing()
    clock = FrameClock(1000.0, PaintMeter(), frame, lambda: drawing, is_quiet=lambda: True, looks=lambda: True)
    time.pass_(ATTENTION)
    async with runs(clock):
        await begun.wait()  # it begins with somebody who has just come
        begun.clear()
        assert not clock._woken.is_set()  # and now it rests
        what_happens(clock)
        await begun.wait()


@pytest.mark.parametrize("rate", [1 / 3600, 1 / 60])
async def test_a_key_does_not_wait_for_a_clock_whose_frames_are_far_apart(rate: float, time: Time) -> None:
    begun: list[float] = []
    drawn = asyncio.Event()

    def frame() -> Iterator[None]:
        begun.append(time.now)
        drawn.set()
        yield

    drawing: Any = NoDrawing()
    clock = FrameClock(rate, PaintMeter(), frame, lambda: drawing, is_quiet=lambda: True, looks=lambda: True)
    time.pass_(ATTENTION)  # time stands still from here on: no frame is due by itself
    async with runs(clock):
        for _ in range(3):
            clock.wake()  # what happens waits
            await asyncio.sleep(0)
            before = len(begun)
            clock.attend()
            await drawn.wait()
            drawn.clear()
            assert len(begun) == before + 1


async def test_a_long_frame_lets_the_loop_turn_though_nobody_is_known_to_wait(time: Time) -> None:
    served: list[None] = []
    found: list[int] = []

    def frame() -> Iterator[None]:
        for _ in range(3):
            time.pass_(LONG_SLICE)
            asyncio.get_running_loop().call_soon(served.append, None)
            found.append(len(served))
            yield

    drawing: Any = NoDrawing()
    clock = FrameClock(1 / PERIOD, PaintMeter(), frame, lambda: drawing, is_quiet=lambda: True, looks=lambda: True)
    await asyncio.wait_for(clock._draw(), PATIENCE)
    assert found == [0, 1, 2]


@pytest.mark.parametrize(("quiet", "asked"), [(True, 2), (False, 2 * BREATHS)])
async def test_a_piece_of_a_frame_waits_for_a_moment_in_which_nobody_waits_but_not_for_ever(
    quiet: bool,  # noqa: FBT001
    asked: int,
    time: Time,
) -> None:
    questions: list[float] = []

    def is_quiet() -> bool:
        questions.append(time.now)
        return quiet

    def frame() -> Iterator[None]:
        for _ in range(2):
            time.pass_(SLICE)
            yield

    meter = PaintMeter()
    drawing: Any = NoDrawing()
    clock = FrameClock(1000.0, meter, frame, lambda: drawing, is_quiet=is_quiet, looks=lambda: True)
    time.pass_(ATTENTION)
    meter.loop_is_busy = True
    await asyncio.wait_for(clock._draw(), PATIENCE)
    # Two pieces, and one to find out that there is no third.
    assert len(questions) == asked * 3 // 2
