"""Stopping: from the signal to the last byte.

The order is always the same, and each step is in the journal: *stopping* (listeners are closed), then open
connections have their time to finish, *clean up* (who has not finished is ended), *stopped*.
A second signal cuts the waiting short.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Sequence
from time import monotonic

from . import events
from .journal import Entry, Journal
from .records import Connection, Connections, ConnectionState, ServerState
from .servers.base import EchoServer
from .servers.outcomes import GIVEN_UP
from .waterfall import Shutdown, Step, What

#: The signals that ask for an end.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: How long connections that were told to end may take to do so, in seconds, before they are given up.
GRACE = 0.5

#: How many turns of the loop connections have to end by themselves, also where they have no time: whose peer has hung
#: up already is woken in the first, reads so in the second, and closes in those that follow.
TURNS = 4


class Drain:
    """One graceful stop of servers.

    Args:
        shutdown: the record of it, with how long open connections have to finish.
    """

    def __init__(
        self, servers: Sequence[EchoServer], connections: Connections, journal: Journal, shutdown: Shutdown
    ) -> None:
        self._servers = servers
        self._connections = connections
        self._journal = journal
        self._enough = asyncio.Event()
        """Nobody waits any longer for connections to finish: all have, or there is no time left."""
        self._steps: dict[int, Step | None] = {}
        self._late: set[int] = set()
        self._failed: set[int] = set()
        self.shutdown = shutdown
        self.deadline = monotonic() + shutdown.drain
        """When the time to finish is over, by ``time.monotonic()``."""

    def cut_short(self, by: str) -> None:
        """Do not wait any longer for connections to finish, and note what that loses."""
        shutdown = self.shutdown
        if not shutdown.cut_short:
            open_now = [*self._connections.open.values()]
            owed = sum(self._server_of(connection).owed(connection) for connection in open_now)
            event = events.CutShort(by, round(shutdown.now, 6), shutdown.drain, len(open_now), owed, shutdown.id)
            shutdown.cut_short = event.sentence
            self._journal.record(event)
        self.deadline = min(self.deadline, monotonic())
        self._enough.set()

    async def run(self) -> None:
        """Stop the servers. Returns when they have stopped."""
        shutdown, journal = self.shutdown, self._journal
        self._begin_steps()
        journal.record(events.Stopping(shutdown.open_then, shutdown.drain, shutdown.id))
        journal.subscribe(self._note)
        try:
            self._close_listeners()
            for server in self._servers:
                server.release()
            await self._until_finished_or_hurried()
            await self._end_stragglers()
            left = len(self._connections.open)
            for server in self._servers:
                if server.record.state is not ServerState.DRAINING:
                    continue
                step = shutdown.begin(What.SERVER, server.name, server=server.name)
                await server.stop()
                shutdown.end(step, "stopped", journal)
        finally:
            journal.unsubscribe(self._note)
        shutdown.took = shutdown.now
        journal.record(events.Stopped(round(shutdown.took, 6), left, shutdown.id))

    def _begin_steps(self) -> None:
        """Every open connection is asked to finish, and has a step of its own until it is closed.

        Those that a failed handler left open count as well: they are open, and closed at once.
        """
        self.shutdown.open_then = len(self._connections.open)
        for connection in self._connections.open.values():
            if connection.state is ConnectionState.LEFT_OPEN:
                self._failed.add(connection.id)
            name = f"{connection.id} {connection.peer}"
            self._steps[connection.id] = self.shutdown.begin(
                What.CONNECTION, name, server=connection.server, connection=connection.id
            )

    def _close_listeners(self) -> None:
        for server in self._servers:
            if server.record.state is ServerState.SERVING:
                name = f"{server.record.host}:{server.record.port}"
                step = self.shutdown.begin(What.LISTENER, name, server=server.name)
                server.stop_accepting()
                self.shutdown.end(step, "closed", self._journal)

    async def _until_finished_or_hurried(self) -> None:
        # An event and a timer, and no tasks that would have to be cancelled: in what is shown of the loop every
        # cancellation should be one that somebody asked for.
        if self._connections.open:
            left = max(0, self.deadline - monotonic())
            timer = asyncio.get_running_loop().call_later(left, self._enough.set)
            await self._enough.wait()
            timer.cancel()
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def _end_stragglers(self) -> None:
        shutdown = self.shutdown
        stragglers = list(self._connections.open.values())
        late = sum(connection.id in self._steps for connection in stragglers)  # not who came after the signal
        finished = shutdown.open_then - len(self._failed) - late
        self._journal.record(events.CleaningUp(finished, len(stragglers), round(shutdown.now, 6), shutdown.id))
        for connection in stragglers:
            self._end(connection)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._connections.wait_until_none_is_open()

    def _end(self, connection: Connection) -> None:
        server = self._server_of(connection)
        doing = server.doing(connection)
        self._journal.record(events.Straggler(connection.server, connection.id, connection.peer, doing))
        step = self._steps.get(connection.id)
        if step is not None:
            step.doing = doing
        self._late.add(connection.id)
        server.end(connection, "not finished when the drain time was over")

    def _server_of(self, connection: Connection) -> EchoServer:
        return next(server for server in self._servers if server.name == connection.server)

    def _note(self, entry: Entry) -> None:
        """A connection is closed: its step is over, and after the last one so is the waiting."""
        event = entry.event
        if not isinstance(event, events.Closed):
            return
        if event.reason == GIVEN_UP:
            outcome = "given up: it did not end when it was asked to"
        elif event.connection in self._failed:
            outcome = "ended at once: its handler had failed"
        elif event.connection in self._late:
            outcome = "cancelled, and ended" if self._has_tasks(event.server) else "ended"
        else:
            outcome = f"finished: {event.reason}"
        self.shutdown.end(self._steps.pop(event.connection, None), outcome, self._journal, entry.fault)
        if not self._connections.open:
            self._enough.set()

    def _has_tasks(self, name: str) -> bool:
        return next(server for server in self._servers if server.name == name).has_tasks


class Signals:
    """SIGINT, SIGTERM and SIGHUP, brought onto the loop.

    Args:
        on_signal: called on the loop with the signal, and when `send` has sent it, by ``time.monotonic()``; None
            if it came from outside.
    """

    def __init__(self, on_signal: Callable[[signal.Signals, float | None], None]) -> None:
        self._on_signal = on_signal
        self._own: list[tuple[signal.Signals, float]] = []

    def install(self) -> None:
        """Take the signals over, on the running loop. It has to run in the main thread.

        One of the terminal's that is ignored stays so. That is how ``nohup`` asks for a process that outlives its
        terminal, and a shell without job control for one in the background: ctrl+c is not meant for it.
        """
        self._loop = asyncio.get_running_loop()
        for number in SIGNALS:
            if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                self._loop.add_signal_handler(number, self._arrived, number)

    def uninstall(self) -> None:
        """Give the signals back."""
        for number in SIGNALS:
            self._loop.remove_signal_handler(number)

    def send(self, number: signal.Signals) -> None:
        """Really send a signal to this very process, and know it again when it arrives."""
        self._own.append((number, monotonic()))
        os.kill(os.getpid(), number)

    def _arrived(self, number: signal.Signals) -> None:
        own = next((sent for sent in self._own if sent[0] == number), None)
        if own is not None:
            self._own.remove(own)
        self._on_signal(number, None if own is None else own[1])


def close_loop(runner: asyncio.Runner, journal: Journal, shutdown: Shutdown | None) -> None:
    """End what is left of a loop that has done its work, and tell: its executor is joined, then it is closed.

    Work in the executor that outlives everything else is waited for (C3): a thread cannot be ended from outside.
    """
    if shutdown is None:
        runner.close()
        return
    loop = runner.get_loop()
    step = shutdown.begin(What.EXECUTOR, "default executor")
    loop.run_until_complete(loop.shutdown_default_executor())
    shutdown.end(step, "joined", journal)
    step = shutdown.begin(What.LOOP, type(loop).__name__)
    runner.close()
    shutdown.end(step, "closed", journal)


def leave_after(seconds: float, status: int, restore_terminal: Callable[[], None]) -> None:
    """End the process with `status` after `seconds`, whatever else hangs, unless it has ended by then.

    The last resort of a shutdown: a terminal that takes no output any more must not keep the process alive.
    """

    def leave() -> None:
        try:
            restore_terminal()
        finally:
            os._exit(status)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
