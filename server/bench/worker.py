"""A traffic client: one process, many connections, one epoll. ``python -m echotui.server.bench.worker ORDER``.

It runs in a process of its own, so that it is never on the loop that is looked at; and it is cheap, so that it is not
what is measured: sockets, one epoll (or kqueue), a tape of messages cut beforehand, and what is done for each message
in C where that is possible (``calling.py``).

It talks to whoever started it in lines of JSON: first how many connections are *ready* (each has got one answer). Each
line ``go`` with an order has it carry that out, on the same connections: it tells how many *messages* came back so far,
and at the end its *report*. Any other line, or the end of its input, stops it, also before its time.

With a rate it sends by the clock, however the server copes (open loop), and a latency counts from the moment a
message was *due*. A client that waited for the server, and counted from when it got around to sending, would leave
out just the messages that suffer (coordinated omission).
"""

import errno
import gc
import json
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from time import monotonic, process_time

from ..native import MOST_RECEIVED
from .calling import Caller, Calling, by_the_clock, flat_out, hear, say
from .histogram import Histogram
from .order import Order, Report
from .polling import Poller

#: What a line begins with that has it carry out an order.
GO = b"go "

#: How long all connections together, and the first answer on each, may take, in seconds; and how long the last answers.
PATIENCE = 10.0
LAST_ANSWERS = 5.0

#: For how many seconds a client that may do so spins: before a message is due, or flat out, after an answer. A process
#: that sleeps is woken too late: by the 50 µs to which Linux rounds, and by what it takes to wake a core, in a virtual
#: machine as much again. And who sends it an answer pays for waking it: 3 µs of the 13 of a message, there. How often
#: that is depends on how fast answers come, so a server that took 1.4 % longer for a message seemed to take 5 % longer.
SPIN = 0.0002

#: How many different bytes of messages there are at least, before they repeat.
TAPE = 16 * 1024


class Client(Calling):
    """Carries out one order."""

    def __init__(self, order: Order) -> None:
        super().__init__(Poller(), *_tape(order), order.size, order.pipelining)
        self.order = order
        self.report = Report()
        self.spin = SPIN if order.spins else 0

    # -- before and after ------------------------------------------------------------------------------------

    def connect(self) -> int:
        """Open the connections, and let each say one message. Returns on how many it came back.

        All of it takes `PATIENCE` at most.
        """
        until = monotonic() + PATIENCE
        for number in range(self.order.connections):
            try:
                sock = _connected(self.order.address, until)
            except OSError as error:
                self.failed(error, None)
                if isinstance(error, ConnectionRefusedError | TimeoutError) or error.errno == errno.EMFILE:
                    break  # nobody is there, nobody answers, or nobody fits in: asking on would not help
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            start = number * self.order.size * 7 % self.period
            caller = self.callers[sock.fileno()] = Caller(sock, number, start)
            self.poller.add(caller.fd)
            say(self, caller, monotonic(), 1)
        self._until_silent(until)
        return len(self.callers)

    def listen_to(self, descriptor: int) -> None:
        """Stop as soon as there is something to read here."""
        self.stop_at = descriptor
        self.poller.add(descriptor)

    def run(self, order: Order, tell: Callable[[int], None]) -> Report:
        """Send and hear until the time is over. `tell` is called now and then with how many came back."""
        report, self.messages, self.latencies, self.spun = self.report, 0, Histogram(), 0.0
        for number, caller in enumerate(self.callers.values()):
            caller.next_due, caller.due = number, 0
        began, busy = monotonic(), process_time()
        end = began + order.seconds
        if order.rate is None:
            last = flat_out(self, end, tell)
        else:
            last = by_the_clock(self, began, end, 1 / order.rate, tell)
            report.behind = sum(caller.due for caller in self.callers.values())
        report.interrupted = self.stopped
        # It spins by the clock of the wall: what it lost of that to others is in `spun`, and was no CPU time.
        report.client_cpu = max(process_time() - busy - self.spun, 0.0) / max(monotonic() - began, 1e-9)
        last = max(last, self._until_silent(monotonic() + LAST_ANSWERS))
        report.seconds = last - began
        report.messages, report.latencies = self.messages, self.latencies
        self.report = Report()
        return report

    def _until_silent(self, until: float) -> float:
        """Hear what is still on its way; what has not come by the time `until` is an error.

        Returns when the last message came back; 0 if none did.
        """
        last = 0.0
        while self.owed and not self.stopped:
            before, left = self.messages, until - monotonic()
            found = self.poller.ready(max(left, 0))
            if not found and left <= 0:
                break
            for fd, mask in found:
                hear(self, fd, mask)
            if self.messages > before:
                last = monotonic()
        if self.owed and not self.stopped:
            for caller in [caller for caller in self.callers.values() if caller.in_flight]:
                self._drop(caller, "no answer")
        return last

    # -- what goes wrong -------------------------------------------------------------------------------------

    def unexpected(self, caller: Caller, data: bytes) -> None:
        """Give up a connection on which something else came back than was expected, and say what."""
        if not data:
            self._drop(caller, "closed by the server")
            return
        expected = self.expected[caller.heard : caller.heard + min(len(data), caller.in_flight)]
        same = (one == other for one, other in zip(data, expected, strict=False))
        at = next((at for at, is_same in enumerate(same) if not is_same), len(expected))
        upper = ": it answers in upper case, so say --upper" if data.startswith(expected.upper()) else ""
        self.report.wrong = self.report.wrong or (
            f"{data[at : at + 20]!r} came back where {expected[at : at + 20]!r} was expected{upper}"
            if at < len(expected)
            else f"{data[at : at + 20]!r} came back unasked"
        )
        self._drop(caller, "wrong bytes")

    def failed(self, error: OSError, caller: Caller | None) -> None:
        """Note what the system has said, and give the connection up that it was about."""
        why = (error.strerror or str(error) or type(error).__name__).lower()
        if caller is None:
            self.report.errors[why] += 1
        else:
            self._drop(caller, why)

    def _drop(self, caller: Caller, why: str) -> None:
        """Give a connection up."""
        self.report.errors[why] += 1
        self.owed -= caller.in_flight
        del self.callers[caller.fd]
        self.poller.remove(caller.fd)
        caller.sock.close()


def _connected(address: tuple[str, int], until: float) -> socket.socket:
    """Return a connection that is there by a time; a TimeoutError if it is not."""
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return socket.create_connection(address, left)


def _tape(order: Order) -> tuple[bytes, bytes, int]:
    """Return messages one after the other, the answers to expect, and after how many bytes both begin again.

    They are long enough for the largest slice from any place before that. Lines of random letters, so that one
    byte lost, doubled, swapped or from somebody else's connection is noticed; there is no *b*, hence no boom.
    """
    letters = random.Random(order.size).choices(b"acdefghijklmnopqrstuvwxyz", k=max(TAPE, 2 * order.size))  # noqa: S311
    whole = bytes(letters)
    pieces = [whole[at : at + order.size - 1] for at in range(0, len(whole) - order.size + 1, order.size)]
    once = b"".join(piece + b"\n" for piece in pieces)
    longest = max(MOST_RECEIVED, order.pipelining * order.size)
    tape = once * (1 + -(-longest // len(once)))
    return tape, tape.upper() if order.upper else tape, len(once)


def _tell(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _orders(client: Client) -> Iterator[Order]:
    """Yield the orders that come, until whoever gives them has had enough. Then the client is `stopped`."""
    unread = b""
    while not client.stopped:
        while b"\n" not in unread:
            more = os.read(0, 10_000)
            if not more:
                return
            unread += more
        line, _, unread = unread.partition(b"\n")
        is_order = line.startswith(GO)
        client.stopped = bool(unread) or not is_order
        yield Order.from_dict(json.loads(line.removeprefix(GO))) if is_order else client.order


def main() -> int:
    """Carry out the order on the command line, and those that come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    client = Client(Order.from_dict(json.loads(sys.argv[1])))
    try:
        _tell(ready=client.connect())
        client.listen_to(0)
        gc.freeze()
        for order in _orders(client):
            _tell(report=client.run(order, lambda messages: _tell(messages=messages)).as_dict())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
