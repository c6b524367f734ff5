"""The `polling` server: sockets that do not block, asked again and again.

Nothing here waits. Every call that finds nothing raises `BlockingIOError`, that is ignored, and the loop begins anew:
every client is served, and one core is at 100 %, whether anybody says anything or not. That is the lesson (A4), and
why a selector is worth having; so it runs on a thread of its own, and only while somebody wants to see it.

What is promised:

* Nothing is lost to a `BlockingIOError`: what was read is answered, what a socket does not take is kept and sent later.
* Until it is sent, nothing more is read from that peer: at most one read (`RECEIVE_SIZE`) is held for it.
* Who closes, resets or raises is gone by the next turn.
* When no descriptor is left it rests from accepting for `ACCEPT_RETRY` seconds, and serves those who are in.
"""

import socket
from time import monotonic

from ..conversation import Boom
from .base import RECEIVE_SIZE
from .books import ACCEPT_RETRY
from .outcomes import Idle
from .threads import Guest, ThreadServer


class PollingServer(ThreadServer):
    """Does not wait: it asks again."""

    name = "polling"
    waits_by = "spins, own thread"

    def _run(self, listener: socket.socket) -> None:
        self._accept_again_at = 0.0
        while self._accepting or self._present:
            if self._stopping:
                return
            self._look_for_somebody_new(listener)
            for guest in [*self._present]:
                self._look_at(guest)
            self._count_busy()

    def _look_for_somebody_new(self, listener: socket.socket) -> None:
        if not self._accepting:
            listener.close()
        elif self._accept_again_at <= monotonic():
            try:
                guest = self._accept(listener)
                if guest is not None:
                    guest.sock.setblocking(False)
            except BlockingIOError:
                pass  # nobody: ask again in the next turn
            except OSError:
                self._accept_again_at = monotonic() + ACCEPT_RETRY

    def _look_at(self, guest: Guest) -> None:
        try:
            self._look_for_something_new(guest)
        except BlockingIOError:
            self._end_if_idle(guest)  # nothing, or no room: ask again in the next turn
        except Exception as error:  # noqa: BLE001 - whatever a handler raises ends its connection, and is told
            self._part(guest, error)

    def _look_for_something_new(self, guest: Guest) -> None:
        if guest.interrupt is not None:
            raise guest.interrupt
        if not guest.unsent:
            data = guest.sock.recv(RECEIVE_SIZE)
            if not data:
                self._part(guest, None)
                return
            self._note_received(guest, data)
            guest.unsent = memoryview(guest.conversation.receive(data))
        if guest.unsent:
            self._send(guest)
        if guest.conversation.boomed and not guest.unsent:
            raise Boom

    def _send(self, guest: Guest) -> None:
        try:
            size = guest.sock.send(guest.unsent)
        except BlockingIOError:
            guest.connection.unsent = len(guest.unsent)
            raise
        guest.unsent = guest.unsent[size:]
        self._note_sent(guest, size, len(guest.unsent))

    def _end_if_idle(self, guest: Guest) -> None:
        limit = self.desk.settings.idle_timeout
        if limit is not None:
            connection = guest.connection
            if (connection.last_in_at or connection.opened_at) + limit <= monotonic():
                self._part(guest, Idle(limit))
