"""The `blocking` server: ``accept``, ``recv`` and ``sendall`` that block, one client after the other.

While it waits for one client it waits for nothing else: a second client is connected, by the system, and gets
nothing until the first one has closed (A3). That is the lesson; what it costs the second one is measured
(`Connection.waited`, and `ServerRecord.queued` while it waits). It costs no CPU: a thread that blocks does not run.

It reads `Settings.blocking_receive` bytes at a time and shows each piece, then the line when it is whole (A1), and
sends that back (A2). After `Settings.blocking_clients` clients it is done, and stops by itself.

What is promised:

* A line is answered when it has ended, and what has no end when the peer closes is answered then.
* A line of more than `LONGEST_LINE` bytes is not answered: the event says so, and the connection is closed.
* It ends at once when it is asked to, although it blocks: see `_wake` and `_wake_from_accept`.
"""

import contextlib
import functools
import socket
import threading
from collections.abc import Mapping
from typing import ClassVar

from .. import events
from ..conversation import Boom, Lines
from ..counting import DETAIL_KEPT
from .books import ACCEPT_RETRY, Desk
from .outcomes import Idle
from .threads import Guest, ThreadServer


class BlockingServer(ThreadServer):
    """Waits by blocking its thread."""

    name = "blocking"
    waits_by = "recv, own thread"
    one_at_a_time = True
    cannot: ClassVar[Mapping[str, str]] = {
        **ThreadServer.cannot,
        "reset": "what wakes its thread has the peer see an end, before a reset could: use another server",
    }

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._asked = threading.Event()

    def _run(self, listener: socket.socket) -> None:
        listener.setblocking(True)
        self._asked.clear()
        clients = self.desk.settings.blocking_clients
        while self._accepting and clients != 0:
            self._count_busy()
            try:
                guest = self._accept(listener)
            except OSError:
                self._asked.wait(ACCEPT_RETRY)  # until there is room again, or we are asked to end
                continue
            if guest is not None:
                clients = None if clients is None else clients - 1
                self._talk(guest)

    def _why_ended(self) -> str:
        clients = self.desk.settings.blocking_clients
        served = "1 client" if clients == 1 else f"{clients} clients"
        return f"done: it has served {served}, and was to serve no more (--blocking-clients)"

    def _talk(self, guest: Guest) -> None:
        """Hold the conversation with one client, whole, however long it takes."""
        guest.sock.setblocking(True)
        error: Exception | None = None
        try:
            self._answer_lines(guest)
        except Exception as failure:  # noqa: BLE001 - whatever a handler raises ends its connection, and is told
            error = failure
        self._part(guest, guest.interrupt or error)

    def _answer_lines(self, guest: Guest) -> None:
        lines = Lines()
        while piece := self._receive(guest):
            self._note_received(guest, piece)
            for line in lines.receive(piece):
                self._post_detail(functools.partial(events.LineWhole, size=len(line), text=line[:DETAIL_KEPT]), guest)
                self._answer(guest, line)
        self._answer(guest, lines.finish())

    def _receive(self, guest: Guest) -> bytes:
        """Return the next piece; it blocks until there is one. Empty: the peer has closed, or we are asked to end."""
        self._count_busy()
        limit = self.desk.settings.idle_timeout
        if limit is not None:
            guest.sock.settimeout(limit)
        try:
            return guest.sock.recv(self.desk.settings.blocking_receive)
        except TimeoutError as error:
            if limit is None or error.errno is not None:
                raise
            raise Idle(limit) from None

    def _answer(self, guest: Guest, line: bytes) -> None:
        answer = guest.conversation.receive(line)
        if answer:
            guest.connection.unsent = len(answer)
            guest.sock.setblocking(True)
            guest.sock.sendall(answer)
            self._note_sent(guest, len(answer), 0)
        if guest.conversation.boomed:
            raise Boom

    # -- how to wake a thread that blocks, from the loop's ----------------------------------------------------

    def _wake(self, guest: Guest) -> None:
        with self._lock, contextlib.suppress(OSError):  # it is closed already, or was never connected
            guest.sock.shutdown(socket.SHUT_RDWR)

    def _wake_from_accept(self) -> None:
        self._asked.set()
        with self._lock:
            if self._listener.fileno() == -1:
                return
            try:
                self._listener.shutdown(socket.SHUT_RDWR)
            except OSError:  # not every system shuts down a socket that only listens
                _knock(self._listener)


def _knock(listener: socket.socket) -> None:
    """Be a client for a moment: that is what an accept always returns for."""
    with socket.socket(listener.family) as sock, contextlib.suppress(OSError):  # its queue may be full of others
        sock.setblocking(False)
        sock.connect(listener.getsockname())
