"""What an active fault does, and the scene it does it on."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from ..events import Event
from ..records import Connection, ConnectionState
from ..servers.base import EchoServer
from ..servers.books import Desk
from .active import ActiveFault
from .catalogue import On
from .events import FaultActed, FaultStruck
from .gate import strikes


class Spawn(Protocol):
    """Makes a task that is kept until it is done."""

    def __call__(self, coro: Coroutine[Any, Any, None], name: str) -> None: ...


@dataclass(slots=True)
class Scene:
    """What faults know of the lab."""

    desk: Desk
    servers: dict[str, EchoServer]
    spawn: Spawn
    end: Callable[[ActiveFault, str], None]
    """Ends a fault by itself, and says why."""
    stopped: bool = False
    """Whether the lab has stopped its servers, so that no fault may start one again."""

    def tell(
        self, fault: ActiveFault, what: str, connection: Connection | None = None, *, measured: str | None = None
    ) -> None:
        """Say what a fault has done for good."""
        fault.strikes += 1
        if connection is None:
            event = FaultStruck(fault.kind.name, what, measured, fault.target.server)
        else:
            connection.struck_by = fault.id
            event = FaultStruck(fault.kind.name, what, measured, connection.server, connection.id, connection.peer)
        self.desk.journal.record(event, fault.id)

    def tell_often(self, fault: ActiveFault, what: str, connection: Connection) -> None:
        """Say what a fault has done with one answer, unless there is too much to say."""
        fault.strikes += 1
        fault.radius.touch(connection.id, what)
        journal = self.desk.journal
        if journal.details_open:
            event = FaultActed(fault.kind.name, what, connection.server, connection.id, connection.peer)
            journal.record(event, fault.id)
        else:
            journal.details_skipped += 1


class Effect:
    """What one active fault does."""

    def __init__(self, fault: ActiveFault, scene: Scene) -> None:
        self.fault = fault
        self.scene = scene

    @property
    def over(self) -> bool:
        """Whether it is over once it has begun, unless it was given a duration."""
        return not self.fault.kind.lasting

    def begin(self) -> None:
        """Begin, or raise `BadFault` before anything is done."""

    def meet(self, connection: Connection) -> None:
        """A connection was taken in, and has no handler yet."""

    def end(self) -> None:
        """Restore what can be restored."""

    def explains(self, event: Event) -> bool:  # noqa: ARG002 - by default a fault explains nothing
        """Whether this event, that names no fault, is known to be caused by this one."""
        return False


class ConnectionEffect(Effect):
    """What a fault does to connections: to one, or to all that a server has and gets while it is active."""

    def begin(self) -> None:
        """Meet those that are open."""
        for connection in self._open:
            self._try(connection)

    def meet(self, connection: Connection) -> None:
        """Meet one of the server's new ones."""
        if self.fault.target.on is On.SERVER and connection.server == self.fault.target.server:
            self._try(connection)

    def end(self) -> None:
        """Let go of those that are open."""
        for connection in self._open:
            self.let_go(connection)

    def take(self, connection: Connection) -> None:
        """Let the fault bear on this connection."""
        raise NotImplementedError

    def let_go(self, connection: Connection) -> None:
        """Let it bear on this connection no more. No error if it does not."""

    def server_of(self, connection: Connection) -> EchoServer:
        """Return the server a connection belongs to."""
        return self.scene.servers[connection.server]

    @property
    def _open(self) -> list[Connection]:
        target, connections = self.fault.target, self.scene.desk.connections
        if target.on is On.CONNECTION:
            found = connections.open.get(target.connection or 0)
            return [] if found is None else [found]
        return self.scene.servers[target.server or ""].own

    def _try(self, connection: Connection) -> None:
        if connection.state is not ConnectionState.OPEN:
            return
        if strikes(self.fault.chance(f"whether {connection.id}"), self.fault.toxicity):
            self.take(connection)


class StrikingEffect(ConnectionEffect):
    """What a fault does to a connection's handler, which has to be there."""

    def meet(self, connection: Connection) -> None:
        """Meet one of the server's new ones, once its handler has had its first turn."""
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.call_soon(self._meet_handled, connection))

    def _meet_handled(self, connection: Connection) -> None:
        if self.fault.active:
            super().meet(connection)
