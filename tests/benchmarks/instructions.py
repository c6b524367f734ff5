"""How many instructions a message takes, plain and watched, counted and not timed: on a busy machine as on a quiet one.

    python tests/benchmarks/instructions.py [--servers sockets,streams] [--loops asyncio,uvloop] [--rate 400]

Needs valgrind. Its callgrind counts what the server itself executes, not what the kernel does for it, and simulates the
first-level caches, whose misses are what is left of the time. What a server does without any message is counted first,
and taken off by the second. Flat out all connections are ready at once, at a `--rate` each message is a turn of the
loop. It prints and judges nothing; from start to start a few hundred instructions differ, by what meets what in
Python's cache of look-ups.

Under valgrind everything takes fifty times as long: no step and no stall is taken for a long one here.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import perf_counter
from typing import NamedTuple

from echotui.server.bench.load import Load
from echotui.server.bench.order import UPPER, Order
from echotui.server.bench.plain import PLAIN
from echotui.server.bench.subject import Subject

#: Runs echotui, and takes nothing for long.
PATIENT = """
from echotui.server.observe import stalls, timing
timing.WORTH_A_LOOK = stalls.DEFAULT_LIMIT = 3600.0
from echotui.tui.cli import main
raise SystemExit(main())
"""

#: For how long it is watched while it has nothing to do, and left alone before that, in seconds.
IDLE, SETTLING = 5.0, 2.0


class Counted(NamedTuple):
    """What was counted."""

    instructions: float
    misses: float
    """Of the first-level caches, of instructions and data."""

    def less(self, other: "Counted", times: float) -> "Counted":
        """Return this without so many times another."""
        return Counted(*(mine - times * its for mine, its in zip(self, other, strict=True)))


def read(dump: Path) -> Counted:
    """Return what callgrind has written."""
    text = dump.read_text()
    names = re.findall(r"^events: (.*)$", text, re.MULTILINE)[0].split()
    numbers = map(int, re.findall(r"^(?:summary|totals): (.*)$", text, re.MULTILINE)[0].split())
    counts = dict(zip(names, numbers, strict=False))
    return Counted(counts.get("Ir", 0), sum(counts.get(name, 0) for name in ("I1mr", "D1mr", "D1mw")))


def count(command: Sequence[str], order: Order) -> Counted:
    """Return what a message takes, of an order for whatever address."""
    with TemporaryDirectory() as folder:
        out = Path(folder, "out")
        callgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--cache-sim=yes"]
        with Subject([*callgrind, f"--callgrind-out-file={out}", *command]) as subject:

            def control(*what: str) -> None:
                told = ["callgrind_control", *what, str(subject.pid)]
                subprocess.run(told, check=True, capture_output=True)

            order = replace(order, address=("127.0.0.1", subject.port))
            with Load(order) as load:
                load.connect()
                load.run()  # what is done once is done before
                control("-i", "on")
                Event().wait(SETTLING)
                control("-d")
                Event().wait(IDLE)
                control("-d")
                began = perf_counter()
                report = load.run()
                took = perf_counter() - began
                control("-d")
        if report.errors or not report.messages:
            raise SystemExit(f"not all went well: {report.errors or 'no message came back'}")
        whole = read(Path(f"{out}.3")).less(read(Path(f"{out}.2")), took / IDLE)
        return Counted(*(number / report.messages for number in whole))


def main() -> None:
    """Count, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--servers", default=",".join(PLAIN))
    parser.add_argument("--loops", default="asyncio,uvloop")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--rate", type=float, help="messages a second; flat out without it")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    print(f"{'instructions a message':27} {'bare':>8} {'watched':>8}   first-level misses   bare  watched")
    for server in options.servers.split(","):
        for loop in options.loops.split(","):
            order = Order(
                address=("127.0.0.1", 0),
                connections=options.connections,
                size=64,
                rate=options.rate,
                seconds=options.seconds,
                upper=server in UPPER,
            )
            bare, watched = (
                count([sys.executable, *command], order)
                for command in (
                    ["-m", "echotui.server.bench.plain", server, loop],
                    ["-c", PATIENT, "serve", "--port", "0", "--servers", server, "--loop", loop],
                )
            )
            print(
                f"{server:12} {loop:14} {bare.instructions:8,.0f} {watched.instructions:8,.0f} "
                f"×{watched.instructions / bare.instructions:.2f} {bare.misses:18,.0f} {watched.misses:8,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
