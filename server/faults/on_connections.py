"""The faults of connections: a toxic in the link of each, or one blow at once."""

from collections.abc import Callable
from functools import partial

from ..records import Connection
from .active import ActiveFault
from .effect import ConnectionEffect, Effect, Scene, StrikingEffect
from .link import Link
from .steps import HalfClose, Reset
from .toxics import (
    Bandwidth,
    Corrupt,
    HalfClosePeer,
    Latency,
    LimitData,
    Part,
    ResetPeer,
    Slicer,
    SlowClose,
    StopReading,
    Toxic,
)

#: Makes a fault's part in a connection of what was asked.
TOXICS: dict[str, Callable[[Part, ActiveFault], Toxic]] = {
    "reset": lambda part, asked: ResetPeer(part, asked.whole("after")),
    "half-close": lambda part, asked: HalfClosePeer(part, asked.whole("after")),
    "stop-reading": lambda part, _: StopReading(part),
    "latency": lambda part, asked: Latency(part, asked.seconds("ms"), asked.seconds("jitter")),
    "bandwidth": lambda part, asked: Bandwidth(part, asked.whole("rate")),
    "slicer": lambda part, asked: Slicer(part, asked.whole("size"), asked.whole("spread"), asked.seconds("pause")),
    "limit-data": lambda part, asked: LimitData(part, asked.whole("bytes")),
    "corrupt": lambda part, asked: Corrupt(part, asked.whole("answers")),
    "slow-close": lambda part, asked: SlowClose(part, asked.seconds("ms")),
}

#: The toxics that act by being there, and not now and then.
ALL_THE_TIME = frozenset({"stop-reading", "slow-close"})

#: The toxics that do what is not undone with them.
FOR_GOOD = frozenset({"reset", "half-close", "limit-data", "corrupt"})


def on_connections(fault: ActiveFault, scene: Scene) -> Effect:
    """Return what a fault of connections does."""
    if fault.kind.name == "reset" and not fault.params["after"]:
        return ResetNow(fault, scene)
    if fault.kind.name == "half-close" and not fault.params["after"]:
        return HalfCloseNow(fault, scene)
    return ToxicEffect(fault, scene)


class ToxicEffect(ConnectionEffect):
    """Puts a toxic into the link of each connection, and takes it out again."""

    @property
    def over(self) -> bool:
        """Never: it has to wait for bytes."""
        return False

    def take(self, connection: Connection) -> None:
        """Put the toxic in."""
        fault = self.fault
        tell = self._struck if fault.kind.name in FOR_GOOD else self._acted
        part = Part(fault.id, fault.chance(connection.id), partial(tell, connection))
        note = fault.radius.touch if fault.kind.name in ALL_THE_TIME else fault.radius.expose
        note(connection.id, fault.kind.sentence)
        _link_of(connection).add(TOXICS[fault.kind.name](part, fault))

    def let_go(self, connection: Connection) -> None:
        """Take the toxic out; what it held back is sent."""
        link = connection.link
        if link is None:
            return
        link.remove(self.fault.id)
        if link.over and link.on_change is None:
            connection.link = None
        if not link.closes_late:
            self.server_of(connection).hurry(connection)

    def _struck(self, connection: Connection, what: str) -> None:
        self.server_of(connection).on_loop(partial(self.scene.tell, self.fault, what, connection))

    def _acted(self, connection: Connection, what: str) -> None:
        self.server_of(connection).on_loop(partial(self.scene.tell_often, self.fault, what, connection))


class ResetNow(StrikingEffect):
    """Resets at once."""

    def take(self, connection: Connection) -> None:
        """Reset it."""
        self.scene.tell(self.fault, "it is reset", connection)
        self.server_of(connection).strike(connection, Reset(self.fault.id, f"reset (fault {self.fault.id})"))


class HalfCloseNow(StrikingEffect):
    """Half-closes at once, or once what is being sent is sent."""

    def take(self, connection: Connection) -> None:
        """Half-close it."""
        self.scene.tell(self.fault, "the server sends no more", connection)
        link, step = _link_of(connection), HalfClose(self.fault.id)
        if connection.unsent or link.held:
            link.do(step)
        else:
            link.half_close()
            self.server_of(connection).strike(connection, step)


def _link_of(connection: Connection) -> Link:
    if connection.link is None:
        connection.link = Link()
    return connection.link
