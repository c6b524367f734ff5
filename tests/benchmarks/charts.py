"""What a redraw of the charts costs, once a second while they are to be seen: worked out and painted.

    python tests/benchmarks/charts.py [--redraws 100] [--width 140] [--height 45]

Both views that have charts, with five minutes of numbers, all of them other ones in each redraw. CPU time in
milliseconds: least, median, 95th percentile. *hidden* is what the same second costs where the charts are not shown.
"""

import argparse
import asyncio
import dataclasses
import statistics
import sys
from collections import deque
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from support_picture import a_picture

from echotui.server.lab import Lab
from echotui.server.settings import Settings
from echotui.server.vitals import HISTORY, Vitals
from echotui.tui.app import EchoApp
from echotui.tui.views.live import LiveView
from echotui.tui.views.loop import LoopView


async def measure(key: str, options: argparse.Namespace, *, shown: bool) -> None:
    """Redraw the charts of a view."""
    vitals = a_picture().vitals()
    for rates in vitals.rates.values():
        rates.history = deque(maxlen=HISTORY)
    app = EchoApp(
        Lab(Settings(port=0)), "x", refresh=0.1, picture=dataclasses.replace(a_picture(), vitals=lambda: vitals)
    )
    async with app.run_test(size=(options.width, options.height)) as pilot:
        await pilot.press(key)
        await pilot.press(*["c"] * shown)
        await pilot.pause()
        view = app.view
        assert isinstance(view, LiveView | LoopView)
        took = []
        chance = Random(1)
        for _ in range(options.redraws):
            a_second_passes(vitals, chance)
            began = process_time()
            view.charts.repaint()
            worked_out = process_time() - began
            while shown and not view._dirty_widgets:  # noqa: ASYNC110 - the screen tells nobody
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            began = process_time()
            if shown:
                view._on_timer_update()
            took.append((worked_out + process_time() - began) * 1e3)
        took.sort()
        late = took[round(len(took) * 0.95) - 1]
        what = "shown" if shown else "hidden"
        print(f"{view.name_:6} {what:7} {took[0]:6.2f} {statistics.median(took):6.2f} {late:6.2f} ms")


def a_second_passes(vitals: Vitals, chance: Random) -> None:
    """Measure everything anew."""
    vitals.samples += 1
    histories: list[Any] = [vitals.lags, vitals.turns, vitals.loads, *(one.history for one in vitals.rates.values())]
    for series in histories:
        for _ in range(HISTORY):
            series.append(chance.random() * 1000)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--redraws", type=int, default=100)
    parser.add_argument("--width", type=int, default=140)
    parser.add_argument("--height", type=int, default=45)
    options = parser.parse_args()
    for key in "12":
        for shown in (True, False):
            asyncio.run(measure(key, options, shown=shown))


if __name__ == "__main__":
    main()
