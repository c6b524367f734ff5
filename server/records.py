"""The live records: what is true now, changed in place by whoever serves, read by whoever looks.

Plain data, no behaviour beyond keeping itself consistent and bounded. A view may read a record at any time, and
freeze it (`frozen`). Times are ``time.monotonic()``, in seconds; sizes are bytes.
"""

import asyncio
import copy
import socket
from collections import deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from .counting import Totals, Traffic

if TYPE_CHECKING:
    from .faults.link import Link
    from .faults.manners import Manners

#: How many ended connections stay visible.
ENDED_KEPT = 500


class ServerState(StrEnum):
    """Where a server is in its life: stopped → serving → draining → stopped, or failed to listen."""

    STOPPED = "stopped"
    SERVING = "serving"
    DRAINING = "draining"
    FAILED = "failed"


class ConnectionState(StrEnum):
    """Where a connection is in its life."""

    OPEN = "open"
    """Being served."""
    LEFT_OPEN = "left open"
    """Its handler has failed and nobody has closed the socket: the fault of A8 and A9."""
    ENDED = "closing late"
    """Its handler has ended, and a fault keeps its socket open."""
    CLOSED = "closed"
    """Its socket is closed."""


class Treatment(StrEnum):
    """What the `sockets` server does with a task that fails."""

    HANDLED = "handled"
    """try / except / finally inside the task: the exception is logged, the socket closed (A10)."""
    UNRETRIEVED = "unretrieved"
    """Nobody asks the task: asyncio complains when it is collected; the socket stays open (A8)."""
    RETAINED = "retained"
    """The tasks are kept in a list: their exceptions stay hidden until the list goes (A9)."""


@dataclass(slots=True, eq=False)
class ServerRecord(Totals):
    """What is true of one server now. Counters are since the lab began."""

    name: str
    waits_by: str
    host: str
    port: int
    state: ServerState = ServerState.STOPPED
    why: str = ""
    """Why it failed, or is not serving; empty if there is nothing to say."""
    exposed: bool = False
    """Whether it listens, or has listened last, where other machines may reach it."""
    wanted: bool = True
    """Whether it is started with the others, or stays stopped until somebody asks for it by its name."""
    open: int = 0
    """Connections whose socket is open, the left open ones included."""
    accepted: int = 0
    booms: int = 0
    idle_timeouts: int = 0
    select_timeouts: int | None = None
    """How often its own select came back empty; None where it has no select of its own."""
    busy: float | None = None
    """Seconds it has spent running, as of the latest second: for a server with a thread of its own the CPU time of that
    thread, for one whose tasks are observed the time of all their steps; None where that is not observed."""
    queued: int | None = None
    """Peers that wait in the system's queue to be accepted, as of the latest look; None where nobody looks."""
    treatment: Treatment | None = None
    """What it does with a failing task; None where it has no tasks."""
    if TYPE_CHECKING:  # The checker forgets the slots that a dataclass has from its parent.
        reads: int = field(init=False)
        bytes_in: int = field(init=False)
        bytes_out: int = field(init=False)

    def __post_init__(self) -> None:
        Totals.__init__(self)

    def frozen(self) -> "ServerRecord":
        """Return a copy that stays as it is."""
        copied = replace(self)
        for name in Totals.__slots__:
            setattr(copied, name, getattr(self, name))
        return copied


@dataclass(slots=True, eq=False)
class Connection(Traffic):
    """What is true of one connection now, and what was, once it is closed."""

    id: int
    server: str
    peer: str
    fd: int
    opened_at: float
    state: ConnectionState = ConnectionState.OPEN
    built_in: bool = False
    """Whether its peer is a built-in client of this very process."""
    closed_at: float | None = None
    outcome: str = ""
    """How it ended; empty while it has not."""
    manners: "Manners | None" = None
    """What faults make of its handler; None where no fault bears on it."""
    struck_by: int | None = None
    """The id of the latest fault that has broken it."""
    task: int | None = None
    """The id of the task that serves it, or has; None where none does, or its loop is not an observed one."""
    sock: socket.socket | None = None
    """Its socket: its server's own business. None once it is closed, and in copies."""
    waited: float | None = None
    """How long it waited in the system's queue to be accepted, in seconds, to a few milliseconds; None where the
    system does not tell."""
    if TYPE_CHECKING:  # as above
        reads: int = field(init=False)
        bytes_in: int = field(init=False)
        bytes_out: int = field(init=False)
        unsent: int = field(init=False)
        last_in: bytes = field(init=False)
        last_in_at: float = field(init=False)
        link: "Link | None" = field(init=False)
        has_to_boom: bool = field(init=False)

    def __post_init__(self) -> None:
        Traffic.__init__(self)

    @property
    def condition(self) -> str:
        """Its state in a word for people.

        ``held`` where it is open, and a fault makes it wait; ``unread`` where it waits for its peer to take an answer.
        """
        if self.state is not ConnectionState.OPEN:
            return self.state.value
        if self.link is not None and self.link.holding is not None:
            return "held"
        return "unread" if self.unsent else self.state.value

    def frozen(self) -> "Connection":
        """Return a copy that stays as it is, whatever becomes of its faults."""
        copied = replace(self, sock=None)
        for name in (*Totals.__slots__, *Traffic.__slots__):
            if not name.startswith("_"):  # what it keeps of the latest read is told by `last_in`
                setattr(copied, name, getattr(self, name))
        copied.last_in = self.last_in
        copied.link = copy.copy(self.link)
        return copied

    @property
    def is_half_closed(self) -> bool:
        """Whether a fault has let the server say that it sends no more."""
        return self.link is not None and self.link.half_closed

    @property
    def closes_late(self) -> float:
        """By how many seconds a fault wants its socket to be closed too late, once it has ended."""
        return 0.0 if self.link is None else self.link.closes_late

    @property
    def held(self) -> int:
        """How many bytes of its answers a fault holds back."""
        return 0 if self.link is None else self.link.held

    @property
    def is_open(self) -> bool:
        """Whether its socket is open."""
        return self.state is not ConnectionState.CLOSED


class Connections:
    """All connections that are open, and the latest that ended.

    `changes` grows with every opening and closing, so a view can tell cheaply whether its list is still right.
    """

    def __init__(self) -> None:
        self.open: dict[int, Connection] = {}
        self.ended: deque[Connection] = deque(maxlen=ENDED_KEPT)
        self.opened = 0
        """How many were opened, ever; the id of the newest."""
        self.closed = 0
        self.most_open = 0
        self._none_open = asyncio.Event()
        self._none_open.set()

    @property
    def changes(self) -> int:
        """A number that is another one whenever the lists are."""
        return self.opened + self.closed

    @property
    def forgotten(self) -> int:
        """How many ended connections are no longer kept."""
        return self.closed - len(self.ended)

    def next_id(self) -> int:
        """Return the id of the next connection to be opened."""
        return self.opened + 1

    def add(self, connection: Connection) -> None:
        """Take in a connection that has just been opened."""
        self.opened += 1
        self.open[connection.id] = connection
        self.most_open = max(self.most_open, len(self.open))
        self._none_open.clear()

    def end(self, connection: Connection, outcome: str, now: float) -> None:
        """Move a connection from the open to the ended ones. Its socket has been closed."""
        del self.open[connection.id]
        connection.state = ConnectionState.CLOSED
        connection.outcome = outcome
        connection.closed_at = now
        connection.unsent = 0
        self.ended.append(connection)
        self.closed += 1
        if not self.open:
            self._none_open.set()

    def get(self, connection_id: int) -> Connection | None:
        """Return the connection with this id if it is open or still kept."""
        found = self.open.get(connection_id)
        if found is None:
            found = next((ended for ended in self.ended if ended.id == connection_id), None)
        return found

    async def wait_until_none_is_open(self) -> None:
        """Return as soon as no connection is open."""
        await self._none_open.wait()

    def frozen(self) -> "Connections":
        """Return a copy that stays as it is, for looking at. It takes time in proportion to what is open."""
        frozen = Connections()
        frozen.open = {number: connection.frozen() for number, connection in self.open.items()}
        frozen.ended = self.ended.copy()
        frozen.opened, frozen.closed, frozen.most_open = self.opened, self.closed, self.most_open
        return frozen
