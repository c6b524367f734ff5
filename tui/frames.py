"""The frame clock: when the screen is painted, what that costs, and when it waits.

One clock paints everything. Between two frames nothing is drawn however much happens; a frame in which nothing has
changed paints nothing, and while few have news there are fewer of them. While the terminal has not taken the last frame
the next one is held back.

A frame takes the loop for a millisecond or more, in which it serves nobody. While the servers keep the loop busy, every
message that comes meanwhile would be late; so a frame is drawn a few lines at a time then, with room for others in
between, and painting has an allowance, a share of the time: a frame waits until there is some of it left. Who presses a
key wants to see what becomes of it, and does not wait.
"""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter, thread_time

from textual.events import Resize

from .drawing import Drawing
from .early_keys import AnsweredOnce
from .picture import Painting
from .terminal import PatientDriver

#: The share of the time painting may take, while the loop has little else to do.
EASY_SHARE = 0.05

#: The same while the loop is busy: of the messages that come, one in a hundred at the most then finds it painting, or
#: has to queue up behind those that did.
BUSY_SHARE = 0.001

#: For how long a frame is drawn without a break while the loop is busy, in seconds: once so long has passed, the line
#: it is at is the last for now. The terminal gets it when it is whole: a write takes as long as to draw a few lines.
SLICE = 0.00003

#: The same while it is not busy, or somebody has pressed a key: the loop turns once then.
LONG_SLICE = 0.005

#: How long a break is in a busy loop, in seconds, at the least.
BREATH = 0.001

#: How many of them there are at the most, for a moment in which nobody waits: a piece that is drawn then hardly delays
#: anybody. One that comes on top of others' work has everybody wait who comes until the loop has caught up.
BREATHS = 10

#: The share of a core from which on the loop is busy, with all but painting.
BUSY = 0.1

#: After how much time without being busy it no longer counts as such, in seconds.
CALM = 1.0

#: Of how much time the allowance may be saved up, in seconds: what happens after a quiet time is shown at once.
SAVED = 0.2

#: The longest a frame waits for its allowance, in seconds.
SLOWEST = 2.0

#: How long after a key, and after the app was started, frames come as fast as they can, in seconds.
ATTENTION = 1.0

#: How long from one frame to the next, in seconds, at the least while not each has news and nothing happens: to look
#: in vain ten times a second takes a third of a percent of a core.
UNHURRIED = 0.25

#: The same while what happens next will wake the clock, in seconds: longer than the vitals take, which are drawn when
#: they come, and not in a frame after one that had nothing to draw yet.
RESTED = 1.5

#: The longest that somebody who presses a key waits for the next frame without noticing, in seconds.
UNNOTICED = 0.1

#: How long a clock that rests for longer waits with it after a key or the mouse, in seconds: it shows what came of it.
PROMPT = 0.03

#: Over how many seconds the cost is measured.
WINDOW = 1.0


class PaintMeter:
    """How much of the time goes into painting, and how much may."""

    def __init__(self) -> None:
        self.measured: Painting | None = None
        """What painting took in the last full `WINDOW`; None until one has passed."""
        self._spent = 0.0
        self._frames = 0
        self._since = perf_counter()
        self._saved = SAVED
        self._at = self._since
        self._up_at = self._since + ATTENTION
        self._worked = thread_time()
        self._painted = 0.0
        self._busy_until = 0.0
        self.loop_is_busy = False
        """Whether the loop had more to do lately than painting."""

    def spent(self, seconds: float, *, frames: int = 0) -> None:
        """Note that painting took this long, and brought so many frames to the terminal."""
        self._spent += seconds
        self._painted += seconds
        self._frames += frames

    def affords(self, period: float) -> bool:
        """Work out what the loop does, and return whether it is time for a frame. Asked once in each `period`."""
        now, worked = perf_counter(), thread_time()
        passed, painted = now - self._at, self._painted
        is_up = self._at >= self._up_at  # until then it is the app itself that works, and not its servers
        busy = is_up and worked - self._worked - painted > BUSY * passed
        self._at, self._worked, self._painted = now, worked, 0.0
        if busy:
            self._busy_until = now + CALM
        self.loop_is_busy = now < self._busy_until
        share = BUSY_SHARE if self.loop_is_busy else EASY_SHARE
        # What keys have cost is not owed for longer than `SLOWEST`.
        self._saved = max(min(self._saved + passed, SAVED) - painted / share, -max(SLOWEST - period, 0))
        self._settle(now)
        return self._saved > 0

    def _settle(self, now: float) -> None:
        """Work out what was `measured` if a `WINDOW` has passed."""
        passed = now - self._since
        if passed >= WINDOW:
            self.measured = Painting(self._spent / passed, self._frames / passed)
            self._since, self._spent, self._frames = now, 0.0, 0


class FrameClock:
    """Has a frame drawn when it is time for one.

    Args:
        rate: frames a second, at the most.
        meter: told what painting took.
        frame: begins a frame, which is drawn step by step; one without a step has nothing new.
        drawing: how the steps come to the terminal now.
        is_quiet: whether nobody waits for the loop just now.
        looks: whether something may be new though nobody has called `wake`.
    """

    def __init__(  # noqa: PLR0913 - what it has to know of everybody
        self,
        rate: float,
        meter: PaintMeter,
        frame: Callable[[], Iterator[None]],
        drawing: Callable[[], Drawing],
        *,
        is_quiet: Callable[[], bool],
        looks: Callable[[], bool],
    ) -> None:
        self.period = 1 / rate
        """Seconds from one frame to the next, at the least."""
        self._meter = meter
        self._frame = frame
        self._drawing = drawing
        self._is_quiet = is_quiet
        self._looks = looks
        self._brought = 0
        self._has_news = False
        self._news_in_a_row = 0
        self._woken = asyncio.Event()
        self._pressed = asyncio.Event()
        self._attentive_until = perf_counter() + ATTENTION  # somebody has just come
        self.wake()

    def attend(self) -> None:
        """Somebody is there, and has pressed a key: for a while, wait for nothing."""
        self._attentive_until = perf_counter() + ATTENTION
        self._pressed.set()
        self.wake()

    def wake(self) -> None:
        """Something has happened: rest for no longer than the period."""
        self._woken.set()

    @property
    def _is_attentive(self) -> bool:
        return perf_counter() < self._attentive_until

    @property
    def pause(self) -> float:
        """How long the next frame has to wait, in seconds: the period, or longer while not each frame has news."""
        if self._news_in_a_row > 1 or self._is_attentive:
            return self.period
        return max(self.period, UNHURRIED if self._looks() else RESTED)

    async def run(self) -> None:
        """Draw until cancelled."""
        while True:
            await self._rest()
            if self._meter.affords(self.period) or self._is_attentive:
                self._woken.clear()
                await self._draw()

    async def _rest(self) -> None:
        """Wait for the next frame: beyond the period only until something happens, long only until a key is pressed."""
        pause = self.pause
        if pause == self.period <= UNNOTICED:
            await asyncio.sleep(pause)
            return
        began = perf_counter()
        if pause > self.period:
            await _wait(self._woken, pause)
        left = began + self.period - perf_counter()
        if left > UNNOTICED:
            await _wait(self._pressed, left)
            self._pressed.clear()
            left = 0.0
        if self._is_attentive:
            left = min(PROMPT, self.period)
        if left > 0:
            await asyncio.sleep(left)

    async def _draw(self) -> None:
        """Draw a frame, at once or with room for others between its steps."""
        frame, done = self._frame(), False
        self._has_news = False
        while not done:
            at_once = self._is_attentive or not self._meter.loop_is_busy
            if not at_once:
                await self._breathe()
            done = self._advance(frame, at_once=at_once)
            if not done and at_once:
                await asyncio.sleep(0)
        self._news_in_a_row = self._news_in_a_row + 1 if self._has_news else 0

    async def _breathe(self) -> None:
        """Leave the loop to others until nobody waits for it, or has waited for long."""
        for _ in range(BREATHS):
            await asyncio.sleep(BREATH)
            if self._is_quiet():
                return

    def _advance(self, frame: Iterator[None], *, at_once: bool) -> bool:
        """Draw some steps of a frame; return whether all of it is drawn."""
        began, drawing = perf_counter(), self._drawing()
        until = began + (LONG_SLICE if at_once else SLICE)
        done, before = True, drawing.count
        with drawing:
            for _ in frame:
                self._has_news = True
                if perf_counter() >= until:
                    done, drawing.goes_on = False, True
                    break
        self._brought += drawing.count - before
        self._meter.spent(perf_counter() - began, frames=done and self._brought > 0)
        if done:
            self._brought = 0
        return done


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait until an event is set, which it is after so many seconds at the latest."""
    # Not by a timeout: to cancel is more than to wait, and what watches the loop would have to see whom and why.
    late = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        await event.wait()
    finally:
        late.cancel()


async def in_slices(steps: Iterator[None]) -> None:
    """Take steps that are not drawing; let the loop turn each time they have taken `LONG_SLICE`."""
    until = perf_counter() + LONG_SLICE
    for _ in steps:
        if perf_counter() >= until:
            await asyncio.sleep(0)
            until = perf_counter() + LONG_SLICE


class Patience(AnsweredOnce):
    """A screen that measures its painting, and holds it back while the terminal is behind.

    Everything Textual draws comes through `_compositor_refresh`: frames, keys, resizes, notifications. It is not
    public, and there is nothing public in its place; ``tests/ui`` notices when it changes.
    """

    _owed = False

    def _compositor_refresh(self) -> None:
        meter = getattr(self.app, "paint_meter", None)
        if self._terminal_is_behind or self.app._batch_count:  # noqa: SLF001 - what is drawn now would be thrown away
            self._owed = True
            return
        began = perf_counter()
        super()._compositor_refresh()
        if meter is not None:
            meter.spent(perf_counter() - began, frames=1)

    def on_resize(self, event: Resize) -> None:
        """Be laid out for the size the terminal has now, whatever size it had when this was sent.

        Laying itself out for another size, a screen tells itself of it once more. Of two sizes on their way at once,
        each would then follow the other for ever, without the loop's ever coming back, when something stands between
        them (Textual 8.2.8, while a change of view delays what is drawn).
        """
        event.size = self.app.size

    def catch_up(self) -> None:
        """Paint what was held back if the terminal has caught up."""
        if self._owed and not self._terminal_is_behind:
            self._owed = False
            self._compositor.update_widgets(self._dirty_widgets)
            self._compositor_refresh()

    @property
    def _terminal_is_behind(self) -> bool:
        driver = self.app._driver  # noqa: SLF001 - an app has no public way to its driver
        return isinstance(driver, PatientDriver) and driver.behind
