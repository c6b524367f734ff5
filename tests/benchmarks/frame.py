"""What a frame costs, whatever the number of connections: worked out, and composed and written.

    python tests/benchmarks/frame.py [--frames 100] [--connections 10,1000,10000] [--width 140] [--height 45]

Every connection gets through something between two frames, and 40 events come in, as they do at ten frames a second
under load: every visible line changes. *worked out* is what our panes do to know their lines and to tell Textual of
them, *painted* the whole frame, with all that goes to the terminal. *sorted*, *filtered* are a frame in which the rows
are sorted by what came in, or filtered by a word, anew: on the screen at most once a second. *in a row* is the longest
piece of such a frame that is drawn without the loop's turning in between.
CPU time in milliseconds: least, median, 95th percentile.
"""

import argparse
import asyncio
import dataclasses
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parent.parent))

from support_picture import a_picture

from echotui.server import events
from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.settings import Settings
from echotui.tui.app import EchoApp
from echotui.tui.filter import parse
from echotui.tui.picture import Picture
from echotui.tui.terminal import PatientDriver


class Nowhere(PatientDriver):
    """A terminal that takes everything at once, and shows it to nobody."""

    behind = False

    def __init__(self) -> None:
        self.written = 0
        self._held = ""

    def write(self, data: str) -> None:
        self.written += len(self._held) + len(data)
        self._held = ""

    def flush(self) -> None:
        pass


def something_happens(picture: Picture) -> None:
    """Let every connection say something, and the journal tell of some of it."""
    for connection in picture.connections.open.values():
        connection.reads += 1
        connection.bytes_in += 64
        connection.bytes_out += 64
        connection.last_in = b"line %d of connection %d" % (connection.reads, connection.id)
    connection = next(reversed(picture.connections.open.values()))
    for _ in range(40):
        picture.journal.record(events.Received("selectors", connection.id, connection.peer, 64, connection.last_in))


def report(what: str, connections: int, seconds: list[float]) -> None:
    """Print what a kind of frame came to."""
    milliseconds = sorted(second * 1e3 for second in seconds)
    late = milliseconds[round(len(milliseconds) * 0.95) - 1]
    middle = statistics.median(milliseconds)
    print(
        f"{connections:7,} connections  {what:11} {milliseconds[0]:6.2f} {middle:6.2f} {late:6.2f} ms",
        file=sys.__stdout__,
    )


async def measure(connections: int, options: argparse.Namespace) -> None:
    """Draw frames with so many connections."""
    still = a_picture(connections=connections)
    vitals = still.vitals()
    picture = dataclasses.replace(still, journal=Journal(detail_rate=None), vitals=lambda: vitals)
    app = EchoApp(Lab(Settings(port=0)), "asyncio · epoll", refresh=0.1, picture=picture)
    async with app.run_test(size=(options.width, options.height)) as pilot:
        view = app.view
        await pilot.pause()

        def frames(count: int, draw: Callable[[], None]) -> list[float]:
            took = []
            for _ in range(count):
                something_happens(picture)
                began = process_time()
                draw()
                took.append(process_time() - began)
            return took

        headless, terminal = app._driver, Nowhere()
        frames(5, view.repaint)
        report("worked out", connections, frames(options.frames, view.repaint))
        app._driver = terminal
        report("painted", connections, frames(options.frames, view.repaint))
        assert terminal.written

        pane = app.live.connections

        def anew() -> None:
            pane._rows_at = 0.0
            pane.repaint()

        pane.sort_by("in")
        report("sorted", connections, frames(options.frames // 4, anew))
        pane.filter = parse("line !server:sockets", pane.fields)
        report("filtered", connections, frames(options.frames // 4, anew))

        def longest() -> float:
            pane._rows_at = 0.0
            something_happens(picture)
            frame, took, done = view.steps(view.panes()), 0.0, False
            while not done:
                began = process_time()
                done = app._clock._advance(frame, at_once=True)
                took = max(took, process_time() - began)
            return took

        report("in a row", connections, [longest() for _ in range(options.frames // 4)])
        app._driver = headless


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--connections", default="10,1000,10000")
    parser.add_argument("--width", type=int, default=140)
    parser.add_argument("--height", type=int, default=45)
    options = parser.parse_args()
    for connections in options.connections.split(","):
        asyncio.run(measure(int(connections), options))


if __name__ == "__main__":
    main()
