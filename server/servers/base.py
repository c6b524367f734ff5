"""What all servers have in common: starting and stopping, and what faults do to them. Each has its `Books`.

A server decides how to wait, and so how to do the five things that are abstract here: serve, close its listener, let a
handler raise, end a connection, and end whatever else it has.
"""

import asyncio
import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from .. import events
from ..faults.gate import Gate
from ..faults.steps import Close, HalfClose, Reset
from ..naming import beyond_loopback, family_of, why_not_listening
from ..records import Connection, ConnectionState, ServerState
from ..tcp import TcpInfo, bytes_arrived, close_with_reset, reset_when_closed, tcp_info
from .books import Books, Desk, socket_of
from .outcomes import GIVEN_UP, Interrupt

#: How many bytes one read asks for. Larger reads save system calls when a peer sends much at once.
RECEIVE_SIZE = 64 * 1024

#: How many connections the system queues for us while we are busy.
BACKLOG = 1024

#: How long handlers may take to end once their sockets were shut down under them, in seconds.
GIVE_UP_TIME = 0.15


class EchoServer(Books, ABC):
    """A server that holds the conversation with many peers, and tells the lab's desk what happens.

    Every method is called on the thread of the loop that runs the lab, except where it says otherwise.
    """

    has_tasks: ClassVar[bool] = False
    """Whether each connection has a task of its own, which can be cancelled, and fail."""
    one_at_a_time: ClassVar[bool] = False
    """Whether whoever comes waits until nobody else is there."""
    cannot: ClassVar[Mapping[str, str]] = {}
    """The faults it cannot have, by name, and why."""
    on_demand: ClassVar[bool] = False
    """Whether it stays stopped until somebody asks for it by its name."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._gate: Gate | None = None
        self.on_gate: Callable[[], None] = _nothing

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

    def cut_off(self, connection: Connection) -> None:
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

    def measure(self) -> None:
        """Bring into the record what is measured only now and then: a few times a second."""

    def count_busy(self) -> None:
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
                    reset_when_closed(sock)
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


def _nothing() -> None:
    """Do nothing: nobody rests at the gate."""
