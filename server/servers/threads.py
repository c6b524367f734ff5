"""What the servers have in common that wait on a thread of their own: the thread, and the way back to the loop.

Records and journal belong to the thread of the loop, so what happens here is *posted* to it (`Post`): as calls,
in order, in batches at least `BATCH` apart, so that not even a server that spins floods the loop. What is
counted for every message is written in place instead: `reads`, `bytes_in`, `bytes_out`, `last_in`, `last_in_at`
and `unsent` of the thread's own connections, the first three and `busy` of its server's record. No other thread writes
these, a reader takes each of them whole, and that two of them may differ by one message does no harm.

A thread cannot be ended from outside, only asked: by a flag, and where it may be blocked just then, by shutting down
the socket it is blocked on. It closes its sockets itself, at once, and under the same lock under which others
shut them down: the number of a closed descriptor may belong to somebody else already.
"""

import asyncio
import contextlib
import functools
import socket
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from time import thread_time
from typing import ClassVar

from .. import events
from ..conversation import Conversation, LineTooLong
from ..counting import beginning
from ..naming import describe
from ..records import Connection, ConnectionState, ServerState
from ..tcp import close_with_reset, queue_length
from .base import RECEIVE_SIZE, EchoServer
from .books import PEER_GONE, Desk
from .outcomes import Idle, Interrupt, outcome_of

#: The shortest time between two batches of what a thread posts, in seconds.
BATCH = 0.01

#: How many calls may wait for the loop before details are left out, and counted.
MOST_POSTED = 20_000

#: How much is read and thrown away, at most, of what a peer said after its last answer, in reads.
LAST_READS = 64


class Post:
    """Calls from a thread to its loop, in order. `call` and `has_room` are for the thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []
        self._coming = False
        self._closed = False

    def call(self, function: Callable[[], None]) -> None:
        """Let the loop call this soon."""
        with self._lock:
            self._calls.append(function)
            coming, self._coming = self._coming, True
        if not coming:
            with contextlib.suppress(RuntimeError):  # the loop was closed without stopping us first
                self._loop.call_soon_threadsafe(self._deliver)

    def has_room(self) -> bool:
        """Return whether so few calls wait that one that can be left out need not be."""
        return len(self._calls) < MOST_POSTED

    def close(self) -> None:
        """Make no more batches. To be called by the last call."""
        self._closed = True

    def _deliver(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, []
            self._coming = bool(calls)
        for function in calls:
            try:
                function()
            except Exception as error:  # noqa: BLE001 - told to the loop's handler; the calls after it still count
                self._loop.call_exception_handler({"message": "Exception in a call from a thread", "exception": error})
        if calls and not self._closed:
            self._loop.call_later(BATCH, self._deliver)


class Guest:
    """A connection in the hands of the thread."""

    __slots__ = ("connection", "conversation", "interrupt", "sock", "unsent")

    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self.sock = sock
        self.connection = connection
        self.conversation = Conversation()
        self.unsent = memoryview(b"")
        self.interrupt: Exception | None = None
        """What its handler has to raise at the next opportunity; set by the loop's thread, once."""


class ThreadServer(EchoServer):
    """A server on a thread of its own."""

    on_demand = True
    cannot: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            *("half-close", "stop-reading", "latency", "bandwidth", "slicer", "limit-data", "corrupt", "slow-close"),
            "accept-delay",
        ),
        "it lives on a thread of its own, where faults cannot hold anything back: use a server on the loop",
    )

    _post: Post
    _thread: threading.Thread
    _listener: socket.socket
    _ended: asyncio.Future[None]
    _accepting = False
    """Whether it is to accept; set by the loop's thread."""
    _stopping = False
    """Whether it is to end whatever it does; set by the loop's thread."""
    _skipped = 0
    """Details that were left out, and are not yet told to the journal."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.record.busy = 0.0
        self._lock = threading.Lock()
        """Held by whoever closes or shuts down a socket, and for `_present`."""
        self._present: list[Guest] = []
        self._guests: dict[int, Guest] = {}

    # -- on the thread --------------------------------------------------------------------------------------

    @abstractmethod
    def _run(self, listener: socket.socket) -> None:
        """Serve until it is not `_accepting` any more and nobody is present, or until it is `_stopping`."""

    def _live(self, listener: socket.socket) -> None:
        self._busy_before = self.record.busy or 0.0
        failure: Exception | None = None
        try:
            self._run(listener)
        except Exception as error:  # noqa: BLE001 - a mistake of ours; told where it can be seen
            failure = error
        for guest in [*self._present]:
            self._part(guest, guest.interrupt or Interrupt(f"{self.name} has ended"))
        with self._lock:
            listener.close()
        self._count_busy()
        self._post.call(functools.partial(self._thread_ended, failure))

    def _count_busy(self) -> None:
        """Note how much CPU time this thread has taken. A thread that blocks takes none: so do it before that."""
        self.record.busy = self._busy_before + thread_time()

    def _accept(self, listener: socket.socket) -> Guest | None:
        """Accept one connection, blocking or not as the listener does; None if its peer has gone already.

        Raises:
            BlockingIOError: if the listener does not block, and nobody is there.
            OSError: if it cannot accept, and why; that is told already.
        """
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno in PEER_GONE:
                return None
            if self._accepting:
                self._post.call(functools.partial(self._tell_cannot_accept, error))
            raise
        if not self._accepting:
            sock.close()
            return None
        connection = self.meet(sock)
        if connection is None:
            return None
        refused = None if self.gate is None else self.gate.refuses(connection.peer)
        if refused is not None:
            close_with_reset(sock)
            self._post.call(refused)
            return None
        guest = Guest(sock, connection)
        with self._lock:
            self._present.append(guest)
            if self._stopping:
                guest.interrupt = Interrupt(f"{self.name} has ended")
        self._post.call(functools.partial(self._welcome, guest))
        return guest

    def _note_received(self, guest: Guest, data: bytes) -> None:
        self.tally.count_received(guest.connection, data)
        self._post_detail(functools.partial(events.Received, size=len(data), text=beginning(data)), guest)

    def _note_sent(self, guest: Guest, size: int, unsent: int) -> None:
        self.tally.count_sent(guest.connection, size, unsent)
        self._post_detail(functools.partial(events.Sent, size=size, unsent=unsent), guest)

    def _post_detail(self, make: Callable[[str, int, str], events.Event], guest: Guest) -> None:
        if self.desk.journal.details_open and self._post.has_room():
            self._post.call(functools.partial(self._tell_detail, make, guest.connection))
            return
        with self._lock:
            first, self._skipped = self._skipped == 0, self._skipped + 1
        if first:
            self._post.call(self._tell_skipped)

    def _part(self, guest: Guest, error: Exception | None) -> None:
        """Close a guest's socket: its peer has closed (None), or what its handler raised."""
        if error is not None and not isinstance(error, OSError | Interrupt):
            _read_what_is_left(guest.sock)
        with self._lock:
            self._present.remove(guest)
            guest.sock.close()
        self._post.call(functools.partial(self._goodbye, guest, error))

    # -- on the loop ----------------------------------------------------------------------------------------

    def _serve(self, listener: socket.socket) -> None:
        self._listener = listener
        self._accepting, self._stopping = True, False
        self._post = Post()
        self._ended = asyncio.get_running_loop().create_future()
        self._thread = threading.Thread(target=self._live, args=(listener,), name=f"echotui-{self.name}", daemon=True)
        self._thread.start()

    def _close_listener(self) -> None:
        self._accepting = False
        self._wake_from_accept()

    def boom(self, connection: Connection, error: Exception) -> None:
        self._interrupt(connection, error)

    def interrupt(self, connection: Connection, why: str) -> None:
        self._interrupt(connection, Interrupt(why))

    def on_loop(self, call: Callable[[], None]) -> None:
        self._post.call(call)

    def _interrupt(self, connection: Connection, error: Exception) -> None:
        guest = self._guests.get(connection.id)
        if guest is not None:
            if guest.interrupt is None:
                guest.interrupt = error
            self._wake(guest)

    def _wake_from_accept(self) -> None:
        """Let an accept return that may block just now."""

    def _wake(self, guest: Guest) -> None:
        """Let a read or a write of this guest return that may block just now."""

    async def _stop_serving(self) -> None:
        with self._lock:
            self._stopping = True
            present = [*self._present]
        for guest in present:
            if guest.interrupt is None:
                guest.interrupt = Interrupt(f"{self.name} has ended")
            self._wake(guest)
        await asyncio.shield(self._ended)

    def measure(self) -> None:
        if self.record.state is ServerState.SERVING:
            self.record.queued = queue_length(self._listener)

    # -- called by the thread, on the loop ------------------------------------------------------------------

    def _welcome(self, guest: Guest) -> None:
        self.admit(guest.connection, guest.sock)
        self._guests[guest.connection.id] = guest

    def _tell_cannot_accept(self, error: OSError) -> None:
        self.cannot_accept(error)

    def _tell_detail(self, make: Callable[[str, int, str], events.Event], connection: Connection) -> None:
        journal = self.desk.journal
        if journal.details_open:
            journal.record(make(self.name, connection.id, connection.peer))
        else:
            journal.details_skipped += 1

    def _tell_skipped(self) -> None:
        with self._lock:
            skipped, self._skipped = self._skipped, 0
        self.desk.journal.details_skipped += skipped

    def _goodbye(self, guest: Guest, error: Exception | None) -> None:
        connection = guest.connection
        del self._guests[connection.id]
        if connection.state is ConnectionState.CLOSED:
            return  # its thread took so long that it was given up
        if error is None:
            self.close(connection, self.half_closed(connection))
            return
        match error:
            case Idle():
                self.idle(connection, error.limit)
            case LineTooLong():
                self.line_too_long(connection, error)
            case Interrupt() | OSError():
                pass
            case _:
                self.handler_failed(connection, error, outcome_of(error))
        self.close(connection, outcome_of(error))

    def _why_ended(self) -> str:
        """Return why its thread has ended by itself, for people."""
        return "its thread has ended"

    def _thread_ended(self, failure: Exception | None) -> None:
        self._post.close()
        self._thread.join()  # this call was its last act
        self.record.queued = None
        if failure is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"The thread of the {self.name} server has ended", "exception": failure}
            )
        if self.record.state is ServerState.SERVING:
            self.stop_accepting()
            self.record.state = ServerState.STOPPED
            self.record.why = self._why_ended() if failure is None else f"its thread has ended: {describe(failure)}"
            self.desk.journal.record(events.ServerStopped(self.name))
        self._ended.set_result(None)


def _read_what_is_left(sock: socket.socket) -> None:
    """Throw away what a peer has said after its last answer, as far as it is here.

    Closing a socket with unread bytes resets the connection, and a reset may overtake the answer.
    """
    with contextlib.suppress(OSError):  # nothing more is here, or the peer is gone
        sock.shutdown(socket.SHUT_WR)
        sock.setblocking(False)
        for _ in range(LAST_READS):
            if not sock.recv(RECEIVE_SIZE):
                return
