"""A traffic client: one process, many connections, one epoll. ``python -m echotui.server.bench.worker ORDER``.

It runs in a process of its own, so that it is never on the loop that is looked at; and it is as cheap as Python
gets, so that it is not what is measured: sockets, one epoll (or kqueue), a tape of messages cut beforehand.

It talks to whoever started it in lines of JSON: first how many connections are *ready* (each has got one answer),
then, after the line ``go``, how many *messages* came back so far, and at the end its *report*. It stops by itself;
the line ``stop``, or the end of its input, stops it sooner.

With a rate it sends by the clock, however the server copes (open loop), and a latency counts from the moment a
message was *due*. A client that waited for the server, and counted from when it got around to sending, would leave
out just the messages that suffer (coordinated omission).
"""

import contextlib
import errno
import gc
import json
import os
import random
import select
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns, process_time

from .order import Order, Report

#: How many bytes one read asks for.
READ = 64 * 1024

#: How long connecting, and the first answer, may take, in seconds; and how long the last answers.
PATIENCE = 10.0
LAST_ANSWERS = 5.0

#: How many different bytes of messages there are at least, before they repeat.
TAPE = 16 * 1024

#: Seconds between two reports of how far it is.
TELL_EVERY = 0.25

_IN, _OUT = 1, 4  # EPOLLIN and EPOLLOUT


class Poller:
    """Which descriptors are ready, by epoll or kqueue and without the bookkeeping of ``selectors``."""

    def __init__(self) -> None:
        if sys.platform == "linux":
            epoll = select.epoll()
            self.ready: Callable[[], list[tuple[int, int]]] = lambda: epoll.poll(0)
            self._modify: Callable[[int, int], object] = epoll.modify
            self.add: Callable[[int], object] = lambda fd: epoll.register(fd, _IN)
            self.remove: Callable[[int], object] = epoll.unregister
            self._descriptor = epoll
        else:  # pragma: no cover - looked at on macOS
            kqueue = select.kqueue()

            def change(fd: int, kind: int, action: int) -> None:
                kqueue.control([select.kevent(fd, kind, action)], 0)

            def ready() -> list[tuple[int, int]]:
                found = kqueue.control(None, 1024, 0)
                return [(event.ident, _OUT if event.filter == select.KQ_FILTER_WRITE else _IN) for event in found]

            def modify(fd: int, wanted: int) -> None:
                with contextlib.suppress(FileNotFoundError):
                    change(fd, select.KQ_FILTER_WRITE, select.KQ_EV_ADD if wanted & _OUT else select.KQ_EV_DELETE)

            self.ready = ready
            self._modify = modify
            self.add = lambda fd: change(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD)
            self.remove = lambda fd: change(fd, select.KQ_FILTER_READ, select.KQ_EV_DELETE)
            self._descriptor = kqueue

    def want_room(self, fd: int, wanted: bool) -> None:  # noqa: FBT001 - read aloud it is clear
        """Say whether this descriptor is also ready when it can be written to."""
        self._modify(fd, _IN | _OUT if wanted else _IN)

    def wait(self, seconds: float) -> None:
        """Return when something is ready, or after this long. epoll itself knows only whole milliseconds."""
        select.select([self._descriptor], [], [], seconds)


class Caller:
    """One connection, and what is on its way on it."""

    __slots__ = ("due", "fd", "heard", "in_flight", "left", "next_due", "recv", "said", "send", "sent_at", "sock")

    def __init__(self, sock: socket.socket, number: int, start: int) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.recv = sock.recv
        self.send = sock.send
        self.said = self.heard = start
        """Where on the tape the next bytes to be sent, and to be heard, stand."""
        self.left = 0
        """Bytes that should be sent and have not been taken by the socket."""
        self.in_flight = 0
        """Bytes that have not come back, those that are not sent yet included."""
        self.sent_at: deque[int] = deque()
        """When each message on its way was due, or sent."""
        self.next_due = number
        """With a rate: the number of its next message, of all messages of all callers."""
        self.due = 0
        """With a rate: how many messages are due, but have to wait for answers."""


class Client:
    """Carries out one order."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.report = Report()
        self._poller = Poller()
        self._callers: dict[int, Caller] = {}
        self._in_order: list[Caller] = []
        self._tape, self._expected, self._period = _tape(order)
        self._stopped = False
        self._owed = 0
        """Bytes that have not come back on any connection."""

    # -- before and after ------------------------------------------------------------------------------------

    def connect(self) -> int:
        """Open the connections, and let each say one message. Returns on how many it came back."""
        for number in range(self.order.connections):
            try:
                sock = socket.create_connection(self.order.address, PATIENCE)
            except OSError as error:
                self._failed(error)
                if isinstance(error, ConnectionRefusedError) or error.errno == errno.EMFILE:
                    break  # nobody is there, or nobody fits in: asking on would not help
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            start = number * self.order.size * 7 % self._period
            caller = self._callers[sock.fileno()] = Caller(sock, number, start)
            self._poller.add(caller.fd)
            self._say(caller, perf_counter_ns(), 1)
        self._until_silent(PATIENCE)
        self.report.messages = 0
        self.report.latencies.counts.clear()
        self._in_order = list(self._callers.values())
        for number, caller in enumerate(self._in_order):
            caller.next_due = number
        return len(self._callers)

    def listen_to(self, descriptor: int) -> None:
        """Stop as soon as there is something to read here."""
        self._poller.add(descriptor)

    def run(self, tell: Callable[[int], None]) -> Report:
        """Send and hear until the time is over. `tell` is called now and then with how many came back."""
        began, busy = perf_counter_ns(), process_time()
        end = began + round(self.order.seconds * 1e9)
        if self.order.rate is None:
            for caller in list(self._callers.values()):
                self._say(caller, perf_counter_ns(), self.order.pipelining)
            last = self._flat_out(end, tell)
        else:
            last = self._by_the_clock(began, end, 1e9 / self.order.rate, tell)
            self.report.behind = sum(caller.due for caller in self._callers.values())
        self.report.interrupted = self._stopped
        self.report.client_cpu = (process_time() - busy) * 1e9 / max(perf_counter_ns() - began, 1)
        last = max(last, self._until_silent(0 if self._stopped else LAST_ANSWERS))
        self.report.seconds = (last - began) / 1e9
        for caller in list(self._callers.values()):
            caller.sock.close()
        return self.report

    def _until_silent(self, patience: float) -> int:
        """Hear what is still on its way; what does not come within `patience` is an error.

        Returns when the last message came back; 0 if none did.
        """
        until, last = perf_counter_ns() + round(patience * 1e9), 0
        while self._owed and not self._stopped and (left := until - perf_counter_ns()) > 0:
            self._poller.wait(left / 1e9)
            before = self.report.messages
            for fd, mask in self._poller.ready():
                self._ready(fd, mask)
            if self.report.messages > before:
                last = perf_counter_ns()
        if self._owed and not self._stopped:
            for caller in [caller for caller in self._callers.values() if caller.in_flight]:
                self._drop(caller, "no answer")
        return last

    # -- the two ways to send --------------------------------------------------------------------------------

    def _flat_out(self, end: int, tell: Callable[[int], None]) -> int:
        """Answer every answer with the next message."""
        ready, poller, pipelining = self._ready, self._poller, self.order.pipelining
        tell_at = now = perf_counter_ns()
        while now < end and self._callers and not self._stopped:
            found = poller.ready()
            if not found:
                poller.wait(min(TELL_EVERY, (end - now) / 1e9))
            for fd, mask in found:
                caller = ready(fd, mask)
                if caller is not None and (room := pipelining - len(caller.sent_at)):
                    self._say(caller, perf_counter_ns(), room)
            now = perf_counter_ns()
            if now >= tell_at:
                tell(self.report.messages)
                tell_at = now + round(TELL_EVERY * 1e9)
        return now

    def _by_the_clock(self, began: int, end: int, interval: float, tell: Callable[[int], None]) -> int:
        """Send each message when it is due, as far as pipelining allows; the others wait, and their clock runs."""
        ready, poller, everybody, most = self._ready, self._poller, self._in_order, self.order.pipelining
        number, tell_at, now = 0, began, perf_counter_ns()
        while now < end and self._callers and not self._stopped:
            due = int((now - began) / interval)
            while number <= due:
                caller = everybody[number % len(everybody)]
                if caller.fd in self._callers:
                    if caller.due or len(caller.sent_at) >= most:
                        caller.due += 1
                    else:
                        caller.next_due += len(everybody)
                        self._say(caller, began + round(number * interval), 1)
                number += 1
            found = poller.ready()
            if not found:
                poller.wait(max(min(TELL_EVERY, (began + number * interval - perf_counter_ns()) / 1e9), 0))
            for fd, mask in found:
                answered = ready(fd, mask)
                while answered is not None and answered.due and len(answered.sent_at) < most:
                    answered.due -= 1
                    self._say(answered, began + round(answered.next_due * interval), 1)
                    answered.next_due += len(everybody)
            now = perf_counter_ns()
            if now >= tell_at:
                tell(self.report.messages)
                tell_at = now + round(TELL_EVERY * 1e9)
        return now

    # -- one connection --------------------------------------------------------------------------------------

    def _say(self, caller: Caller, when: int, messages: int) -> None:
        """Send the next messages; `when` is what their latency counts from."""
        size = messages * self.order.size
        for _ in range(messages):
            caller.sent_at.append(when)
        caller.in_flight += size
        self._owed += size
        waits = caller.left > 0
        caller.left += size
        if not waits:
            self._send(caller)

    def _send(self, caller: Caller) -> None:
        """Give the socket what it takes of what is left; the rest waits for room."""
        at, left = caller.said, caller.left
        try:
            sent = caller.send(self._tape[at : at + left])
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._failed(error, caller)
            return
        at += sent
        caller.said = at if at < self._period else at % self._period
        caller.left = left - sent
        if caller.left:
            self._poller.want_room(caller.fd, True)

    def _ready(self, fd: int, mask: int) -> Caller | None:
        """Hear what has come on a connection. Returns whose it is; None if it is no more."""
        caller = self._callers.get(fd)
        if caller is None:
            self._stopped = True  # not a connection, but whoever started us
            return None
        if mask & _OUT:
            self._poller.want_room(fd, False)
            self._send(caller)
            if fd not in self._callers:
                return None
        try:
            data = caller.recv(READ)
        except BlockingIOError:
            return caller
        except OSError as error:
            self._failed(error, caller)
            return None
        now = perf_counter_ns()
        at, size = caller.heard, len(data)
        if size > caller.in_flight or not size or data != self._expected[at : at + size]:
            self._unexpected(caller, data)
            return None
        at += size
        caller.heard = at if at < self._period else at % self._period
        self._owed -= size
        left = caller.in_flight = caller.in_flight - size
        waiting = -(-left // self.order.size)
        sent_at, report = caller.sent_at, self.report
        while len(sent_at) > waiting:
            report.latencies.record(now - sent_at.popleft())
            report.messages += 1
        return caller

    # -- what goes wrong -------------------------------------------------------------------------------------

    def _unexpected(self, caller: Caller, data: bytes) -> None:
        if not data:
            self._drop(caller, "closed by the server")
            return
        expected = self._expected[caller.heard : caller.heard + min(len(data), caller.in_flight)]
        same = (one == other for one, other in zip(data, expected, strict=False))
        at = next((at for at, is_same in enumerate(same) if not is_same), len(expected))
        upper = ": it answers in upper case, so say --upper" if data.startswith(expected.upper()) else ""
        self.report.wrong = self.report.wrong or (
            f"{data[at : at + 20]!r} came back where {expected[at : at + 20]!r} was expected{upper}"
            if at < len(expected)
            else f"{data[at : at + 20]!r} came back unasked"
        )
        self._drop(caller, "wrong bytes")

    def _failed(self, error: OSError, caller: Caller | None = None) -> None:
        why = (error.strerror or str(error) or type(error).__name__).lower()
        if caller is None:
            self.report.errors[why] += 1
        else:
            self._drop(caller, why)

    def _drop(self, caller: Caller, why: str) -> None:
        """Give a connection up."""
        self.report.errors[why] += 1
        self._owed -= caller.in_flight
        del self._callers[caller.fd]
        self._poller.remove(caller.fd)
        caller.sock.close()


def _tape(order: Order) -> tuple[bytes, bytes, int]:
    """Return messages one after the other, the answers to expect, and after how many bytes both begin again.

    They are long enough for the largest slice from any place before that. Lines of random letters, so that one
    byte lost, doubled, swapped or from somebody else's connection is noticed; there is no *b*, hence no boom.
    """
    letters = random.Random(order.size).choices(b"acdefghijklmnopqrstuvwxyz", k=max(TAPE, 2 * order.size))  # noqa: S311
    whole = bytes(letters)
    pieces = [whole[at : at + order.size - 1] for at in range(0, len(whole) - order.size + 1, order.size)]
    once = b"".join(piece + b"\n" for piece in pieces)
    longest = max(READ, order.pipelining * order.size)
    tape = once * (1 + -(-longest // len(once)))
    return tape, tape.upper() if order.upper else tape, len(once)


def _tell(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Carry out the order on the command line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    client = Client(Order.from_dict(json.loads(sys.argv[1])))
    try:
        _tell(ready=client.connect())
        if os.read(0, 100).startswith(b"go"):
            client.listen_to(0)
            gc.freeze()
            client.run(lambda messages: _tell(messages=messages))
        _tell(report=client.report.as_dict())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
