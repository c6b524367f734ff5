"""What a peer that does not read costs the others: their latency beside it, as a ratio to before, and memory.

Run it with ``python tests/benchmarks/slow_reader.py``; it starts ``echotui serve`` by itself. It prints and judges
nothing: how long a round trip takes is the machine's business.
"""

import socket
import sys
from pathlib import Path
from time import perf_counter

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from support_serve import hear, serving

from echotui.server.loops import LOOP_KINDS

ROUND_TRIPS = 10_000
TO_SEND = 50_000_000


def round_trips(sock: socket.socket) -> tuple[float, float]:
    """Return the median and the 99th percentile of a round trip of 64 bytes, in microseconds."""
    line, took = b"x" * 62 + b"\r\n", []
    for _ in range(ROUND_TRIPS):
        began = perf_counter()
        sock.sendall(line)
        assert hear(sock, len(line)) == line
        took.append((perf_counter() - began) * 1e6)
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


def push(sock: socket.socket, left: int) -> int:
    """Send as much as is taken without waiting; return what is left."""
    try:
        while left:
            left -= sock.send(b"z" * min(left, 2**16))
    except BlockingIOError:
        pass
    return left


def main() -> None:
    for loop in LOOP_KINDS:
        for server in ("selectors", "sockets"):
            with serving("--loop", loop, "--servers", server) as served, served.connect(server) as talker:
                process = psutil.Process(served.process.pid)
                before = round_trips(talker)
                memory = process.memory_info().rss
                with served.connect(server) as stuck:
                    stuck.setblocking(False)
                    left = push(stuck, TO_SEND)
                    beside = round_trips(talker)
                    left = push(stuck, left)
                    grown = process.memory_info().rss - memory
                    waiting, heard = TO_SEND - left, 0
                    while heard < TO_SEND:
                        left = push(stuck, left)
                        try:
                            heard += len(stuck.recv(2**20))
                        except BlockingIOError:
                            continue
                print(
                    f"{loop:8} {server:10} p50 {before[0]:4.0f} → {beside[0]:4.0f} µs ({beside[0] / before[0]:.2f})  "
                    f"p99 {before[1]:4.0f} → {beside[1]:4.0f} µs ({beside[1] / before[1]:.2f})  "
                    f"memory +{grown / 2**20:.1f} MiB with {waiting / 1e6:.1f} MB unread, then all came back"
                )


if __name__ == "__main__":
    main()
