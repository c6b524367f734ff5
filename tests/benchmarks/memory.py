"""What a connection costs in memory: plain, watched, and with the screen painting, in turn.

    python tests/benchmarks/memory.py [--connections 5000] [--rounds 3] [--loop uvloop]

Resident memory that came with the connections, each of which has said one line; KiB a connection: least, median, most,
and how much that is above bare. First of so many connections, then of as many more: with the first our histories grow
to their limits (10,000 events, the latest tasks that ended), with the next only what belongs to a connection. Then how
it goes on under full load with the screen: `--minutes 60` shows an hour.
"""

import argparse
import resource
import statistics
from contextlib import ExitStack
from itertools import pairwise
from time import monotonic

from echotui.server.bench.compare import Case
from echotui.server.bench.load import Load
from echotui.server.bench.order import UPPER, Order
from echotui.server.bench.plain import PLAIN
from echotui.server.bench.subject import Subject
from echotui.server.settings import SERVER_NAMES
from echotui.tui.bench import commands

VARIANTS = ("bare", "watched", "painting")


def of_a_connection(case: Case, variant: str) -> tuple[float, float]:
    """Return the bytes that one connection takes of the first so many, and of the next."""
    with Subject(commands(10)[variant](case), paints=variant == "painting") as subject:
        order = Order(address=("127.0.0.1", subject.port), connections=10, upper=case.server in UPPER, seconds=1.0)
        with Load(order) as load:
            load.connect()
            load.run()
        many = Order(address=order.address, connections=case.connections, upper=order.upper)
        sizes = [subject.rss]
        with ExitStack() as loads:
            for _ in range(2):
                loads.enter_context(Load(many)).connect()
                sizes.append(subject.rss)
        first, then = (after - before for before, after in pairwise(sizes))
        return first / case.connections, then / case.connections


def slope(case: Case, minutes: float) -> None:
    """Print how memory goes on under full load: MiB at the beginning, and a minute later each."""
    with Subject(commands(10)["painting"](case), paints=True) as subject:
        points: list[tuple[float, float]] = []
        order = Order(
            address=("127.0.0.1", subject.port), connections=100, upper=case.server in UPPER, seconds=minutes * 60
        )

        def note(_: int) -> None:
            if not points or monotonic() - points[-1][0] > 2:
                points.append((monotonic(), subject.rss / 2**20))

        with Load(order) as load:
            load.connect()
            load.run(note)
        half = points[len(points) // 2 :]
        if len(half) < 2:
            print(f"{case.server:9} {minutes:g} min are too short to say how memory goes on")
            return
        line = statistics.linear_regression([at for at, _ in half], [size for _, size in half])
        print(
            f"{case.server:9} {minutes:g} min at full load, 100 connections, painting: {points[0][1]:.1f} MiB → "
            f"{points[-1][1]:.1f} MiB; in the second half {line.slope * 60:+.3f} MiB a minute"
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--servers", default=",".join(name for name in SERVER_NAMES if name in PLAIN))
    parser.add_argument("--minutes", type=float, default=0.5)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * options.connections + 100)), hard))
    for server in options.servers.split(","):
        case = Case(server, options.loop, options.connections)
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in VARIANTS}
        for _ in range(options.rounds):
            for variant in VARIANTS:
                results[variant].append(of_a_connection(case, variant))
        for at, which in enumerate(("the first", "the next")):
            bare = statistics.median(sample[at] for sample in results["bare"]) / 1024
            for variant, samples in results.items():
                values = [sample[at] / 1024 for sample in samples]
                middle = statistics.median(values)
                spread = f"{min(values):6.2f} {middle:6.2f} {max(values):6.2f}"
                of = f"{which} {case.connections:,}"
                print(f"{server:9} {variant:9} {of:15} {spread} KiB a connection   {middle - bare:+.2f}", flush=True)
        slope(case, options.minutes)


if __name__ == "__main__":
    main()
