"""What of being watched costs how much: the plain `sockets` server, with one part of that at a time.

    python tests/benchmarks/parts.py [--loop uvloop] [--rounds 12] [--connections 100] [--parts thread,counted]

Prints CPU time per message, and for each part the mean of its ratios to the plain server's of the same round, with its
standard error. In each round all run anew, and are put under load in turn, as `echotui bench` does it. How far `plain`,
which is the same server once more, is from 1 tells what is luck; and how far `longer` is from what it has to be,
whether a ratio says what is so. The parts are not all of it, and need not add up.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import sys
import threading
import timeit
from collections.abc import Callable
from itertools import repeat

from echotui.server import new_event_loop
from echotui.server.bench import plain
from echotui.server.bench.compare import Plan, Samples, compare
from echotui.server.c_library import c_library
from echotui.server.counting import Tally
from echotui.server.exchange import FAIR_SHARE, Exchange
from echotui.server.journal import Journal
from echotui.server.loops import LoopKind
from echotui.server.observe.stalls import Stalls
from echotui.server.records import Connection, ServerRecord
from echotui.server.servers.base import RECEIVE_SIZE
from echotui.tui.bench import commands

#: So many turns of a loop take a quarter of a microsecond or so.
NOTHING = 80

#: Of ``unshare``: have descriptors of one's own (Linux, unshare(2)).
CLONE_FILES = 0x400


def once_more() -> None:
    """Change nothing."""


def with_a_thread() -> None:
    """Have a thread that sleeps: that it is there has the system count who uses a descriptor, at each call."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def with_a_thread_apart() -> None:
    """Have a thread that sleeps, and shares no descriptors."""

    def sleep() -> None:
        if c_library().unshare(CLONE_FILES):
            os._exit(1)
        threading.Event().wait()

    threading.Thread(target=sleep, daemon=True).start()


def longer() -> None:
    """Have each message take longer by a known time: what `NOTHING` takes. It should come to just that, and no more."""

    async def serve(listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        async def echo(peer: socket.socket) -> None:
            with peer, contextlib.suppress(OSError):
                while data := await loop.sock_recv(peer, RECEIVE_SIZE):
                    for _ in repeat(None, NOTHING):
                        pass
                    await loop.sock_sendall(peer, data)

        await plain.serve_each(listener, echo)

    plain.ON_LOOP["sockets"] = serve


def counted() -> None:
    """Have each message counted, and looked at for the word."""
    details = Journal(detail_rate=0)
    details.details_open = False
    tally = Tally(ServerRecord("sockets", "", "", 0), details)

    async def serve(listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        async def echo(peer: socket.socket) -> None:
            exchange = Exchange(tally, Connection(0, "sockets", "", peer.fileno(), 0.0))
            with peer, contextlib.suppress(OSError):
                while data := await loop.sock_recv(peer, RECEIVE_SIZE):
                    if answer := exchange.take(data):
                        await loop.sock_sendall(peer, answer)
                    if exchange.settle() and exchange.has_had_its_share(FAIR_SHARE):
                        await asyncio.sleep(0)

        await plain.serve_each(listener, echo)

    plain.ON_LOOP["sockets"] = serve


def timed() -> None:
    """Have the loop observed, and nobody look for stalls: its steps, and on asyncio its turns, are timed."""
    born = Stalls.__init__

    def blind(self: Stalls, *args: object) -> None:
        born(self, *args)  # type: ignore[arg-type]
        self.on = False

    Stalls.__init__ = blind  # type: ignore[assignment, method-assign]
    plain._bare_loop = new_event_loop


#: What is done to the plain server before it serves.
PARTS: dict[str, Callable[[], None]] = {
    "plain": once_more,
    "longer": longer,
    "thread": with_a_thread,
    "apart": with_a_thread_apart,
    "counted": counted,
    "timed": timed,
}


def of(samples: Samples, variant: str) -> list[float]:
    """Return the CPU time per message of a variant, round by round, in seconds."""
    return [sample.cpu_per_message or 0.0 for sample in samples if sample.variant == variant]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--parts", default=",".join([*PARTS, "watched"]))
    options = parser.parse_args()
    loop: LoopKind = options.loop
    run = commands(10)
    for part in PARTS:
        run[part] = lambda _, part=part: [sys.executable, __file__, "--serve", part, loop]
    parts = options.parts.split(",")
    samples = compare(
        Plan(
            servers=("sockets",),
            loops=(loop,),
            connections=(options.connections,),
            variants=("bare", *parts),
            runs=options.rounds,
            seconds=options.seconds,
            latencies=False,
        ),
        run,
        lambda _: None,
        lambda _case, _samples: None,
    )
    bare = of(samples, "bare")
    if "longer" in parts:
        times = timeit.repeat("for _ in repeat(None, NOTHING): pass", globals=globals(), number=100_000)
        nothing = min(times) / 100_000
        expected = 1 + nothing / statistics.mean(bare)
        print(f"longer    {nothing * 1e6:7.2f} µs by itself: ×{expected:.3f} is to be expected")
    print(f"{'bare':9} {statistics.mean(bare) * 1e6:7.2f} µs a message")
    for part in parts:
        took = of(samples, part)
        ratios = [mine / its for mine, its in zip(took, bare, strict=True)]
        error = statistics.stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")
        print(f"{part:9} {statistics.mean(took) * 1e6:7.2f} µs ×{statistics.mean(ratios):.3f} ± {error:.3f}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--serve", part, "uvloop" | "asyncio" as loop]:
            PARTS[part]()
            plain.main("sockets", loop)
        case _:
            main()
