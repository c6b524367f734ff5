"""Whether one can still work with it: idle with silent connections, and full of busy ones.

    python tests/benchmarks/usable.py [--connections 10000] [--seconds 10] [--loop uvloop]

*idle*: the share of a core that the app on a pty of 140×45 takes with 100 connections that say nothing, beside a plain
server's and `echotui serve`'s, and that of a loop of asyncio's which does nothing but wake, as often as the app does:
what a wake-up takes depends on the machine, and on the hour. *busy*: all of many connections are served, the share of a
core that takes (near the whole of it, keys queue up as messages do), and how long it takes from a key to the screen:
least, median, 95th percentile, most.
"""

import argparse
import math
import random
import resource
import statistics
import sys
import threading
from collections.abc import Sequence
from time import perf_counter, sleep

from echotui.server.bench.compare import Case
from echotui.server.bench.load import Load
from echotui.server.bench.order import UPPER, Order, Report
from echotui.server.bench.subject import Subject
from echotui.tui.bench import commands

#: Keys to press in turn, and what is drawn of the view they lead to, and of no other.
VIEWS = (("2", b"Ticks"), ("1", b"Servers"))

#: How often the app wakes in a second, while nothing happens.
WAKES = 8

#: The plain `sockets` server, on a loop that wakes, for nothing.
WAKING = f"""
import asyncio, socket
from echotui.server.bench.plain import serve_sockets

async def main():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        serving = asyncio.create_task(serve_sockets(listener))
        while True:
            await asyncio.sleep(1 / {WAKES})

asyncio.run(main())
"""


def idle(case: Case, seconds: float) -> None:
    """Print what it takes to do nothing."""
    for variant in ("bare", "watched", "painting"):
        idle_in(commands(10)[variant](case), case.server, variant, seconds)


def idle_in(command: Sequence[str], server: str, variant: str, seconds: float) -> None:
    """Print what it takes one server to do nothing."""
    with Subject(command, paints=variant == "painting") as subject:
        with Load(Order(address=("127.0.0.1", subject.port), upper=server in UPPER)) as load:
            load.connect()
            sleep(2)
            began, cpu, drawn = perf_counter(), subject.cpu, subject.drawn
            sleep(seconds)
            share = (subject.cpu - cpu) / (perf_counter() - began)
            rate = (subject.drawn - drawn) / seconds
    print(f"{server:9} idle  {variant:9} {share * 100:5.2f} % of a core, {rate:,.0f} B/s drawn", flush=True)


def busy(case: Case, seconds: float, rate: float | None) -> None:
    """Print how many are served, and how long a key takes to show."""
    with Subject(commands(10)["painting"](case), paints=True) as subject:
        order = Order(
            address=("127.0.0.1", subject.port),
            connections=case.connections,
            upper=case.server in UPPER,
            seconds=seconds,
            rate=rate,
        )
        with Load(order) as load:
            served = load.connect()
            began, cpu = perf_counter(), subject.cpu
            reports: list[Report] = []
            running = threading.Thread(target=lambda: reports.append(load.run()))
            running.start()
            sleep(1)
            took: list[float] = []
            while running.is_alive():
                for key, shows in VIEWS:
                    if (answer := key_to_screen(subject, key, shows)) is not None and running.is_alive():
                        took.append(answer * 1e3)
            running.join()
            share = (subject.cpu - cpu) / (perf_counter() - began)
    took.sort()
    (report,) = reports
    late = took[round(len(took) * 0.95) - 1] if took else math.inf
    keys = f"{took[0]:.0f} {statistics.median(took):.0f} {late:.0f} {took[-1]:.0f} ms" if took else "never"
    print(
        f"{case.server:9} busy  {served:,} of {case.connections:,} served, {report.messages:,} messages, errors "
        f"{dict(report.errors)}, {share:.0%} of a core; {len(took)} keys, to the screen {keys}",
        flush=True,
    )


def key_to_screen(subject: Subject, key: str, shows: bytes) -> float | None:
    """Press a key at a random moment. Returns how long it took to show, in seconds; None if it did not."""
    sleep(random.uniform(0.1, 0.3))
    began = perf_counter()
    came = subject.wait_for(shows, lambda: subject.press(key), 5)
    return perf_counter() - began if came else None


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=9_900)
    parser.add_argument("--rate", type=float, default=10_000, help="messages a second; 0 is flat out")
    parser.add_argument("--no-idle", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--servers", default="selectors,sockets")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, options.connections + 100)), hard))
    if not options.no_idle:
        idle_in([sys.executable, "-c", WAKING], "plain", "waking", options.seconds)
    for server in options.servers.split(","):
        if not options.no_idle:
            idle(Case(server, options.loop, 100), options.seconds)
        busy(Case(server, options.loop, options.connections), options.seconds, options.rate or None)


if __name__ == "__main__":
    main()
