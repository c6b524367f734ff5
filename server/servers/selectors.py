"""The `selectors` server: a hand-written event loop, whole, that is a guest on the app's loop.

It has its own selector, its own registrations and its own deadlines, and goes through the five steps of every
event loop in `SelectorsServer._turns`. Only the waiting itself is somebody else's: see ``hosting.py``.

What is promised:

* A write that the socket takes only in part is finished when the socket is writable again; until then nothing more
  is read from that peer. So at most one read (`RECEIVE_SIZE`) is held in memory for a peer that does not read.
* A peer that closes, or resets, is unregistered at once. A handler that raises ends its own connection only.
* When no descriptor is left the listener rests for `ACCEPT_RETRY` seconds; those who are in are served meanwhile.
"""

import functools
import heapq
import itertools
import math
import selectors
import socket
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic, perf_counter
from typing import Protocol

from .. import events
from ..conversation import Boom, Conversation
from ..faults.gate import Gate
from ..faults.link import Link
from ..faults.steps import Send, Wait
from ..records import Connection, ConnectionState, ServerState
from .base import ACCEPT_RETRY, RECEIVE_SIZE, Desk, EchoServer, Idle, Interrupt, outcome_of
from .hosting import Host, Ready, Turns, host_for

#: How many connections are accepted in one turn, so that a flood of new ones does not starve the old ones.
ACCEPT_BATCH = 64


#: A deadline that is due at once makes a select that waits for nothing. From how many seconds on it counts as a wait.
_WORTH_TELLING = 0.001


class _Handler(Protocol):
    """Somebody who is told that their socket is ready, that they failed, or that their deadline has come."""

    sock: socket.socket

    def on_ready(self) -> None: ...
    def on_failed(self, error: Exception) -> None: ...
    def on_deadline(self) -> None: ...


class SelectorsServer(EchoServer):
    """Waits by ``select(timeout)``; the five steps are in `_turns`."""

    name = "selectors"
    waits_by = "select(timeout)"

    def __init__(
        self, desk: Desk, selector_factory: Callable[[], selectors.BaseSelector] = selectors.DefaultSelector
    ) -> None:
        super().__init__(desk)
        self.record.waits_by = f"select({desk.settings.select_timeout:g})"
        self.record.select_timeouts = self._empty_selects = 0
        self.record.busy = self._busy = 0.0
        self.now = monotonic()
        """The time of this turn: read once, good enough for everything that happens in it."""
        self._selector_factory = selector_factory
        self._ready: list[_Handler] = []
        self._new: list[_Handler] = []
        self._deadlines: list[tuple[float, int, _Handler]] = []
        self._talks: dict[int, _Talk] = {}
        self._order = itertools.count()

    # -- the loop -------------------------------------------------------------------------------------------

    def _turns(self) -> Turns:
        """The event loop: one turn after the other, until the server ends it."""
        busy_since = perf_counter()
        while True:
            self._run_ready()  # 1. run what is ready
            self._register_new()  # 2. register new sockets
            timeout = self._calculate_timeout()  # 3. calculate the timeout
            self._busy += perf_counter() - busy_since
            self.record.busy = self._busy
            ready = yield timeout  # 4. select: our host waits, and tells what it found
            busy_since = perf_counter()
            self._turn_into_ready(ready)  # 5. turn events into what is ready

    def _run_ready(self) -> None:
        ready, self._ready = self._ready, []
        for handler in ready:
            try:
                handler.on_ready()
            except Exception as error:  # noqa: BLE001 - a handler's failure ends its connection, not the loop
                handler.on_failed(error)

    def _register_new(self) -> None:
        for handler in self._new:
            if handler.sock.fileno() != -1:  # it may have been closed since
                self.selector.register(handler.sock, EVENT_READ, handler)
        self._new.clear()

    def _calculate_timeout(self) -> float:
        self.now = monotonic()
        while self._deadlines and self._deadlines[0][0] <= self.now:
            heapq.heappop(self._deadlines)[2].on_deadline()
        if self._ready or self._new:
            return 0
        longest = self.desk.settings.select_timeout
        return min(longest, self._deadlines[0][0] - self.now) if self._deadlines else longest

    def _turn_into_ready(self, ready: Ready | None) -> None:
        asked_at, self.now = self.now, monotonic()
        journal = self.desk.journal
        if ready:
            self._ready += [key.data for key, _ in ready]
            if journal.details_open:
                journal.record(events.Selected(self.name, len(ready), self.now - asked_at, _what(ready[0])))
            else:
                journal.details_skipped += 1
        elif ready is not None and self.now - asked_at > _WORTH_TELLING:
            self._empty_selects += 1
            self.record.select_timeouts = self._empty_selects
            if journal.details_open:
                journal.record(events.SelectTimeout(self.name, self.now - asked_at))
            else:
                journal.details_skipped += 1

    def call_at(self, when: float, handler: _Handler) -> None:
        """Tell this handler when its deadline has come. `when` is by the clock of `now`."""
        heapq.heappush(self._deadlines, (when, next(self._order), handler))

    # -- what EchoServer asks for ---------------------------------------------------------------------------

    def _serve(self, listener: socket.socket) -> None:
        self.selector = self._selector_factory()
        self.on_gate = self._wake_listener
        self._ready.clear()
        self._deadlines.clear()
        self._listener = _Listener(self, listener)
        self._new.append(self._listener)
        self._host: Host = host_for(self._turns(), self.selector)
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

    def _interrupt(self, handler: "_Listener | _Talk", error: Exception) -> None:
        handler.interrupt = error
        self.look_at(handler)

    def look_at(self, handler: _Handler) -> None:
        """Let this handler have its turn soon, although its socket is not ready."""
        self._ready.append(handler)
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
            talk = self._talks[connection.id] = _Talk(self, sock, connection)
            self._new.append(talk)
            if self.desk.settings.idle_timeout is not None:
                self.call_at(self.now + self.desk.settings.idle_timeout, talk)

    def part(self, connection: Connection, outcome: str) -> None:
        """Close a connection whose handler has ended."""
        sock = self._talks.pop(connection.id).sock
        if sock in self.selector.get_map():
            self.selector.unregister(sock)
        self.close(connection, outcome)

    def register_soon(self, handler: _Handler) -> None:
        """Register this handler's socket in the next step 2."""
        self._new.append(handler)


class _Listener:
    """Accepts. READ readiness of a listening socket means that somebody waits to be accepted."""

    def __init__(self, server: SelectorsServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.interrupt: Exception | None = None
        self._rests = self._has_rested = False

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
        self.server.call_at(self.server.now + seconds, self)

    def on_deadline(self) -> None:
        """It has rested, or need not rest any more. No error if it does not rest."""
        if self._rests and self.interrupt is None:
            self._rests = False
            self.server.register_soon(self)

    def close(self) -> None:
        if self.sock.fileno() != -1:
            if self.sock in self.server.selector.get_map():
                self.server.selector.unregister(self.sock)
            self.sock.close()


class _Talk:
    """Holds the conversation with one peer."""

    __slots__ = ("connection", "conversation", "interrupt", "rests_until", "server", "sock", "unsent")

    def __init__(self, server: SelectorsServer, sock: socket.socket, connection: Connection) -> None:
        self.server = server
        self.sock = sock
        self.connection = connection
        self.conversation = Conversation()
        self.unsent: memoryview | None = None
        self.interrupt: Exception | None = None
        self.rests_until: float | None = None
        """Until when a fault lets it do nothing; it is not registered meanwhile. None while it does not rest."""

    def on_ready(self) -> None:
        if self.interrupt is not None:
            raise self.interrupt
        link = self.connection.link
        if link is not None:
            self._follow(link)
        elif self.unsent is None:
            self._receive()
        else:
            self._send(self.unsent)
        if self.conversation.boomed and self.unsent is None and self.rests_until is None:
            raise Boom

    def _receive(self) -> None:
        server, connection = self.server, self.connection
        try:
            data = self.sock.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return
        if not data:
            server.part(connection, server.half_closed(connection))
            return
        server.received(connection, data)
        answer = self.conversation.receive(data)
        if answer:
            if connection.link is None:
                self._send(answer)
            else:
                connection.link.answer(answer)

    def _follow(self, link: Link) -> None:
        """Do what the faults of this connection want, step by step; read when there is no step left."""
        if self.connection.state is not ConnectionState.OPEN:
            return  # it was ready twice in one turn, and ended the first time
        if self.unsent is not None:
            self._send(self.unsent)
        if self._has_followed(link):
            if not self.conversation.boomed:
                self._receive()
            if self.connection.state is ConnectionState.OPEN:
                self._has_followed(link)

    def _has_followed(self, link: Link) -> bool:
        """Do the steps that can be done now; return whether none is left."""
        while self.unsent is None:
            step = link.next(self.server.now)
            if isinstance(step, Wait):
                self._rest(link, step.seconds)
                return False
            self._rest_no_more(link)
            match step:
                case None:
                    if link.over:
                        self.connection.link = None
                    return True
                case Send(data):
                    self._send(data)
                case _:
                    self.server.obey(self.connection, step)
        return False

    def _rest(self, link: Link, seconds: float | None) -> None:
        until = math.inf if seconds is None else self.server.now + seconds
        if self.rests_until is None:
            self.server.selector.unregister(self.sock)
            link.on_change = functools.partial(self.server.look_at, self)
        if seconds is not None and (self.rests_until is None or self.rests_until != until):
            self.server.call_at(until, _Alarm(self))
        self.rests_until = until

    def _rest_no_more(self, link: Link) -> None:
        if self.rests_until is not None:
            self.rests_until = link.on_change = None
            self.server.selector.register(self.sock, EVENT_READ, self)

    def _send(self, answer: bytes | memoryview) -> None:
        server, connection = self.server, self.connection
        try:
            sent = self.sock.send(answer)
        except BlockingIOError:
            sent = 0
        unsent = len(answer) - sent
        server.sent(connection, sent, unsent)
        if unsent:
            if self.unsent is None:
                server.selector.modify(self.sock, EVENT_WRITE, self)
            self.unsent = memoryview(answer)[sent:]
        elif self.unsent is not None:
            self.unsent = None
            server.selector.modify(self.sock, EVENT_READ, self)

    def on_failed(self, error: Exception) -> None:
        server, connection = self.server, self.connection
        if connection.state is not ConnectionState.OPEN:
            return  # it was ready twice in one turn, and ended the first time
        outcome = outcome_of(error)
        if not isinstance(error, Interrupt | OSError):
            server.handler_failed(connection, error, outcome)
        server.part(connection, outcome)

    def on_deadline(self) -> None:
        limit = self.server.desk.settings.idle_timeout
        if limit is None or self.connection.state is not ConnectionState.OPEN:
            return
        due = (self.connection.last_in_at or self.connection.opened_at) + limit
        if due > self.server.now:
            self.server.call_at(due, self)  # it has spoken since: this is when it may be idle at the earliest
        else:
            self.server.idle(self.connection, limit)
            self.on_failed(Idle(limit))


class _Alarm:
    """Wakes a talk that rests, when it has rested long enough."""

    def __init__(self, talk: _Talk) -> None:
        self.sock = talk.sock
        self._talk = talk

    def on_deadline(self) -> None:
        if self._talk.connection.state is ConnectionState.OPEN:
            self._talk.server.look_at(self._talk)

    def on_ready(self) -> None:
        """Do nothing: it is not registered."""

    def on_failed(self, error: Exception) -> None:
        """Do nothing: it does not fail."""


def _what(ready: tuple[selectors.SelectorKey, int]) -> str:
    key, mask = ready
    whose = "listener" if isinstance(key.data, _Listener) else f"connection {key.data.connection.id}"
    wants = " and ".join(word for bit, word in ((EVENT_READ, "read"), (EVENT_WRITE, "write")) if mask & bit)
    return f"fd {key.fd} {wants} ({whose})"
