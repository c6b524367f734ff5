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
from .journal import Journal
from .records import Connection, Connections
from .servers.base import EchoServer

#: The signals that ask for an end.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: How long connections that were told to end may take to do so, in seconds, before they are given up.
GRACE = 0.5


class Drain:
    """One graceful stop of servers.

    Args:
        seconds: how long open connections have to finish.
    """

    def __init__(
        self, servers: Sequence[EchoServer], connections: Connections, journal: Journal, seconds: float
    ) -> None:
        self._servers = servers
        self._connections = connections
        self._journal = journal
        self._hurry = asyncio.Event()
        self.seconds = seconds
        self.deadline = monotonic() + seconds
        """When the time to finish is over, by ``time.monotonic()``."""

    def cut_short(self) -> None:
        """Do not wait any longer for connections to finish."""
        self.deadline = min(self.deadline, monotonic())
        self._hurry.set()

    async def run(self) -> None:
        """Stop the servers. Returns when they have stopped."""
        began = monotonic()
        for server in self._servers:
            server.release()
        open_then = len(self._connections.open)
        self._journal.record(events.Stopping(open_then, self.seconds))
        for server in self._servers:
            server.stop_accepting()
        await self._until_finished_or_hurried()
        stragglers = list(self._connections.open.values())
        self._journal.record(
            events.CleaningUp(open_then - len(stragglers), len(stragglers), round(monotonic() - began, 6))
        )
        for connection in stragglers:
            self._end(connection)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._connections.wait_until_none_is_open()
        left = len(self._connections.open)
        for server in self._servers:
            await server.stop()
        self._journal.record(events.Stopped(round(monotonic() - began, 6), left))

    async def _until_finished_or_hurried(self) -> None:
        loop = asyncio.get_running_loop()
        finished = loop.create_task(self._connections.wait_until_none_is_open(), name="drained")
        hurried = loop.create_task(self._hurry.wait(), name="hurried")
        await asyncio.wait(
            [finished, hurried], timeout=max(0, self.deadline - monotonic()), return_when=asyncio.FIRST_COMPLETED
        )
        for waiter in (finished, hurried):
            waiter.cancel()
        await asyncio.wait([finished, hurried])

    def _end(self, connection: Connection) -> None:
        doing = (
            f"it has not read {connection.unsent} B of its answers"
            if connection.unsent
            else "it was waiting for its peer to say something"
        )
        self._journal.record(events.Straggler(connection.server, connection.id, connection.peer, doing))
        server = next(server for server in self._servers if server.name == connection.server)
        server.end(connection, "not finished when the drain time was over")


class Signals:
    """SIGINT, SIGTERM and SIGHUP, brought onto the loop.

    Args:
        on_signal: called on the loop with the signal, and whether it was sent by `send`.
    """

    def __init__(self, on_signal: Callable[[signal.Signals, bool], None]) -> None:
        self._on_signal = on_signal
        self._own: list[signal.Signals] = []

    def install(self) -> None:
        """Take the signals over, on the running loop. It has to run in the main thread.

        A SIGHUP that is ignored stays so: that is how ``nohup`` asks for a process that outlives its terminal.
        """
        self._loop = asyncio.get_running_loop()
        for number in SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._loop.add_signal_handler(number, self._arrived, number)

    def uninstall(self) -> None:
        """Give the signals back."""
        for number in SIGNALS:
            self._loop.remove_signal_handler(number)

    def send(self, number: signal.Signals) -> None:
        """Really send a signal to this very process, and know it again when it arrives."""
        self._own.append(number)
        os.kill(os.getpid(), number)

    def _arrived(self, number: signal.Signals) -> None:
        own = number in self._own
        if own:
            self._own.remove(number)
        self._on_signal(number, own)


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
