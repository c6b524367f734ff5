"""The `sockets` server: asyncio's own socket calls, one task a connection.

The listener is one coroutine around ``sock_accept``; every connection gets a task that alternates between
``sock_recv`` and ``sock_sendall``. A peer that does not read suspends its own task in ``sock_sendall``, so nothing
more is read from it; at most one read (`RECEIVE_SIZE`) is held in memory for it.

What becomes of a task that *fails* is `SocketsServer.treatment`, and can be switched at any time; it is looked at
when a task fails. In all three the others go on:

* handled: the task catches its exception, tells the journal, and closes its socket (A10);
* unretrieved: the exception leaves the task and nobody keeps the task. When it is collected, at once in CPython
  unless it is part of a reference cycle, asyncio complains "Task exception was never retrieved". Nobody closes
  the socket: it stays open until the server stops (A8);
* retained: the same, but the tasks are kept in a list, so asyncio says nothing until the list is gone, which is when
  the server stops (A9). The journal tells what asyncio does not.
"""

import asyncio
import contextlib
import functools
import socket

from .. import events
from ..conversation import Boom
from ..exchange import FAIR_SHARE, Exchange
from ..faults.link import Link
from ..naming import describe
from ..records import Connection, ConnectionState, Treatment
from .accepting import AcceptingServer, time_limit
from .base import RECEIVE_SIZE
from .books import Desk, socket_of
from .following import follow, wake
from .outcomes import Idle, Interrupt, outcome_of


class SocketsServer(AcceptingServer):
    """Waits by ``await sock_accept``, ``sock_recv`` and ``sock_sendall``."""

    name = "sockets"
    waits_by = "await sock_recv"
    has_tasks = True
    task_name = "echo"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.record.treatment = Treatment.HANDLED
        self._booms: dict[int, Exception] = {}
        self._retained: dict[int, asyncio.Task[None]] = {}

    @property
    def treatment(self) -> Treatment:
        """What is done with a task that fails."""
        return self.record.treatment or Treatment.HANDLED

    @treatment.setter
    def treatment(self, treatment: Treatment) -> None:
        if treatment is not self.treatment:
            self.record.treatment = treatment
            self.desk.journal.record(events.TreatmentSwitched(self.name, treatment))

    # -- serving --------------------------------------------------------------------------------------------

    async def _handle(  # noqa: C901, PLR0912, PLR0915 - a coroutine for a part takes a quarter KiB of every connection
        self, connection: Connection, sock: socket.socket
    ) -> None:
        """The life of one connection's task: it echoes until its peer closes, or says boom."""
        outcome = "ended"
        exchange = Exchange(self.tally, connection)
        loop = asyncio.get_running_loop()
        limit = self.desk.settings.idle_timeout
        deadline = None
        boomed = False
        try:
            while True:
                try:
                    async with time_limit(limit) as deadline:
                        if connection.link is not None:  # it may hold what was to be sent when a cancellation came
                            await self._follow(connection.link, connection, sock)
                            boomed = exchange.boomed
                        while not boomed and (data := await loop.sock_recv(sock, RECEIVE_SIZE)):
                            if answer := exchange.take(data):
                                await loop.sock_sendall(sock, answer)
                            if exchange.settle():
                                boomed = await self._do_the_rest(connection, sock, exchange)
                            if limit is not None:
                                deadline.reschedule(loop.time() + limit)
                    boomed = boomed or connection.id in self._booms
                    break
                except asyncio.CancelledError:
                    if connection.manners is None or not await connection.manners.cancelled():
                        raise
                    self.cut_off(connection)
                except OSError as error:
                    # The system may have waited for its peer in vain: that is a TimeoutError as well.
                    if isinstance(error, TimeoutError) and deadline is not None and deadline.expired():
                        raise Idle(limit or 0) from None
                    boomed = connection.id in self._booms
                    if not boomed:
                        raise
                    break
            if boomed:
                raise self._booms.pop(connection.id, None) or Boom()  # noqa: TRY301 - as if the peer's word raised
            outcome = self.half_closed(connection)
        except asyncio.CancelledError as cancelled:
            outcome = str(cancelled) or "cancelled"
            raise
        except Interrupt as interrupt:
            outcome = str(interrupt)
            if isinstance(interrupt, Idle):
                self.idle(connection, interrupt.limit)
        except OSError as error:
            outcome = describe(error)
        except Exception as error:
            outcome = self._failed(connection, error)
            if connection.state is ConnectionState.LEFT_OPEN:
                raise
        finally:
            # An `asyncio.timeout` knows its task, the task its exception, and the exception this frame: such a cycle
            # would delay the complaint of A8.
            deadline = None
            if connection.state is ConnectionState.OPEN:
                self.cut_off(connection)
                self.close(connection, outcome)

    def _task_ended(self, connection: Connection, task: asyncio.Task[None]) -> None:
        """A connection's task is done: keep it or let it go. Nobody here asks for its exception."""
        self._booms.pop(connection.id, None)
        if connection.state is ConnectionState.LEFT_OPEN and self._treatment_of(connection) is Treatment.RETAINED:
            self._retained[connection.id] = task
        elif connection.state is ConnectionState.OPEN:
            self.close(connection, "cancelled before its first step")

    def _treatment_of(self, connection: Connection) -> Treatment:
        """Return what is done with the task of this connection if it fails: a fault may want it otherwise."""
        manners = connection.manners
        return self.treatment if manners is None or manners.treatment is None else manners.treatment

    def _failed(self, connection: Connection, error: Exception) -> str:
        """Decide what becomes of a failed handler's connection. Returns the outcome in words."""
        treatment = self._treatment_of(connection)
        if treatment is Treatment.HANDLED:
            outcome = outcome_of(error)
            self.handler_failed(connection, error, outcome)
            return outcome
        outcome = f"{treatment}, socket left open"
        self.handler_failed(connection, error, outcome)
        self.leave_open(connection, outcome)
        if treatment is Treatment.RETAINED:
            self.desk.journal.record(
                events.FailedSilently(self.name, connection.id, connection.peer, describe(error)), connection.struck_by
            )
        return outcome

    async def _do_the_rest(self, connection: Connection, sock: socket.socket, exchange: Exchange) -> bool:
        """Do what there is to do after a read, where that is more than to answer. Return whether to raise."""
        if connection.has_to_boom:
            return True
        if exchange.answer:  # it is not sent
            if connection.link is None:
                await self._send(connection, sock, exchange.answer)
            else:
                connection.link.answer(exchange.answer)
            exchange.answer = b""
        if connection.link is not None:
            await self._follow(connection.link, connection, sock)
        if exchange.boomed:
            return True
        if exchange.has_had_its_share(FAIR_SHARE):
            await asyncio.sleep(0)
        return False

    async def _follow(self, link: Link, connection: Connection, sock: socket.socket) -> None:
        await follow(self, link, connection, functools.partial(self._send, connection, sock))

    async def _send(self, connection: Connection, sock: socket.socket, data: bytes) -> None:
        """Send a part of an answer, when faults want it sent."""
        connection.unsent = len(data)
        await asyncio.get_running_loop().sock_sendall(sock, data)
        if connection.unsent:  # else it was cut off just now, and counted
            self.sent(connection, len(data))

    def cut_off(self, connection: Connection) -> None:
        self.count_taken(connection)  # `sock_sendall` does not tell

    # -- what EchoServer asks for ---------------------------------------------------------------------------

    def boom(self, connection: Connection, error: Exception) -> None:
        if connection.id in self._tasks:
            # A task cannot be made to raise from outside other than by cancelling it, which would be another
            # story. So its peer's side falls silent for it: the pending read returns, and the handler raises.
            # Where it hangs in a write instead, that has to fail too.
            self._booms[connection.id] = error
            connection.has_to_boom = True
            how = socket.SHUT_RDWR if connection.unsent else socket.SHUT_RD
            self.cut_off(connection)
            with contextlib.suppress(OSError):  # the peer has reset just now, and the handler will notice
                socket_of(connection).shutdown(how)
            wake(connection)

    def interrupt(self, connection: Connection, why: str) -> None:
        if connection.state is ConnectionState.LEFT_OPEN:
            self.close(connection, why)  # its task has failed, though it may not have been forgotten yet
        elif connection.id in self._tasks:
            self._tasks[connection.id].cancel(why)

    def release(self) -> None:
        super().release()
        self._retained.clear()

    def release_one(self, connection: Connection, why: str) -> None:
        super().release_one(connection, why)
        self._retained.pop(connection.id, None)
