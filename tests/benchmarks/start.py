"""How long starting takes: the interpreter alone, ``--version``, ``serve`` until it listens, and the first paint.

    python tests/benchmarks/start.py [--rounds 15]

Wall time in milliseconds, in turn: least, median, most; and the median above the interpreter's own start.
The first paint is on a pty of 140×45: from the start of the process until the servers stand on the screen.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter

from echotui.server.bench.subject import Subject

ECHOTUI = [sys.executable, "-c", "from echotui.tui.cli import main; raise SystemExit(main())"]
ONE = ["--port", "0", "--servers", "selectors"]


def ends(*command: str) -> float:
    """Return how long a command takes that ends by itself, in seconds."""
    began = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - began


def comes_up(*command: str, paints: bool) -> float:
    """Return how long a server takes until it listens, or stands on the screen, in seconds."""
    began = perf_counter()
    with Subject(command, paints=paints):
        return perf_counter() - began


STARTS: dict[str, Callable[[], float]] = {
    "python -c pass": lambda: ends(sys.executable, "-c", "pass"),
    "echotui --version": lambda: ends(*ECHOTUI, "--version"),
    "echotui serve": lambda: comes_up(*ECHOTUI, "serve", *ONE, paints=False),
    "echotui, first paint": lambda: comes_up(*ECHOTUI, *ONE, paints=True),
    "… on uvloop": lambda: comes_up(*ECHOTUI, *ONE, "--loop", "uvloop", paints=True),
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    results: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(options.rounds):
        for name, start in STARTS.items():
            results[name].append(start() * 1e3)
    alone = statistics.median(results["python -c pass"])
    for name, values in results.items():
        middle = statistics.median(values)
        print(f"{name:22} {min(values):6.0f} {middle:6.0f} {max(values):6.0f} ms   {middle - alone:+6.0f}")


if __name__ == "__main__":
    main()
