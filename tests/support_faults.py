"""What every fault has to show: its effect, what it caused, its undo, and bystanders that notice nothing."""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from support import PATIENCE, Flavour, Peer, a_lab, a_peer, connected, happens, told

from echotui.server import events
from echotui.server.faults.active import ActiveFault
from echotui.server.faults.catalogue import CATALOGUE, On
from echotui.server.faults.events import FaultEnded, Recovered
from echotui.server.lab import Lab
from echotui.server.records import ServerState
from echotui.server.servers import SERVERS


@dataclass
class Case:
    """A lab with a victim, and bystanders on the same and on other servers."""

    lab: Lab
    server: str
    victim: Peer
    bystanders: list[Peer]
    fault: ActiveFault = field(init=False)

    def inject(self, name: str, params: dict[str, object] | None = None, **options: Any) -> ActiveFault:
        """Inject a fault into the victim, its server or the loop: the closest that is possible."""
        on = CATALOGUE[name].targets[0]
        closest: dict[On, int | str | None] = {
            On.CONNECTION: self.victim.connection.id,
            On.SERVER: self.server,
            On.LOOP: None,
        }
        self.fault = self.lab.faults.inject(name, closest[on], params, **{"seed": 1, **options})
        return self.fault

    async def bystanders_echo(self, rounds: int = 3) -> None:
        """Check that every bystander gets back what it says, while whatever happens happens."""
        for number in range(rounds):
            said = f"BYSTANDER, ROUND {number}\r\n".encode() * 50
            for bystander in self.bystanders:
                assert await bystander.echoes(said)

    async def is_restored(self) -> None:
        """Check that the fault is over and nothing of it is left: not for bystanders, nor for who comes later."""
        lab = self.lab
        await happens(lab, FaultEnded, name=self.fault.kind.name)
        await happens(lab, Recovered, name=self.fault.name)
        assert self.fault.recovered_after is not None
        assert lab.faults.active == {}
        for server in lab.servers.values():
            assert server.gate is None
            if server.record.state is not ServerState.SERVING or (server.one_at_a_time and server.record.open):
                continue
            async with a_peer(lab, server.name) as later:
                assert later.connection.link is None
                assert later.connection.manners is None
                assert await later.echoes(b"WHO COMES LATER\r\n" * 100)
        for bystander in self.bystanders:
            assert bystander.connection.link is None
            assert bystander.connection.manners is None
            assert bystander.connection.struck_by is None
        await self.bystanders_echo(1)


@asynccontextmanager
async def a_case(server: str, *flavours: Flavour, may_complain: bool = False, **settings: Any) -> AsyncIterator[Case]:
    """Run a lab with a victim on `server`, and a bystander on every server."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with a_lab(*flavours, may_complain=may_complain, **settings) as lab:
        await lab.start_server(server)
        serving = [one.name for one in lab.servers.values() if one.record.state is ServerState.SERVING]
        async with a_peer(lab, server) as victim:
            async with _bystanders(lab, [name for name in serving if not SERVERS[name].one_at_a_time]) as bystanders:
                yield Case(lab, server, victim, bystanders)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limit


@asynccontextmanager
async def _bystanders(lab: Lab, servers: list[str]) -> AsyncIterator[list[Peer]]:
    if not servers:
        yield []
        return
    async with a_peer(lab, servers[0]) as peer, _bystanders(lab, servers[1:]) as others:
        yield [peer, *others]


async def soon(condition: Callable[[], bool]) -> None:
    """Return once this is true of some record; records are plain data and tell nobody."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def is_slower(answer: Awaitable[bool], seconds: float) -> bool:
    """Whether an answer comes, and takes at least so long."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await answer
    return loop.time() - began >= seconds


def caused(case: Case, kind: type[events.Event]) -> list[events.Event]:
    """Return the events of this kind that carry the fault's id."""
    journal = case.lab.journal
    return [entry.event for entry in journal.since(0) if isinstance(entry.event, kind) and entry.fault == case.fault.id]


__all__ = ["Case", "a_case", "caused", "connected", "is_slower", "soon", "told"]
