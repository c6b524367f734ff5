"""What all servers have in common: starting and stopping, the books of their connections, and what faults do to them.

A server decides how to wait, and so how to do the five things that are abstract here: serve, close its listener, let a
handler raise, end a connection, and end whatever else it has. What it has to *tell* goes through the methods here, so
that records, counters and journal agree: `admit` takes a connection into the books, and `leave_open`, `close` and
`close_now` are all that changes its state after that; `received` and `sent` count what is read and written, and tell
of it while somebody looks.
"""

import asyncio
import contextlib
import errno
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import field
from time import monotonic
from typing import ClassVar, cast

from .. import events
from ..conversation import Boom, LineTooLong
from ..counting import Tally
from ..faults.gate import Gate
from ..faults.steps import Close, HalfClose, Reset
from ..journal import Journal
from ..naming import address, beyond_loopback, describe, family_of, why_not_listening
from ..records import Connection, Connections, ConnectionState, ServerRecord, ServerState
from ..settings import Settings, port_of
from ..tcp import TcpInfo, bytes_arrived, bytes_taken, tcp_info, waited_in_queue
from ..value import value

#: How many bytes one read asks for. Larger reads save system calls when a peer sends much at once.
RECEIVE_SIZE = 64 * 1024

#: How many connections the system queues for us while we are busy.
BACKLOG = 1024

#: After how many seconds a server that could not accept tries again.
ACCEPT_RETRY = 1.0

#: How long handlers may take to end once their sockets were shut down under them, in seconds.
GIVE_UP_TIME = 0.15

#: How a connection ends whose handler did not.
GIVEN_UP = "given up: its handler did not end when it was asked to"

#: The errors of `accept` that concern only the peer that was to be accepted: it has gone while it was queued.
PEER_GONE = frozenset({errno.ECONNABORTED, errno.ECONNRESET, errno.EPROTO, errno.EINTR})


#: Closing a socket that lingers for no time at all resets the connection.
_NO_LINGER = struct.pack("ii", 1, 0)


class Interrupt(Exception):
    """What a handler raises because its connection is ended: by the keyboard, the shutdown, a fault, its idle time."""


class Idle(Interrupt):
    """What a handler raises because its peer has said nothing for `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__("idle too long")


class KeyboardBoom(Boom):
    """A boom the person at the keyboard said in the peer's place."""


@value
class Desk:
    """What the servers of one lab share."""

    settings: Settings
    journal: Journal
    connections: Connections
    built_in_peers: set[str]
    """The addresses of the built-in clients, so that their connections can be marked."""
    newcomers: list[Callable[[Connection], None]] = field(default_factory=list)
    """Told of each connection that is taken in, before it is served."""


class EchoServer(ABC):
    """A server that holds the conversation with many peers, and tells the lab's desk what happens.

    Every method is called on the thread of the loop that runs the lab, except where it says otherwise.
    """

    name: ClassVar[str]
    waits_by: ClassVar[str]
    """How it waits, in one short phrase."""
    has_tasks: ClassVar[bool] = False
    """Whether each connection has a task of its own, which can be cancelled, and fail."""
    one_at_a_time: ClassVar[bool] = False
    """Whether whoever comes waits until nobody else is there."""
    cannot: ClassVar[Mapping[str, str]] = {}
    """The faults it cannot have, by name, and why."""
    on_demand: ClassVar[bool] = False
    """Whether it stays stopped until somebody asks for it by its name."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.journal = desk.journal
        settings = desk.settings
        self.record = ServerRecord(self.name, self.waits_by, settings.host, port_of(self.name, settings.port))
        self.tally = tally = Tally(self.record, desk.journal)
        # Each message comes by here.
        self.received = tally.received
        self.sent = tally.sent
        self._cannot_accept = False
        self._given_up: set[int] = set()
        self._late: dict[int, tuple[asyncio.TimerHandle, str]] = {}
        self._gate: Gate | None = None
        self.on_gate: Callable[[], None] = _nothing
        self._none_open = asyncio.Event()
        self._none_open.set()

    # -- what a server does its own way ---------------------------------------------------------------------

    @abstractmethod
    def _serve(self, listener: socket.socket) -> None:
        """Begin to serve the connections that come to this listening socket."""

    @abstractmethod
    def _close_listener(self) -> None:
        """Close the listening socket; go on serving the open connections."""

    @abstractmethod
    def boom(self, connection: Connection, error: Exception) -> None:
        """Let the handler of this connection raise this error, as it raises `Boom` if its peer says boom."""

    @abstractmethod
    def interrupt(self, connection: Connection, why: str) -> None:
        """End this connection from outside: cancel its task, or close it where it has none."""

    @abstractmethod
    async def _stop_serving(self) -> None:
        """End what is not a connection: the listener, the loop of one's own."""

    # -- starting and stopping ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen and serve. Where the port cannot be had the state is FAILED, and `record.why` says why.

        No error if it is serving already.
        """
        record = self.record
        if record.state in (ServerState.SERVING, ServerState.DRAINING):
            return
        port = record.port
        try:
            listener = socket.create_server(
                (record.host, port), family=family_of(record.host), backlog=BACKLOG, reuse_port=False
            )
        except (OSError, OverflowError) as error:
            record.state, record.why = ServerState.FAILED, why_not_listening(error, port)
            self.desk.journal.record(events.ListenFailed(self.name, record.host, port, record.why))
            return
        listener.setblocking(False)
        bound, record.port = listener.getsockname()[:2]
        record.exposed = beyond_loopback(bound)
        record.state, record.why = ServerState.SERVING, ""
        self._serve(listener)
        self.desk.journal.record(events.Listening(self.name, record.host, record.port))

    def stop_accepting(self) -> None:
        """Close the listening socket and go on serving the open connections. No error if it is not serving."""
        if self.record.state is ServerState.SERVING:
            self.record.state = ServerState.DRAINING
            self._close_listener()
            self.desk.journal.record(events.ListenerClosed(self.name, self.record.host, self.record.port))

    async def stop(self) -> None:
        """End whatever still runs, after `stop_accepting`. Connections that are still open are given up."""
        if self._is_draining():
            await self._give_up()
            await self._stop_serving()
            if not self._is_draining():
                return  # somebody else has waited for the same, and was told first
            for connection in self.own:
                self.close_now(connection, GIVEN_UP)
            self.record.state = ServerState.STOPPED
            self.desk.journal.record(events.ServerStopped(self.name))

    async def _give_up(self) -> None:
        """Shut the sockets of the connections that are open still down under their handlers, and see them end."""
        for connection in self.own:
            self.hurry(connection)
        for connection in self.own:
            self._given_up.add(connection.id)
            self.cut_off(connection)
            with contextlib.suppress(OSError):  # it is not connected any more
                socket_of(connection).shutdown(socket.SHUT_RDWR)
            self.end(connection, GIVEN_UP)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_TIME):
                await self.wait_until_none_is_open()
        for connection in self.own:
            self.close_now(connection, GIVEN_UP)
        self._given_up.clear()

    def cut_off(self, connection: Connection) -> None:  # noqa: B027 - most know at any time what was sent
        """Count what was sent of an answer that will not be sent to its end, and expect no more of it."""

    def doing(self, connection: Connection) -> str:
        """Return what an open connection is doing, for people: where it hangs."""
        link = connection.link
        if connection.state is ConnectionState.ENDED:
            return "it has ended, a fault closes it late"
        if connection.state is ConnectionState.LEFT_OPEN:
            return "its handler has failed, and nobody closes its socket"
        if link is not None and link.holding is not None:
            held = f", with {link.held} B of its answers" if link.held else ""
            return f"fault {link.holding} holds it{held}"
        if connection.unsent:
            return f"it has not read {self.owed(connection)} B of its answers"
        info = self.tcp_info(connection)
        if info is not None and info.unread:
            return f"{info.unread} B that it has said were still to be read"
        return "it was waiting for its peer to say something"

    def owed(self, connection: Connection) -> int:
        """Return how many bytes of its answers have not arrived, in its system, of those that were made so far.

        Where the system does not tell, those that it has not taken to send; that is less.
        """
        arrived = bytes_arrived(socket_of(connection))
        late = 0 if arrived is None else connection.bytes_out - arrived
        return max(connection.unsent + late, 0) + connection.held

    def _is_draining(self) -> bool:
        return self.record.state is ServerState.DRAINING

    async def wait_until_none_is_open(self) -> None:
        """Return as soon as no connection of this server is open."""
        await self._none_open.wait()

    def measure(self) -> None:  # noqa: B027 - most have nothing to measure
        """Bring into the record what is measured only now and then: a few times a second."""

    def count_busy(self) -> None:  # noqa: B027 - most know it all the time, or not at all
        """Bring `ServerRecord.busy` up to date: once a second."""

    def answer_to(self, line: bytes) -> bytes:
        """Return what it answers to a whole line that is not boom."""
        return line

    def release(self) -> None:
        """Close the sockets that failed handlers left open, and let go of what was kept from them."""
        for connection in self.own:
            self.release_one(connection, "closed when the server stopped")

    def release_one(self, connection: Connection, why: str) -> None:
        """Close the socket that a failed handler left open, and let go of its task. No error if none did."""
        if connection.state is ConnectionState.LEFT_OPEN:
            self.close_now(connection, f"{connection.outcome}; {why}")

    def tcp_info(self, connection: Connection) -> TcpInfo | None:
        """Return what the system knows of an open connection; None where it does not tell."""
        return tcp_info(socket_of(connection))

    def connection_of(self, task: str) -> int | None:  # noqa: ARG002 - most have no tasks
        """Return the id of the connection whose task has this name; None if none of its connections has."""
        return None

    def has_to_boom(self, connection: Connection) -> bool:
        """Return whether a handler that a fault holds has to come back and raise: who can await asks it."""
        return connection.has_to_boom

    def on_loop(self, call: Callable[[], None]) -> None:
        """Have this called on the loop's thread: at once, where the server lives on it. For whoever serves."""
        call()

    # -- what happens to connections ------------------------------------------------------------------------

    @property
    def own(self) -> list[Connection]:
        """Its connections whose socket is open."""
        return [connection for connection in self.desk.connections.open.values() if connection.server == self.name]

    def take_in(self, sock: socket.socket) -> Connection | None:
        """Take in an accepted socket; None if its peer has gone already, or a fault refuses it."""
        sock.setblocking(False)
        connection = self.meet(sock)
        if connection is None:
            return None
        refused = None if self._gate is None else self._gate.refuses(connection.peer)
        if refused is not None:
            close_with_reset(sock)
            refused()
            return None
        self.admit(connection, sock)
        return connection

    def meet(self, sock: socket.socket) -> Connection | None:
        """Return the record of an accepted socket; None if its peer has gone already.

        May be called on any thread: it tells nobody, and the connection has no id until it is admitted.
        """
        try:
            peer = address(sock.getpeername())
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()
            return None
        return Connection(
            id=0, server=self.name, peer=peer, fd=sock.fileno(), opened_at=monotonic(), waited=waited_in_queue(sock)
        )

    def admit(self, connection: Connection, sock: socket.socket) -> None:
        """Take a connection that was met into the books."""
        desk = self.desk
        connection.id = desk.connections.next_id()
        connection.built_in = connection.peer in desk.built_in_peers
        connection.sock = sock
        desk.connections.add(connection)
        self.record.accepted += 1
        self.record.open += 1
        self._none_open.clear()
        self._cannot_accept = False
        desk.journal.record(events.Accepted(self.name, connection.id, connection.peer, connection.fd))
        for told in tuple(desk.newcomers):
            told(connection)

    def close(self, connection: Connection, outcome: str) -> None:
        """Close a connection whose handler has ended, and say how: now, or late if a fault wants that."""
        late = connection.closes_late
        if late:
            connection.state = ConnectionState.ENDED
            connection.outcome = outcome
            timer = asyncio.get_running_loop().call_later(late, self.hurry, connection)
            self._late[connection.id] = timer, outcome
        else:
            self.close_now(connection, outcome)

    def hurry(self, connection: Connection) -> None:
        """Close a connection that a fault would close late. No error if it is none."""
        if connection.id in self._late:
            self.close_now(connection, self._late[connection.id][1])

    def close_now(self, connection: Connection, outcome: str) -> None:
        """Close a connection's socket and say how it ended."""
        if connection.id in self._late:
            self._late.pop(connection.id)[0].cancel()
        if connection.id in self._given_up:
            outcome = GIVEN_UP
        socket_of(connection).close()
        connection.sock = None
        now = monotonic()
        self.desk.connections.end(connection, outcome, now)
        self.record.open -= 1
        if not self.record.open:
            self._none_open.set()
        self.desk.journal.record(
            events.Closed(
                self.name,
                connection.id,
                connection.peer,
                outcome,
                connection.bytes_in,
                connection.bytes_out,
                round(now - connection.opened_at, 6),
            ),
            connection.struck_by,
        )

    def leave_open(self, connection: Connection, outcome: str) -> None:
        """Let a connection be without a handler: nobody will close its socket until the server stops."""
        connection.state = ConnectionState.LEFT_OPEN
        connection.outcome = outcome

    def count_taken(self, connection: Connection) -> None:
        """Count what the system has taken of the answer that is being sent, where it tells; what is left is lost.

        Not once the socket was shut down: then there is no answer that is being sent any more.
        """
        if connection.unsent:
            taken = bytes_taken(socket_of(connection))
            part = 0 if taken is None else min(max(taken - connection.bytes_out, 0), connection.unsent)
            self.tally.count_sent(connection, part, 0)

    def correct_sent(self, connection: Connection) -> None:
        """Count what the system has taken, where it may be less than it was given: the connection is lost."""
        shut_down = connection.is_half_closed or connection.id in self._given_up
        taken = None if shut_down else bytes_taken(socket_of(connection))
        if taken is not None:
            self.tally.count_sent(connection, taken - connection.bytes_out, 0)

    def handler_failed(self, connection: Connection, error: Exception, outcome: str) -> None:
        """A handler raised something of its own: count it and tell what becomes of it."""
        self.record.booms += 1
        self.desk.journal.record(
            events.HandlerFailed(
                self.name,
                connection.id,
                connection.peer,
                describe(error),
                _who(connection, error),
                outcome,
            ),
            connection.struck_by,
        )

    def end(self, connection: Connection, why: str) -> None:
        """End a connection from outside, whatever state it is in."""
        if connection.state is ConnectionState.OPEN:
            self.interrupt(connection, why)
        else:
            self.close_now(connection, why)

    def strike(self, connection: Connection, step: HalfClose | Reset | Close) -> None:
        """Do to a connection what one of its faults wants, from outside, whatever its handler is doing."""
        try:
            self.obey(connection, step)
        except Interrupt as interrupt:
            self.end(connection, str(interrupt))

    def obey(self, connection: Connection, step: HalfClose | Reset | Close) -> None:
        """Do what a fault wants, in the connection's own handler.

        Raises:
            Interrupt: if that ends the connection.
        """
        connection.struck_by = step.fault
        sock = socket_of(connection)
        match step:
            case HalfClose():
                with contextlib.suppress(OSError):  # the peer has gone just now, and the handler will notice
                    sock.shutdown(socket.SHUT_WR)
            case Reset(_, why):
                with contextlib.suppress(OSError):  # its handler has closed it just now
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                raise Interrupt(why)
            case Close(_, why):
                raise Interrupt(why)

    @property
    def gate(self) -> Gate | None:
        """What faults make of its accepting; None where no fault bears on it."""
        return self._gate

    @gate.setter
    def gate(self, gate: Gate | None) -> None:
        self._gate = gate
        self.on_gate()

    def half_closed(self, connection: Connection) -> str:
        """The peer will send no more, and all it sent is answered. Returns the outcome in words.

        It is not told where it was us who shut it up.
        """
        if connection.id not in self._given_up:
            self.desk.journal.record(events.HalfClosed(self.name, connection.id, connection.peer))
        return "closed by peer"

    def idle(self, connection: Connection, limit: float) -> None:
        """A connection has said nothing for `limit` seconds."""
        self.record.idle_timeouts += 1
        self.desk.journal.record(events.IdleTimeout(self.name, connection.id, connection.peer, limit))

    def line_too_long(self, connection: Connection, error: LineTooLong) -> str:
        """A peer has sent more than a server keeps of one line. Returns the outcome in words."""
        self.desk.journal.record(events.LineRefused(self.name, connection.id, connection.peer, error.limit))
        return str(error)

    def cannot_accept(self, error: OSError) -> bool:
        """Note why `accept` failed. Returns whether to wait `ACCEPT_RETRY` before trying again.

        Most often no descriptor is left. It is said once, and again only after an accept has worked in between.
        """
        if error.errno in PEER_GONE:
            return False
        if not self._cannot_accept:
            self._cannot_accept = True
            self.desk.journal.record(events.AcceptFailed(self.name, describe(error), ACCEPT_RETRY))
        return True


def _who(connection: Connection, error: Exception) -> str:
    if isinstance(error, KeyboardBoom):
        return "keyboard"
    return "peer" if connection.struck_by is None else f"fault {connection.struck_by}"


def _nothing() -> None:
    """Do nothing: nobody rests at the gate."""


def socket_of(connection: Connection) -> socket.socket:
    """Return the socket of a connection that is open."""
    return cast(socket.socket, connection.sock)


def close_with_reset(sock: socket.socket) -> None:
    """Close a socket so that its peer gets an RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    sock.close()


def outcome_of(error: Exception) -> str:
    """Return in words what becomes of a connection whose handler raised this."""
    if isinstance(error, Interrupt | LineTooLong):
        return str(error)
    return describe(error) if isinstance(error, OSError) else "handled, socket closed"
