"""A terminal that takes nothing for a while, under full load: the echo goes on, and then the screen is right again.

    python tests/benchmarks/unread.py [--loop uvloop] [--seconds 20] [--connections 100]

Messages a second, flat out, while the terminal is read, and while it is not; memory before and after; and once it is
read again, how long it takes until the screen tells what has happened meanwhile. Exit status 1 if the rate falls
below 0.9 of what it was, memory grows by more than `MOST_GROWTH`, or the screen is not right within `SOON`.
"""

import argparse
import os
import select
import socket
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, time

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from support_terminal import Terminal, echotui

from echotui.server.bench.load import Load
from echotui.server.bench.order import Order

#: How much the app's memory may grow while nobody reads, in bytes.
MOST_GROWTH = 8 * 2**20

#: How soon the screen has to be right, in seconds.
SOON = 1.0

#: How much of its rate the echo has to keep.
KEPT = 0.9

#: How many more connections open while nobody reads.
NEWCOMERS = 7


class Progress:
    """How many messages have come back, and when that was told."""

    def __init__(self) -> None:
        self.points = [(monotonic(), 0)]

    def __call__(self, messages: int) -> None:
        self.points.append((monotonic(), messages))

    def rate(self, since: float, until: float) -> float:
        """Return messages a second between two moments, as far as they are told of."""
        within = [point for point in self.points if since <= point[0] <= until]
        (began, first), (ended, last) = within[0], within[-1]
        return (last - first) / (ended - began)


def skip(terminal: Terminal, seconds: float) -> None:
    """Read what is drawn, and throw it away unseen: an emulator would take the time that is measured."""
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0:
        if select.select([terminal.master], [], [], left)[0]:
            os.read(terminal.master, 65536)


def measure(options: argparse.Namespace, server: str) -> bool:
    """Measure one server; return whether all of it holds."""
    pause, progress = threading.Event(), Progress()
    with echotui("--loop", options.loop) as (terminal, ports), ExitStack() as stack:
        address = ("127.0.0.1", ports[server])
        order = Order(address=address, connections=options.connections, seconds=options.seconds * 2 + 4)
        load = stack.enter_context(Load(order))
        load.connect()
        running = threading.Thread(target=load.run, args=(progress,))
        running.start()
        process = psutil.Process(terminal.process.pid)
        skip(terminal, 2)
        read = monotonic(), monotonic() + options.seconds
        skip(terminal, options.seconds)
        memory, peak = process.memory_info().rss, 0
        for _ in range(NEWCOMERS):
            stack.enter_context(socket.create_connection(address, 10))
        unread = monotonic(), monotonic() + options.seconds
        while monotonic() < unread[1]:
            pause.wait(0.25)
            peak = max(peak, process.memory_info().rss)
        began = monotonic()
        terminal.shows(f"Connections · {options.connections + NEWCOMERS} open", f"up {clock(process)}")
        took = monotonic() - began
        right = [line[:1] + line[-1:] for line in terminal.text.splitlines()[2:10]]
        running.join()
    before, meanwhile = progress.rate(*read), progress.rate(*unread)
    growth = peak - memory
    holds = meanwhile >= KEPT * before and growth <= MOST_GROWTH and took <= SOON and right[0] == "╭╮"
    print(
        f"{options.loop:8} {server:10} {before:9,.0f} messages/s read, {meanwhile:9,.0f} unread for "
        f"{options.seconds:g} s: ratio {meanwhile / before:.2f}; memory +{growth / 2**20:.1f} MiB; "
        f"right after {took:.2f} s: {'holds' if holds else 'DOES NOT HOLD'}",
        flush=True,
    )
    return holds


def clock(process: psutil.Process) -> str:
    """Return the hours and minutes that the header has to say the process is up, whatever the second."""
    minutes = int(time() - process.create_time() - 1) // 60
    return f"{minutes // 60}:{minutes % 60:02}:"


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--servers", default="selectors,sockets")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=100)
    options = parser.parse_args()
    held = [measure(options, server) for server in options.servers.split(",")]
    return not all(held)


if __name__ == "__main__":
    raise SystemExit(main())
