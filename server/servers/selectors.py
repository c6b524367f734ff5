"""The `selectors` server: a hand-written event loop, whole, that is a guest on the app's loop.

The loop is in ``five_steps.py``, what it does for each peer in ``talk.py``. Only the waiting itself is somebody else's:
see ``hosting.py``. Here is who accepts, and what the other servers are asked for as well.

What is promised:

* A write that the socket takes only in part is finished when the socket is writable again; until then nothing more
  is read from that peer. So at most one read (`RECEIVE_SIZE`) is held in memory for a peer that does not read.
* A peer that closes, or resets, is unregistered at once. A handler that raises ends its own connection only.
* When no descriptor is left the listener rests for `ACCEPT_RETRY` seconds; those who are in are served meanwhile.
"""

import selectors
import socket
from collections.abc import Callable

from ..faults.gate import Gate
from ..observe.selecting import new_selector
from ..records import Connection, ServerState
from .base import EchoServer
from .books import ACCEPT_BATCH, ACCEPT_RETRY, Desk
from .five_steps import FiveSteps, Handler
from .hosting import Host, host_for
from .outcomes import Interrupt
from .talk import Talk


class SelectorsServer(EchoServer):
    """Waits by ``select(timeout)``, in a loop of its own: `FiveSteps`."""

    name = "selectors"
    waits_by = "select(timeout)"

    def __init__(self, desk: Desk, selector_factory: Callable[[], selectors.BaseSelector] = new_selector) -> None:
        super().__init__(desk)
        longest = desk.settings.select_timeout
        self.record.waits_by = f"select({longest:g})"
        self.record.select_timeouts = 0
        self.record.busy = 0.0
        self.steps = FiveSteps(self.name, desk.journal, longest, self._came_back_empty)
        self._selector_factory = selector_factory
        self._talks: dict[int, Talk] = {}

    def _came_back_empty(self) -> None:
        self.record.select_timeouts = (self.record.select_timeouts or 0) + 1

    def count_busy(self) -> None:
        self.record.busy = self.steps.busy

    # -- what EchoServer asks for ---------------------------------------------------------------------------

    def _serve(self, listener: socket.socket) -> None:
        self.selector = self._selector_factory()
        self.on_gate = self._wake_listener
        turns = self.steps.begin(self.selector)
        self._listener = _Listener(self, listener)
        self.steps.register_soon(self._listener)
        self._host: Host = host_for(turns, self.selector)
        self._host.start()

    def _wake_listener(self) -> None:
        """The gate has changed: the listener needs to rest no more, or in another way."""
        if self.record.state is ServerState.SERVING:
            self._listener.on_deadline()
            self._host.wake()

    def _close_listener(self) -> None:
        self._interrupt(self._listener, Interrupt("stop accepting"))

    def boom(self, connection: Connection, error: Exception) -> None:
        self._interrupt(self._talks[connection.id], error)

    def interrupt(self, connection: Connection, why: str) -> None:
        self._interrupt(self._talks[connection.id], Interrupt(why))

    def _interrupt(self, handler: "_Listener | Talk", error: Exception) -> None:
        handler.interrupt = error
        self.look_at(handler)

    def look_at(self, handler: Handler) -> None:
        """Let this handler have its turn soon, although its socket is not ready."""
        self.steps.look_at(handler)
        self._host.wake()

    async def _stop_serving(self) -> None:
        self._host.stop()
        self._listener.close()
        self.selector.close()

    # -- what its handlers tell it --------------------------------------------------------------------------

    def welcome(self, sock: socket.socket) -> None:
        """Take in an accepted socket: register it in this turn's step 2."""
        connection = self.take_in(sock)
        if connection is not None:
            talk = self._talks[connection.id] = Talk(self, sock, connection)
            self.steps.register_soon(talk)
            if self.desk.settings.idle_timeout is not None:
                self.steps.call_at(self.steps.now + self.desk.settings.idle_timeout, talk)

    def part(self, connection: Connection, outcome: str) -> None:
        """Close a connection whose handler has ended."""
        sock = self._talks.pop(connection.id).sock
        if sock in self.selector.get_map():
            self.selector.unregister(sock)
        self.close(connection, outcome)


class _Listener:
    """Accepts. READ readiness of a listening socket means that somebody waits to be accepted."""

    def __init__(self, server: SelectorsServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.interrupt: Exception | None = None
        self._rests = self._has_rested = False

    @property
    def whose(self) -> str:
        """Whose socket it is, for people."""
        return "listener"

    def on_ready(self) -> None:
        if self.interrupt is not None:
            raise self.interrupt
        gate = self.server.gate
        if gate is not None and self._has_to_rest(gate):
            return
        for _ in range(ACCEPT_BATCH if gate is None else 1):
            try:
                sock, _ = self.sock.accept()
            except BlockingIOError:
                return
            self.server.welcome(sock)

    def on_failed(self, error: Exception) -> None:
        server = self.server
        if error is self.interrupt:
            self.close()
        elif isinstance(error, OSError) and server.cannot_accept(error):
            # Whoever waits stays in the system's queue and keeps the socket ready: rest, or spin.
            self._rest(ACCEPT_RETRY)

    def _has_to_rest(self, gate: Gate) -> bool:
        """Whether a fault lets the listener rest before it accepts whoever waits."""
        if self._has_rested:
            self._has_rested = False
            return False
        seconds, tell = gate.rest()
        if seconds:
            self._has_rested = True
            tell()
            self._rest(seconds)
        return self._has_rested

    def _rest(self, seconds: float) -> None:
        self._rests = True
        self.server.selector.unregister(self.sock)
        self.server.steps.call_at(self.server.steps.now + seconds, self)

    def on_deadline(self) -> None:
        """It has rested, or need not rest any more. No error if it does not rest."""
        if self._rests and self.interrupt is None:
            self._rests = False
            self.server.steps.register_soon(self)

    def close(self) -> None:
        if self.sock.fileno() != -1:
            if self.sock in self.server.selector.get_map():
                self.server.selector.unregister(self.sock)
            self.sock.close()
