"""The frame clock: when the screen is painted, what that costs, and when it waits.

One clock paints everything. Between two frames nothing is drawn however much happens; a frame in which nothing has
changed paints nothing. When painting takes more than `MOST_COST` of the time the clock halves its rate, and goes
back when there is room again: the screen must never cost the servers more than it shows. While the terminal has not
taken the last frame the next one is held back.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter

from textual.events import Resize

from .early_keys import AnsweredOnce
from .terminal import PatientDriver

#: The share of the time painting may take before the frame rate is halved.
MOST_COST = 0.05

#: The slowest the clock gets by itself: seconds between two frames.
SLOWEST = 1.0

#: Over how many seconds the cost is measured.
WINDOW = 1.0


class PaintMeter:
    """How much of the time goes into painting."""

    def __init__(self) -> None:
        self.cost: float | None = None
        """The share of the last full `WINDOW` that painting took, from 0 to 1; None until one has passed."""
        self._spent = 0.0
        self._since = perf_counter()

    def spent(self, seconds: float) -> None:
        """Note that painting took this long."""
        self._spent += seconds

    def settle(self) -> bool:
        """Work out `cost` if a `WINDOW` has passed; return whether it has."""
        now = perf_counter()
        if now - self._since < WINDOW:
            return False
        self.cost = self._spent / (now - self._since)
        self._since, self._spent = now, 0.0
        return True


class FrameClock:
    """Calls `paint` for every frame.

    Args:
        rate: frames a second, at the most.
        meter: told what painting took.
        paint: paints a frame.
    """

    def __init__(self, rate: float, meter: PaintMeter, paint: Callable[[], None]) -> None:
        self.fastest = 1 / rate
        self.period = self.fastest
        """Seconds from one frame to the next, as it is now."""
        self._meter = meter
        self._paint = paint

    async def run(self) -> None:
        """Paint until cancelled."""
        while True:
            await asyncio.sleep(self.period)
            began = perf_counter()
            self._paint()
            self._meter.spent(perf_counter() - began)
            if self._meter.settle():
                self._adapt(self._meter.cost or 0)

    def _adapt(self, cost: float) -> None:
        if cost > MOST_COST:
            self.period = min(self.period * 2, max(SLOWEST, self.fastest))
        elif cost < MOST_COST / 3:
            self.period = max(self.period / 2, self.fastest)


class Patience(AnsweredOnce):
    """A screen that measures its painting, and holds it back while the terminal is behind.

    Everything Textual draws comes through `_compositor_refresh`: frames, keys, resizes, notifications. It is not
    public, and there is nothing public in its place; ``tests/ui`` notices when it changes.
    """

    _owed = False

    def _compositor_refresh(self) -> None:
        meter = getattr(self.app, "paint_meter", None)
        if self._terminal_is_behind:
            self._owed = True
            return
        began = perf_counter()
        super()._compositor_refresh()
        if meter is not None:
            meter.spent(perf_counter() - began)

    def on_resize(self, event: Resize) -> None:
        """Be laid out for the size the terminal has now, whatever size it had when this was sent.

        Laying itself out for another size, a screen tells itself of it once more. Of two sizes on their way at once,
        each would then follow the other for ever, without the loop's ever coming back, when something stands between
        them (Textual 8.2.8, while a change of view delays what is drawn).
        """
        event.size = self.app.size

    def catch_up(self) -> None:
        """Paint everything anew if something was held back and the terminal has caught up."""
        if self._owed and not self._terminal_is_behind:
            self._owed = False
            self.refresh()

    @property
    def _terminal_is_behind(self) -> bool:
        driver = self.app._driver  # noqa: SLF001 - an app has no public way to its driver
        return isinstance(driver, PatientDriver) and driver.behind
