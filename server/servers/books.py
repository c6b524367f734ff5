"""The books of one server: its connections from their first moment to the last, and what is told of each.

What a server has to tell goes through the methods here, so that records, counters and journal agree: `admit` takes a
connection into the books, and `leave_open`, `close` and `close_now` are all that changes its state after that;
`received` and `sent` count what is read and written, and tell of it while somebody looks.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import field
from time import monotonic
from typing import ClassVar, cast

from .. import events
from ..conversation import LineTooLong
from ..counting import Tally
from ..journal import Journal
from ..naming import address, describe
from ..records import Connection, Connections, ConnectionState, ServerRecord
from ..settings import Settings, port_of
from ..tcp import bytes_taken, waited_in_queue
from ..value import value
from .outcomes import GIVEN_UP, KeyboardBoom

#: How many connections are accepted at a stretch, so that a flood of new ones does not starve the old ones.
ACCEPT_BATCH = 64

#: After how many seconds a server that could not accept tries again.
ACCEPT_RETRY = 1.0

#: The errors of `accept` that concern only the peer that was to be accepted: it has gone while it was queued.
PEER_GONE = frozenset({errno.ECONNABORTED, errno.ECONNRESET, errno.EPROTO, errno.EINTR})


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


class Books:
    """What a server knows of its connections, and tells the lab's desk.

    Every method is called on the thread of the loop that runs the lab, except where it says otherwise.
    """

    name: ClassVar[str]
    waits_by: ClassVar[str]
    """How it waits, in one short phrase."""

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
        self._none_open = asyncio.Event()
        self._none_open.set()

    @property
    def own(self) -> list[Connection]:
        """Its connections whose socket is open."""
        return [connection for connection in self.desk.connections.open.values() if connection.server == self.name]

    async def wait_until_none_is_open(self) -> None:
        """Return as soon as no connection of this server is open."""
        await self._none_open.wait()

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

    # -- what a peer, or a handler, has done -----------------------------------------------------------------

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

    # -- how a connection ends --------------------------------------------------------------------------------

    def leave_open(self, connection: Connection, outcome: str) -> None:
        """Let a connection be without a handler: nobody will close its socket until the server stops."""
        connection.state = ConnectionState.LEFT_OPEN
        connection.outcome = outcome

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


def _who(connection: Connection, error: Exception) -> str:
    if isinstance(error, KeyboardBoom):
        return "keyboard"
    return "peer" if connection.struck_by is None else f"fault {connection.struck_by}"


def socket_of(connection: Connection) -> socket.socket:
    """Return the socket of a connection that is open."""
    return cast(socket.socket, connection.sock)
