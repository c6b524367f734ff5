"""What one message costs its server: plain and watched in turn, in one process, without a client to wait for.

    python tests/benchmarks/message.py [--loop uvloop] [--connections 100] [--rounds 41]

In each round every client says a line, and the loop turns until all are answered; only the turning is timed, by CPU
time. Less noisy than traffic from outside, and blind to what a client or a screen changes: `echotui bench` sees that.
Prints microseconds a message as least, median, most over the rounds, and the ratio of neighbouring rounds.
"""

import argparse
import asyncio
import gc
import selectors
import socket
import statistics
from collections.abc import Callable, Coroutine
from time import process_time
from typing import Any

import uvloop

from echotui.server.bench import plain
from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.settings import Settings

LINE = b"x" * 63 + b"\n"

#: Turns of the loop in which every message is answered, whatever the server.
TURNS = 4


def clients(port: int, count: int) -> list[socket.socket]:
    """Return connected sockets."""
    return [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]


def talk(peers: list[socket.socket], turn: Callable[[], float]) -> float:
    """Let everybody say a line and be answered. Returns the seconds of CPU time a message took."""
    for peer in peers:
        peer.send(LINE)
    took = turn()
    for peer in peers:
        peer.setblocking(False)
        assert len(peer.recv(1000)) == len(LINE), "not all were answered in time"
        peer.setblocking(True)
    return took / len(peers)


class Runs:
    """A loop with a server on it, which turns when it is told to."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, serve: Callable[[], Coroutine[Any, Any, int]], count: int
    ) -> None:
        self.loop = loop
        self.peers = clients(loop.run_until_complete(serve()), count)
        for _ in range(count // 10 + 10):
            self.turn()
        self.round()

    def turn(self) -> float:
        """Turn the loop. Returns the CPU time that took."""

        async def turns() -> float:
            began = process_time()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            return process_time() - began

        return self.loop.run_until_complete(turns())

    def round(self) -> float:
        """Return the CPU time of a message, in seconds."""
        return talk(self.peers, self.turn)


class PlainSelectors:
    """The plain `selectors` server, turned by hand: its loop would not come back."""

    def __init__(self, count: int) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)
        self.listener = listener
        self.peers = clients(listener.getsockname()[1], count)
        for _ in range(count):
            self.turn()
        self.round()

    def turn(self) -> float:
        """Serve who is ready. Returns the CPU time that took."""
        began = process_time()
        plain.serve_ready(self.selector, self.listener)
        return process_time() - began

    def round(self) -> float:
        """Return the CPU time of a message, in seconds."""
        return talk(self.peers, self.turn)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--servers", default="selectors,sockets")
    options = parser.parse_args()
    # A process that has freed a large block once maps none of a read's size any more (mallopt, M_MMAP_THRESHOLD). What
    # is imported does that sooner or later; here it should have happened before anything is compared.
    bytearray(8 << 20)
    print(f"{options.connections} connections, {options.loop}; µs of CPU time a message: least, median, most")
    for server in options.servers.split(","):
        compare(server, options.loop, options.connections, options.rounds)


def compare(server: str, kind: LoopKind, count: int, rounds: int) -> None:
    """Compare one server with its plain one."""

    async def serve_watched() -> int:
        lab = Lab(Settings(port=0, servers=(server,)), Journal(detail_rate=0))
        labs.append(lab)
        await lab.start()
        return lab.records[0].port

    async def serve_plain() -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listener.setblocking(False)
        tasks.append(asyncio.get_running_loop().create_task(plain.ON_LOOP[server](listener)))
        return int(listener.getsockname()[1])

    labs: list[Lab] = []
    tasks: list[asyncio.Task[None]] = []
    bare_loop = uvloop.new_event_loop() if kind == "uvloop" else asyncio.SelectorEventLoop()
    subjects: dict[str, PlainSelectors | Runs] = {
        "plain": PlainSelectors(count) if server == "selectors" else Runs(bare_loop, serve_plain, count),
        "on a bare loop": Runs(
            uvloop.new_event_loop() if kind == "uvloop" else asyncio.SelectorEventLoop(), serve_watched, count
        ),
        "watched": Runs(new_event_loop(kind), serve_watched, count),
    }
    gc.freeze()
    results: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            results[name].append(sum(subject.round() for _ in range(20)) / 20 * 1e6)
    for name, values in results.items():
        ratios = sorted(value / bare for value, bare in zip(values, results["plain"], strict=True))
        print(
            f"{server:9} {name:15} {min(values):6.2f} {statistics.median(values):6.2f} {max(values):6.2f}"
            f"   × {statistics.median(ratios):.3f} ({ratios[len(ratios) // 4]:.3f}–{ratios[-len(ratios) // 4]:.3f})"
        )


if __name__ == "__main__":
    main()
