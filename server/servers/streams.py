"""The `streams` server: a reader and a writer for each connection, and ``await reader.readline()``.

It answers line by line, in upper case (what is not ASCII comes back as it came: ``bytes.upper``). What comes in is
counted when it comes in, whole lines or not: `StreamsProtocol`.

What is promised:

* A line of more than `LONGEST_LINE` bytes is not answered: the event says so, and the connection is closed.
* At most one answer is held for a peer that does not read: ``await drain()`` suspends its task until the peer has taken
  it, and a reader that nobody reads from stops reading its socket at twice the longest line.
* What has no end when the peer closes is answered too, and all answers are sent before the connection is closed.
* Who is cancelled says "Connection dropped!" to its peer, unless that peer still has not read its last answer. It is
  written and not awaited, in the very task that is cancelled: a task made at that moment for it would outlive the
  loop ("Task was destroyed but it is pending!").

What `asyncio.start_server` does with an accepted socket is done in `_open`; for who accepts see ``accepting.py``.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Mapping
from typing import ClassVar

from ..conversation import LONGEST_LINE, Boom, LineTooLong
from ..exchange import Exchange
from ..faults.link import Link
from ..records import Connection, ConnectionState
from .accepting import AcceptingServer, Endless, time_limit
from .books import Desk
from .following import follow, wake
from .outcomes import Idle, Interrupt, outcome_of

#: What a peer is told whose handler is cancelled.
DROPPED = b"Connection dropped!\r\n"

#: How long the last words may take to be sent, in seconds, when a connection is closed. Answers are sent before.
LAST_WORDS = 0.1


class StreamsServer(AcceptingServer):
    """Waits by ``await readline`` and ``await drain``."""

    name = "streams"
    task_name = "streams"
    waits_by = "await readline"
    has_tasks = True
    cannot: ClassVar[Mapping[str, str]] = {
        "never-retrieved": "its tasks always handle what is raised: use sockets",
        "retained": "its tasks always handle what is raised: use sockets",
    }

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._readers: dict[int, _Reader] = {}

    def answer_to(self, line: bytes) -> bytes:
        return line.upper()

    # -- one connection -------------------------------------------------------------------------------------

    async def _handle(  # noqa: C901, PLR0912, PLR0915 - a coroutine for a part would take 250 B of every connection
        self, connection: Connection, sock: socket.socket
    ) -> None:
        """The life of one connection's task."""
        outcome = "ended"
        exchange = Exchange(self.tally, connection, upper=True)
        loop = asyncio.get_running_loop()
        limit = self.desk.settings.idle_timeout
        deadline = None
        reader = self._readers[connection.id] = _Reader(self, connection)
        try:
            writer = reader.writer = await _open(reader, sock)
            try:
                while True:
                    try:
                        async with time_limit(limit) as deadline:
                            if limit is not None:
                                reader.deadline = deadline
                            if connection.unsent:  # it was cancelled while it sent this, and that was swallowed
                                await self._drain(connection, writer)
                            if connection.link is not None:  # it may hold more
                                await self._follow(connection.link, connection, writer)
                            while True:
                                try:
                                    line = await reader.readline()
                                except ValueError as error:
                                    raise LineTooLong(LONGEST_LINE) from error
                                if not line:
                                    break
                                if answer := exchange.converse(line):
                                    try:  # `_write`, said here once more: this is each line's way
                                        writer.write(answer)
                                    except RuntimeError as error:
                                        raise _lost(writer, error) from error
                                    await writer.drain()
                                if exchange.settle():
                                    await self._do_the_rest(connection, writer, exchange)
                                if limit is not None:
                                    deadline.reschedule(loop.time() + limit)
                        break
                    except asyncio.CancelledError:
                        reader.deadline = None  # it is over, and what its peer says meanwhile puts nothing off
                        if connection.manners is None or not await connection.manners.cancelled():
                            raise
                    except TimeoutError:
                        if deadline is None or not deadline.expired():
                            raise
                        raise Idle(limit or 0) from None
                    finally:
                        reader.deadline = None
                outcome = self.half_closed(connection)
            except asyncio.CancelledError:
                if not (connection.unsent or connection.is_half_closed or connection.id in self._given_up):
                    self._say_dropped(connection, writer)
                raise
            finally:
                if connection.unsent:
                    self._abort(connection, writer)  # its peer does not read, and closing would wait for that
                if writer.transport.is_closing() or not connection.closes_late:
                    await _close(writer)
                    reader.writer = None
        except asyncio.CancelledError as cancelled:
            outcome = str(cancelled) or "cancelled"
            raise
        except LineTooLong as error:
            outcome = self.line_too_long(connection, error)
        except Interrupt as interrupt:
            outcome = str(interrupt)
            if isinstance(interrupt, Idle):
                self.idle(connection, interrupt.limit)
        except OSError as error:
            # A write that fails because the connection is lost says less than the reader knows of it.
            outcome = self._failed(connection, reader.exception() or error)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises ends its connection, and is told
            outcome = self._failed(connection, error)
        finally:
            deadline = None  # it knows the task, and the task, by what it has raised, this frame
            if connection.state is ConnectionState.OPEN:
                self.close(connection, outcome)

    def close(self, connection: Connection, outcome: str) -> None:
        if self._writer_of(connection) is not None:
            super().close(connection, outcome)
        else:
            self.close_now(connection, outcome)  # its transport has closed the socket already

    def close_now(self, connection: Connection, outcome: str) -> None:
        reader = self._readers.pop(connection.id, None)
        if reader is not None and reader.writer is not None:
            self._abort(connection, reader.writer)
            reader.writer = None  # which knows its reader
        super().close_now(connection, outcome)

    def _writer_of(self, connection: Connection) -> asyncio.StreamWriter | None:
        """Return the writer of a connection; None before it has one, and once that has closed the socket."""
        reader = self._readers.get(connection.id)
        return None if reader is None else reader.writer

    def _abort(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        """Let go of what is left of an answer, and count what was sent of it."""
        transport = writer.transport
        if connection.unsent and not transport.is_closing():
            self.tally.count_sent(connection, connection.unsent - transport.get_write_buffer_size(), 0)
        transport.abort()

    def cut_off(self, connection: Connection) -> None:
        writer = self._writer_of(connection)
        if writer is not None and connection.unsent:
            self._abort(connection, writer)

    async def _send(self, connection: Connection, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Send a part of an answer, when faults want it sent."""
        connection.unsent = len(data)
        _write(writer, data)
        await self._drain(connection, writer)

    async def _drain(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        """Wait until what was written last is sent, and count it; less of it is there if it was let go meanwhile."""
        await writer.drain()
        if connection.unsent:
            self.sent(connection, connection.unsent)

    async def _do_the_rest(self, connection: Connection, writer: asyncio.StreamWriter, exchange: Exchange) -> None:
        """Do what there is to do after a line, where that is more than to answer.

        Raises:
            Boom: if that is what it says.
        """
        if exchange.boomed:
            raise Boom
        if connection.link is not None:
            if exchange.answer:  # it is not sent
                connection.link.answer(exchange.answer)
                exchange.answer = b""
            await self._follow(connection.link, connection, writer)
        if exchange.has_had_its_share(0):
            await asyncio.sleep(0)

    async def _follow(self, link: Link, connection: Connection, writer: asyncio.StreamWriter) -> None:
        await follow(self, link, connection, functools.partial(self._send, connection, writer))

    def _say_dropped(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        """Say the last words, if there is still somebody to hear them."""
        transport = writer.transport
        if not transport.is_closing():
            writer.write(DROPPED)
        if not transport.is_closing():  # else it has found out just now that its peer is gone
            left = transport.get_write_buffer_size()
            self.tally.count_sent(connection, len(DROPPED) - left, left)

    def _failed(self, connection: Connection, error: Exception) -> str:
        """Tell what a handler raised. Returns the outcome in words."""
        outcome = outcome_of(error)
        if not isinstance(error, OSError):
            self.handler_failed(connection, error, outcome)
        return outcome

    # -- what EchoServer asks for ---------------------------------------------------------------------------

    def boom(self, connection: Connection, error: Exception) -> None:
        reader = self._readers.get(connection.id)
        if reader is not None and connection.state is ConnectionState.OPEN:
            # The pending readline raises it, or the next one. Where the handler hangs in drain, that has to end too.
            reader.set_exception(error)
            if connection.unsent and reader.writer is not None:
                self._abort(connection, reader.writer)
            wake(connection)

    def has_to_boom(self, connection: Connection) -> bool:
        reader = self._readers.get(connection.id)
        return reader is not None and reader.exception() is not None

    def interrupt(self, connection: Connection, why: str) -> None:
        task = self._tasks.get(connection.id)
        if task is not None:
            task.cancel(why)


class _Reader(asyncio.StreamReader):
    """asyncio's own, with what belongs to the same peer."""

    deadline: asyncio.Timeout | Endless | None = None
    """What somebody reads under, if there is a limit: who sends a part of a line is not idle either."""
    writer: asyncio.StreamWriter | None = None
    """What answers the same peer, until it is closed."""

    def __init__(self, server: StreamsServer, connection: Connection) -> None:
        super().__init__(limit=LONGEST_LINE)
        self.server = server
        self.connection = connection

    def set_exception(self, exc: Exception) -> None:
        if isinstance(exc, OSError):  # the connection is lost, and its socket not closed yet
            self.server.count_taken(self.connection)
        super().set_exception(exc)


class StreamsProtocol(asyncio.StreamReaderProtocol):
    """asyncio's own, but what its transport has read is counted at once: a line may be long in coming."""

    def __init__(self, reader: _Reader) -> None:
        super().__init__(reader)
        self._reader = reader
        self._connection = reader.connection
        self._received = reader.server.received

    def data_received(self, data: bytes) -> None:
        self._received(self._connection, data)
        self._reader.feed_data(data)


class ImpatientProtocol(StreamsProtocol):
    """The same under an idle limit: who sends a part of a line is not idle."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        deadline = self._reader.deadline
        if deadline is not None and not deadline.expired():
            limit = self._reader.server.desk.settings.idle_timeout or 0
            deadline.reschedule(asyncio.get_running_loop().time() + limit)


async def _open(reader: _Reader, sock: socket.socket) -> asyncio.StreamWriter:
    """Give an accepted socket to a reader; return its writer."""
    loop = asyncio.get_running_loop()
    limited = reader.server.desk.settings.idle_timeout is not None
    protocol = (ImpatientProtocol if limited else StreamsProtocol)(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock)
    transport.set_write_buffer_limits(high=0)  # drain waits until all is taken
    return asyncio.StreamWriter(transport, protocol, reader, loop)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write.

    Raises:
        ConnectionResetError: on uvloop if the connection is lost; asyncio says so at the next `drain`.
    """
    try:
        writer.write(data)
    except RuntimeError as error:
        raise _lost(writer, error) from error


def _lost(writer: asyncio.StreamWriter, error: RuntimeError) -> Exception:
    """Return what uvloop means by refusing to write: that the connection is lost, if it is."""
    return ConnectionResetError("Connection lost") if writer.transport.is_closing() else error


async def _close(writer: asyncio.StreamWriter) -> None:
    """Send what was written, but not for longer than `LAST_WORDS`, and close."""
    writer.close()
    too_late = asyncio.get_running_loop().call_later(LAST_WORDS, writer.transport.abort)
    try:
        with contextlib.suppress(OSError):  # it was lost while it closed
            await writer.wait_closed()
    finally:
        too_late.cancel()
        writer.transport.abort()
