"""What is counted of every read and every write, and told of while somebody looks.

This runs for every message of every server: compiled where there is a C compiler (``counting.pxd`` says what its
numbers are in C), and run as it stands where there is none. See ``compiled.py``.
"""

from typing import TYPE_CHECKING, Any

from . import events
from .native import BRIEF, brief, clock, in_full

if TYPE_CHECKING:
    from .faults.link import Link
    from .journal import Journal
    from .records import Connection, ServerRecord

#: How much of what a peer said last is kept for looking at, in bytes.
LAST_KEPT = 256
_LAST_KEPT, _BRIEF = LAST_KEPT, BRIEF  # the same, as numbers of C

#: How much of a message the journal keeps, in bytes.
DETAIL_KEPT = 64


class Totals:
    """What was read and written: by one server, since the lab began, or on one connection."""

    __slots__ = ("bytes_in", "bytes_out", "reads")

    def __init__(self) -> None:
        self.reads = 0
        """Reads that brought data. TCP has no messages: a line may take several reads, or share one."""
        self.bytes_in = 0
        self.bytes_out = 0

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} is not copied like this: see its frozen()")


class Traffic(Totals):
    """What one connection has said, and was answered."""

    __slots__ = ("_brief", "_longer", "has_to_boom", "last_in_at", "link", "unsent")

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0
        """Bytes of an answer the socket has not taken yet. While there are any, nothing more is read from the peer."""
        self._brief = brief(b"")
        self._longer = b""
        self.has_to_boom = False
        """Whether its handler has to raise: the keyboard has said boom in its peer's place, or a fault has."""
        self.link: Link | None = None
        """What faults make of its answers; None where no fault bears on it."""
        self.last_in_at = 0.0
        """When it was read last, by `time.monotonic`, in seconds; 0 if its peer has said nothing yet."""

    @property
    def last_in(self) -> bytes:
        """The first `LAST_KEPT` bytes of the latest read.

        A short one is kept in the record itself. An object of its own lies where nothing else is that a message
        touches: with thousands of connections, to fetch it into the processor's cache was half of what it cost to watch
        `protocol` on uvloop.
        """
        return self._longer or in_full(self._brief)

    @last_in.setter
    def last_in(self, data: bytes) -> None:
        self.keep(data)

    def keep(self, data: bytes) -> None:
        """Keep the beginning of what was read."""
        size = len(data)
        if size > _BRIEF:
            self._longer = data if size <= _LAST_KEPT else data[:_LAST_KEPT]
            return
        self._brief = brief(data)
        if self._longer:
            self._longer = b""


class Details:
    """Whether a detail, as each message is one, would be recorded now, and how many were not."""

    __slots__ = ("details_open", "details_skipped")

    def __init__(self) -> None:
        self.details_open = True
        """Whether a detail would be recorded now. Look here *before* making the event, count it in
        `details_skipped` if not: that is what makes details cheap."""
        self.details_skipped = 0
        """How many details were wanted but not recorded, ever."""


class Tally:
    """Counts what one server reads and writes.

    `received` and `sent` also tell of it, and belong to the loop's thread. The other two only count; who calls them is
    the one thread that serves, and the only one to write these counters.
    """

    __slots__ = ("details", "totals")

    def __init__(self, totals: "ServerRecord", details: "Journal") -> None:
        self.totals = totals
        self.details = details

    def received(self, connection: "Connection", data: bytes) -> None:
        """Count one read, and tell of it if somebody looks."""
        self.count_received(connection, data)
        details = self.details
        if details.details_open:
            self._tell_received(connection, data)
        else:
            details.details_skipped += 1

    def sent(self, connection: "Connection", size: int, unsent: int = 0) -> None:
        """Count one write, and tell of it if somebody looks. `unsent` bytes of it wait for the peer to read."""
        self.count_sent(connection, size, unsent)
        details = self.details
        if details.details_open:
            self._tell_sent(connection, size, unsent)
        else:
            details.details_skipped += 1

    def count_received(self, connection: "Connection", data: bytes) -> None:
        """Count one read."""
        size = len(data)
        connection.reads += 1
        connection.bytes_in += size
        connection.keep(data)
        connection.last_in_at = clock()
        totals = self.totals
        totals.reads += 1
        totals.bytes_in += size

    def count_sent(self, connection: "Connection", size: int, unsent: int) -> None:
        """Count one write."""
        connection.bytes_out += size
        connection.unsent = unsent
        self.totals.bytes_out += size

    def _tell_received(self, who: Any, data: bytes) -> None:
        event = events.Received(who.server, who.id, who.peer, len(data), beginning(data))
        self.details.record(event)

    def _tell_sent(self, who: Any, size: int, unsent: int) -> None:
        self.details.record(events.Sent(who.server, who.id, who.peer, size, unsent))


def beginning(data: bytes) -> bytes:
    """Return as much of what was read as the journal keeps, in an object of its own.

    What `recv` returns lies where there was room for a whole read, however short it is: ten thousand of them that are
    kept would keep as many pages of memory.
    """
    return bytes(memoryview(data)[:DETAIL_KEPT])
