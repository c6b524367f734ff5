"""What `sockets`, `streams` and `protocol` have in common: one coroutine that accepts, a task for each connection.

``asyncio.start_server`` and ``loop.create_server`` accept by themselves, and that is well until no descriptor is left.
Then, on asyncio, one accept that fails complains as often as the backlog is long, and tries again as often, also once
the server is closed; on uvloop, libuv accepts everybody who waits and hangs up at once. So the accepting is done
here, with ``sock_accept``: it says once that it cannot, it rests, and whoever waits stays in the queue. What `streams`
and `protocol` do with the accepted socket is what those two functions do.

Of many who wait `ACCEPT_BATCH` are accepted at a stretch: asyncio's ``sock_accept`` does not let go of the loop as long
as there is another one, and their tasks would all begin at once.
"""

import asyncio
import socket
from abc import abstractmethod
from types import TracebackType
from typing import ClassVar, Self

from ..observe.task_record import record_of
from ..observe.waiting import what_a_task_waits_for
from ..records import Connection, ConnectionState
from .base import EchoServer
from .books import ACCEPT_BATCH, ACCEPT_RETRY, Desk
from .following import rest


class AcceptingServer(EchoServer):
    """A server on the app's loop that is handed its connections one by one."""

    task_name: ClassVar[str]
    """What its tasks are called, before the number of their connection."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._accepting: asyncio.Task[None] | None = None
        """The task that accepts; None when none does."""
        self._accepts = False
        """Whether it goes on accepting once it has accepted somebody."""
        self._busy_ended = 0.0
        """How long the tasks ran that have ended, in seconds."""

    @abstractmethod
    async def _handle(self, connection: Connection, sock: socket.socket) -> None:
        """Be the task of one connection."""

    def _serve(self, listener: socket.socket) -> None:
        self._listening, self._accepts = listener, True
        loop = asyncio.get_running_loop()
        self._listener = loop.create_task(self._accept(listener), name=f"{self.name}-listener")
        self._accepting = self._listener
        self._listener.add_done_callback(self._accepts_no_more)
        if self.has_tasks and record_of(self._listener) is not None:
            self.record.busy = self.record.busy or 0.0

    def _accepts_no_more(self, listener: asyncio.Task[None]) -> None:
        self._accepting = None
        self._busy_ended += _busy(listener)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        at_a_stretch = 0
        while self._accepts:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as error:
                if self.cannot_accept(error):
                    await asyncio.sleep(ACCEPT_RETRY)
                continue
            if self.gate is not None:
                await rest(self, sock)
            connection = self.take_in(sock)
            if connection is not None:
                self._begin(connection, sock)
            at_a_stretch += 1
            if at_a_stretch >= ACCEPT_BATCH:
                at_a_stretch = 0
                await asyncio.sleep(0)

    def _begin(self, connection: Connection, sock: socket.socket) -> None:
        """Give a connection its task, and keep the task for as long as it runs."""
        task = asyncio.get_running_loop().create_task(
            self._handle(connection, sock), name=f"{self.task_name}-{connection.id}"
        )
        self._tasks[connection.id] = task
        record = record_of(task)
        connection.task = None if record is None else record.id
        task.add_done_callback(_Over(self, connection))

    def connection_of(self, task: str) -> int | None:
        # From the name, and not by a search for the task's number: a shutdown tells three things of each of thousands.
        name, _, number = task.rpartition("-")
        return int(number) if name == self.task_name and number.isdecimal() else None

    def task_over(self, connection: Connection, task: asyncio.Task[None]) -> None:
        """A connection's task is done: for its `_Over`."""
        del self._tasks[connection.id]
        self._busy_ended += _busy(task)
        self._task_ended(connection, task)

    def _task_ended(self, connection: Connection, task: asyncio.Task[None]) -> None:
        """A connection's task is done, and forgotten here."""
        if task.cancelled() and connection.state is ConnectionState.OPEN:
            self.close(connection, "cancelled before its first step")

    def doing(self, connection: Connection) -> str:
        what = super().doing(connection)
        task = self._tasks.get(connection.id)
        wait = None if task is None else what_a_task_waits_for(task)
        if task is None or wait is None:
            return what
        return f"{what}; {task.get_name()} waits at {wait.what}, {wait.at}"

    def _close_listener(self) -> None:
        # A cancellation that overtakes an accept would lose the accepted socket. So nothing more becomes ready, what is
        # ready has its turn before the cancellation has, and after that one it does not wait again: for the next peer,
        # who may be there, asyncio would accept it for nobody (https://github.com/python/cpython/issues/153761).
        self._accepts = False
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listening)
        loop.call_soon(self._listener.cancel, "stop accepting")
        self._listener.add_done_callback(lambda _: self._listening.close())

    async def _stop_serving(self) -> None:
        await asyncio.wait([self._listener])
        await self._give_up()  # whom it has accepted at last

    def count_busy(self) -> None:
        # How long each step takes is noted by its task's record anyway, and summed up only here.
        if self.record.busy is not None:
            accepting = 0.0 if self._accepting is None else _busy(self._accepting)
            self.record.busy = self._busy_ended + accepting + sum(map(_busy, self._tasks.values()))


class _Over:
    """Tells a server that a connection's task is done: in a fifth of what `functools.partial` takes of each."""

    __slots__ = ("connection", "server")

    def __init__(self, server: AcceptingServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection

    def __call__(self, task: asyncio.Task[None]) -> None:
        self.server.task_over(self.connection, task)


class Endless:
    """What `asyncio.timeout` is without a limit; one serves everybody, where each of those takes 200 bytes."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go what comes."""

    def reschedule(self, when: float) -> None:
        """Do nothing: there is no limit."""

    def expired(self) -> bool:
        """Return False: there is no limit."""
        return False


_ENDLESS = Endless()


def time_limit(seconds: float | None) -> asyncio.Timeout | Endless:
    """Return what to wait under for at most so many seconds; for as long as it takes if that is None."""
    return _ENDLESS if seconds is None else asyncio.timeout(seconds)


def _busy(task: asyncio.Task[None]) -> float:
    """Return how long a task has run, in seconds; 0 where that is not known."""
    record = record_of(task)
    return 0.0 if record is None else record.busy
