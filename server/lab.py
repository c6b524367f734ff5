"""The lab: servers, journal, records and signals, wired together. The one object a screen or `serve` holds.

Whoever holds it reads `records`, `connections`, `journal` and `vitals`, and gives commands; it draws nothing,
and nothing in here waits for anybody who looks.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import Any, Self

from . import events
from .client import BuiltInClient
from .faults.room import Faults
from .journal import Journal
from .observe.observation import Observation
from .records import Connection, Connections, ConnectionState, ServerRecord, ServerState, Treatment
from .servers import SERVERS
from .servers.base import GIVE_UP_TIME, EchoServer
from .servers.books import Desk
from .servers.outcomes import KeyboardBoom
from .servers.sockets import SocketsServer
from .settings import SERVER_NAMES, Settings
from .shutdown import GRACE, Drain, Signals
from .suspension import Suspension
from .tcp import TcpInfo
from .vitals import Pulse, Turns, Vitals
from .waterfall import Shutdown, What, new_history

#: How many built-in clients may chat at once.
MOST_CLIENTS = 100


class Refused(Exception):
    """A command that cannot be done now; the message says why, for people."""


class Lab:
    """Echo servers on the running loop, and all that is known of them.

    Use it as an async context manager: it starts on entry; on leaving it ends what is still open, at once.

    Args:
        settings: which servers, where, and their time limits.
        journal: where events go; a new one unless given.
        signals: whether SIGINT, SIGTERM and SIGHUP are taken over while it is open; only in the main thread.
        echo_complaints: whether asyncio's complaints go to the `asyncio` logger too, as they do without a lab.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal | None = None,
        *,
        signals: bool = False,
        echo_complaints: bool = False,
    ) -> None:
        self.settings = settings
        self.journal = Journal() if journal is None else journal
        self.connections = Connections()
        self.started_at = monotonic()
        self._desk = Desk(settings, self.journal, self.connections, built_in_peers=set())
        names = SERVER_NAMES if settings.servers is None else settings.servers
        self.servers: dict[str, EchoServer] = {name: SERVERS[name](self._desk) for name in names}
        for server in self.servers.values():
            server.record.wanted = settings.servers is not None or not server.on_demand
        self.records: list[ServerRecord] = [server.record for server in self.servers.values()]
        self.faults = Faults(self._desk, self.servers)
        """The faults that can be injected, are active, and were."""
        self._suspension = Suspension(self.journal, self._resumed)
        self._pulse = Pulse(
            self.records,
            [self.journal.allow_details, self._suspension.beat, self._measure],
            self._count_busy,
            self._turns,
        )
        self.on_sample = self._pulse.listeners
        """Called once a second, when the `vitals` are new."""
        self._echo_complaints = echo_complaints
        self._clients: set[asyncio.Task[None]] = set()
        self._stops: set[asyncio.Task[None]] = set()
        self._hung_up = False
        self.observation: Observation | None = None
        """What is known of the loop this runs on; None while it is not open, or on a loop that is not observed."""
        self.shutdowns = new_history()
        """The latest shutdowns, newest last, the one under way included."""
        self._shutdowns_begun = 0
        self._handled_at: float | None = None
        self._sent_at: float | None = None
        self._drain: Drain | None = None
        self._stopping: asyncio.Task[None] | None = None
        """The latest stop; `_drain` tells whether it is under way."""
        self._signals = Signals(self._signalled) if signals else None
        self.on_last_call: Callable[[signal.Signals, float], None] = lambda _signal, _seconds: None
        """Called when a signal from outside begins to end the process, with the seconds that may take."""

    @cached_property
    def ended_by(self) -> asyncio.Future[signal.Signals]:
        """Done, with the signal, once a signal from outside has stopped all servers: the process should end."""
        return asyncio.get_running_loop().create_future()

    @property
    def vitals(self) -> Vitals:
        """How the process was in the last second."""
        return self._pulse.vitals

    @property
    def draining_until(self) -> float | None:
        """Until when open connections may finish, by ``time.monotonic()``; None while nothing is stopping."""
        return None if self._drain is None else self._drain.deadline

    def tcp_info(self, connection_id: int) -> TcpInfo | None:
        """Return what the system knows of an open connection; None where it does not tell."""
        connection = self.connections.open.get(connection_id)
        return None if connection is None else self.servers[connection.server].tcp_info(connection)

    # -- its life -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._observe(asyncio.get_running_loop())
        if self._signals is not None:
            self._signals.install()
            self._suspension.install()
        await self.start()
        self._pulse.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop(drain=0)
        await self.faults.close()
        self._pulse.stop()
        if self._signals is not None:
            self._signals.uninstall()
            self._suspension.uninstall()
        self.journal.record(events.LabClosed())
        asyncio.get_running_loop().set_exception_handler(None)

    def _measure(self, _: float) -> None:
        for server in self.servers.values():
            server.measure()

    def _resumed(self) -> None:
        self._pulse.resumed()
        if self.observation is not None:
            self.observation.resumed()

    def _count_busy(self) -> None:
        for server in self.servers.values():
            server.count_busy()

    def _turns(self) -> Turns:
        if self.observation is None:
            return Turns(0.0)
        ticks = self.observation.ticks
        if ticks is None or not ticks.on:
            return Turns(self.observation.stalls.take_worst())
        longest = ticks.take_longest()
        return Turns(longest, longest, ticks.ran)

    def _observe(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop, if it is an observed one, tell our journal what it does."""
        self.observation = getattr(loop, "observation", None)
        if self.observation is not None:
            self.observation.attach(self.journal)
        if not self._echo_complaints:
            # The journal has them. asyncio's own handler would be invisible under a full-screen app, or write over it.
            loop.set_exception_handler(_say_nothing)

    async def start(self) -> None:
        """Start every wanted server that is not serving; each says in its record whether it does."""
        self.faults.servers_start()
        for server in self.servers.values():
            if server.record.wanted:
                await server.start()

    async def stop(self, drain: float | None = None, cause: str = "the program") -> None:
        """Stop every server; open connections have `drain` seconds to finish (`Settings.drain` unless given).

        Called again while it is under way, it waits for the same stop; with ``drain=0`` it cuts that short. `cause` is
        who wants it, for the record in `shutdowns`.
        """
        seconds = self.settings.drain if drain is None else drain
        if self._drain is None:
            if all(record.state in (ServerState.STOPPED, ServerState.FAILED) for record in self.records):
                self._handled_at = self._sent_at = None
                return
            shutdown = self._begin_shutdown(cause, seconds)
            self._drain = Drain(list(self.servers.values()), self.connections, self.journal, shutdown)
            # Where tasks are eager it may be over at once, so this alone does not tell whether it is under way.
            self._stopping = asyncio.get_running_loop().create_task(self._stop(self._drain), name="shutdown")
        elif seconds == 0:
            self._drain.cut_short(cause)
        if self._stopping is not None:
            await asyncio.shield(self._stopping)

    async def _stop(self, drain: Drain) -> None:
        try:
            for client in self._clients:
                client.cancel("the servers stop")
            if self._clients:
                await asyncio.wait(self._clients)
            self.faults.servers_stop()
            await self.faults.settle()
            await drain.run()
        finally:
            self.faults.undo_all("the servers have stopped")
            self._drain = None

    # -- commands -------------------------------------------------------------------------------------------

    async def restart(self) -> None:
        """Start the servers that are stopped or could not listen.

        Raises:
            Refused: while they are still stopping.
        """
        if self._drain is not None:
            raise Refused("the servers are still stopping; a second signal cuts that short")
        await self.start()

    async def start_server(self, name: str) -> None:
        """Start one server; its record says whether it serves. From now on it is started whenever the others are.

        Raises:
            Refused: if there is no such server here, or while it is stopping.
        """
        server = self._server(name)
        if self._drain is not None or server.record.state is ServerState.DRAINING:
            raise Refused(f"{name} is still stopping")
        server.record.wanted = True
        await server.start()

    async def stop_server(self, name: str, drain: float = 0) -> None:
        """Stop one server; its connections have `drain` seconds to finish. It is not started again unasked.

        Raises:
            Refused: if there is no such server here.
        """
        server = self._server(name)
        server.record.wanted = False
        if server.record.state is not ServerState.SERVING:
            return
        server.release()
        server.stop_accepting()
        if server.own and not (drain and await _within(drain, server.wait_until_none_is_open())):
            for connection in server.own:
                server.end(connection, f"{name} was stopped")
            await _within(GRACE, server.wait_until_none_is_open())
        await server.stop()

    def boom(self, connection_id: int) -> None:
        """Let the handler of a connection raise, as if its peer had said boom.

        Raises:
            Refused: if the connection is not being served any more.
        """
        connection = self._served(connection_id)
        self.servers[connection.server].boom(connection, KeyboardBoom())

    def interrupt(self, connection_id: int, by: str = "the keyboard") -> None:
        """Cancel the task of a connection, or close the connection where it has none, or has none any more.

        Raises:
            Refused: if the connection is closed already.
        """
        connection = self.connections.open.get(connection_id)
        if connection is None:
            raise Refused(f"connection {connection_id} is closed already")
        server = self.servers[connection.server]
        if server.has_tasks and connection.state is ConnectionState.OPEN:
            self.journal.record(events.CancelAsked(connection.server, connection.id, connection.peer, by))
            server.end(connection, f"cancelled by {by}")
        else:
            server.end(connection, f"closed by {by}")

    def treat(self, treatment: Treatment | None = None) -> Treatment:
        """Switch what the `sockets` server does with a failing task: to `treatment`, or to the next one.

        Raises:
            Refused: if the `sockets` server is not part of this lab.
        """
        server = self.servers.get(SocketsServer.name)
        if not isinstance(server, SocketsServer):
            raise Refused("only the sockets server has tasks that can fail, and it is not running here")
        order = list(Treatment)
        server.treatment = treatment or order[(order.index(server.treatment) + 1) % len(order)]
        return server.treatment

    def chat(self, server_name: str) -> None:
        """Let a built-in client connect to a server and chat, until the server hangs up.

        Raises:
            Refused: if the server is not serving, or `MOST_CLIENTS` chat already.
        """
        record = self.servers[server_name].record
        if record.state is not ServerState.SERVING:
            raise Refused(f"{server_name} is not serving ({record.state}), nobody can connect")
        if len(self._clients) >= MOST_CLIENTS:
            raise Refused(f"{MOST_CLIENTS} built-in clients chat already")
        client = BuiltInClient(self._desk, self.servers[server_name]).task
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    def send_signal(self, number: signal.Signals) -> None:
        """Really send a signal to this process. The servers stop; the process goes on.

        Raises:
            Refused: if the lab does not handle signals, so that it would simply end the process, or if this one is
                ignored, so that nothing would happen.
        """
        if self._signals is None:
            raise Refused("signals are not handled here")
        if signal.getsignal(number) is signal.SIG_IGN:
            raise Refused(f"{number.name} is ignored here: whoever has started this process wants it so")
        self._signals.send(number)

    def _server(self, name: str) -> EchoServer:
        if name not in self.servers:
            raise Refused(f"there is no server {name} here, but {', '.join(self.servers)}")
        return self.servers[name]

    def _served(self, connection_id: int) -> Connection:
        connection = self.connections.open.get(connection_id)
        if connection is None:
            raise Refused(f"connection {connection_id} is closed already")
        if connection.state is ConnectionState.LEFT_OPEN:
            raise Refused(f"connection {connection_id} has no handler any more: its socket was left open")
        if connection.state is ConnectionState.ENDED:
            raise Refused(f"connection {connection_id} has ended already: a fault closes its socket late")
        return connection

    # -- signals --------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """End as SIGHUP would: the terminal is gone, and the system has not told us with a signal."""
        if not self.ended_by.done() and self._drain is None and not self._stops:
            self._hung_up = True
            self._signalled(signal.SIGHUP, None)

    def _signalled(self, number: signal.Signals, sent_at: float | None) -> None:
        own = sent_at is not None
        origin = "this keyboard" if own else "outside"
        self.journal.record(events.SignalReceived(number.name, origin))
        if number is signal.SIGHUP and sent_at is None and self._hung_up and self._stops:
            self._hung_up = False  # the system tells late what we have seen ourselves: it is no second signal
            return
        again = self._drain is not None or bool(self._stops)  # the first may have come in this very turn
        if not again:
            self._handled_at, self._sent_at = monotonic(), sent_at
        stop = asyncio.get_running_loop().create_task(
            self.stop(0 if again else None, f"{number.name} from {origin}"), name="on-signal"
        )
        self._stops.add(stop)
        stop.add_done_callback(self._stops.discard)
        if not own:
            self.on_last_call(number, (0 if again else self.settings.drain) + GRACE + GIVE_UP_TIME)
            stop.add_done_callback(lambda _: self._end_by(number))

    def _begin_shutdown(self, cause: str, drain: float) -> Shutdown:
        """Begin a record. Its time begins with the signal, if there was one and it is known when that was sent."""
        handled_at, sent_at = self._handled_at, self._sent_at
        self._handled_at = self._sent_at = None
        now = monotonic()
        began_at = sent_at or handled_at or now
        shutdown = Shutdown(self._shutdowns_begun + 1, cause, drain, began_at)
        self._shutdowns_begun = shutdown.id
        if handled_at is not None:
            if sent_at is not None:
                signalled = shutdown.begin(What.SIGNAL, cause, began=0.0)
                shutdown.end(signalled, "arrived", self.journal, at=handled_at - began_at)
            handler = shutdown.begin(What.HANDLER, cause, began=handled_at - began_at)
            shutdown.end(handler, "the servers are told", self.journal)
        self.shutdowns.append(shutdown)
        return shutdown

    def _end_by(self, number: signal.Signals) -> None:
        if not self.ended_by.done():
            self.ended_by.set_result(number)


def _say_nothing(loop: asyncio.AbstractEventLoop, context: object) -> None:
    """Be an exception handler that leaves it to the journal."""


async def _within(seconds: float, waiting: Coroutine[Any, Any, None]) -> bool:
    """Return whether this ended within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return False
    return True
