"""The faults of servers: at the gate, down, and out of descriptors."""

import asyncio
import contextlib
import os
from typing import ClassVar

from ..events import AcceptFailed, Event
from ..records import ServerState
from ..shutdown import GRACE
from .active import ActiveFault
from .effect import Effect, Scene
from .gate import Gate, strikes
from .parameters import BadFault


def on_servers(fault: ActiveFault, scene: Scene) -> Effect:
    """Return what a fault of servers does."""
    kinds: dict[str, type[Effect]] = {
        "refuse-accepts": RefuseAccepts,
        "accept-delay": AcceptDelay,
        "down": Down,
        "no-descriptors": NoDescriptors,
    }
    return kinds[fault.kind.name](fault, scene)


class GateEffect(Effect):
    """Stands at the gate of a server."""

    def __init__(self, fault: ActiveFault, scene: Scene) -> None:
        super().__init__(fault, scene)
        self._server = scene.servers[fault.target.server or ""]
        self._chance = fault.chance("the gate")

    def begin(self) -> None:
        """Take its place."""
        gate = self._server.gate or Gate()
        gate.guards.append(self)
        self._server.gate = gate

    def end(self) -> None:
        """Leave it; without anybody there is no gate."""
        gate = self._server.gate
        if gate is not None and self in gate.guards:
            gate.guards.remove(self)
            self._server.gate = gate if gate.guards else None

    def refuses(self) -> bool:
        """Refuse nobody."""
        return False

    def refused(self, peer: str) -> None:
        """Tell that this peer was refused."""
        self.fault.radius.peers.add(f"{peer} is refused")
        self.scene.tell(self.fault, "a peer is refused", measured=peer)

    def rest(self) -> float:
        """Do not rest."""
        return 0.0

    def rested(self) -> None:
        """Tell that the server rests."""
        late = f"accepted {self.fault.number('ms'):g} ms late"
        self.fault.radius.peers.add(late)
        self.scene.tell(self.fault, f"the next one is {late}")


class RefuseAccepts(GateEffect):
    """Resets who connects."""

    def refuses(self) -> bool:
        """Refuse this one, if it is struck."""
        return strikes(self._chance, self.fault.toxicity)


class AcceptDelay(GateEffect):
    """Rests before each accept."""

    def rest(self) -> float:
        """Rest, if this accept is struck."""
        return self.fault.seconds("ms") if strikes(self._chance, self.fault.toxicity) else 0.0


class Down(Effect):
    """Stops a server, and starts it again."""

    def begin(self) -> None:
        """Stop listening, and end what is open."""
        self._server = self.scene.servers[self.fault.target.server or ""]
        if self._server.record.state is not ServerState.SERVING:
            raise BadFault(f"{self._server.name} is {self._server.record.state}: it cannot go down")
        self._is_down = asyncio.Event()
        self.scene.tell(self.fault, f"{self._server.name} stops listening")
        self._server.stop_accepting()
        for connection in self._server.own:
            connection.struck_by = self.fault.id
            self.fault.radius.touch(connection.id, "its server went down")
            self._server.end(connection, f"its server went down (fault {self.fault.id})")
        self.scene.spawn(self._go_down(), f"fault-{self.fault.id}-down")

    def end(self) -> None:
        """Listen again, unless all servers were stopped meanwhile."""
        self.scene.spawn(self._come_up(), f"fault-{self.fault.id}-up")

    async def _go_down(self) -> None:
        with contextlib.suppress(TimeoutError):  # `stop` gives up who has not ended
            async with asyncio.timeout(GRACE):
                await self._server.wait_until_none_is_open()
        await self._server.stop()
        self._server.record.why = f"down: fault {self.fault.id}"
        self._is_down.set()

    async def _come_up(self) -> None:
        await self._is_down.wait()
        self._server.record.why = ""
        if not self.scene.stopped:
            await self._server.start()


class NoDescriptors(Effect):
    """Lowers the limit of descriptors, and restores it."""

    _lowered: ClassVar[dict[int, int]] = {}
    """The limits that active faults want, by the id of the effect: the lowest counts."""
    _original: ClassVar[list[int]] = []
    """The soft and the hard limit before the first of them."""

    def begin(self) -> None:
        """Lower it to what is open, and a few to spare."""
        try:
            import resource
        except ImportError:
            raise BadFault("this system has no RLIMIT_NOFILE that could be lowered") from None
        if not self._lowered:
            self._original[:] = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._lowered[id(self)] = min(_limit_with(self.fault.whole("spare")), self._original[0])
        self._apply()
        highest = min(self._lowered.values()) - 1
        self.scene.tell(
            self.fault, "the limit of descriptors is lowered", measured=f"none above {highest} can be opened"
        )

    def end(self) -> None:
        """Restore it; the last one restores what it was."""
        if self._lowered.pop(id(self), None) is not None:
            self._apply()

    def explains(self, event: Event) -> bool:
        """It is the reason if a server cannot accept because too many files are open."""
        return self.fault.active and isinstance(event, AcceptFailed) and "EMFILE" in event.reason

    def _apply(self) -> None:
        import resource

        soft, hard = self._original
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(self._lowered.values(), default=soft), hard))


def _limit_with(spare: int) -> int:
    """Return the limit of descriptors that leaves so many to be opened."""
    open_now = {int(name) for name in os.listdir("/dev/fd") if _is_open(int(name))}  # noqa: PTH208 - numbers, not paths
    limit = 0
    while spare > 0 or limit in open_now:
        spare -= limit not in open_now
        limit += 1
    return limit


def _is_open(descriptor: int) -> bool:
    """Whether this is open still: the list of descriptors has in it the one it was read with."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
