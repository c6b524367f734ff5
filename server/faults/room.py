"""The room of the lab where faults are injected, kept, and undone; the one object a screen or a script asks.

fault = lab.faults.inject("latency", "sockets", {"ms": 50}, duration=2.0, seed=7)
fault.undo()
"""

import asyncio
import re
from collections import deque
from collections.abc import Coroutine, Mapping
from functools import partial
from random import SystemRandom
from time import monotonic
from typing import Any

from ..events import ClientEnded, Closed, Event
from ..records import Connection, ConnectionState, ServerState
from ..servers.base import EchoServer
from ..servers.books import Desk
from .active import ActiveFault, Target
from .catalogue import Group, Kind, On, kind_of
from .effect import Effect, Scene
from .events import FaultEnded, FaultInjected, FaultStruck, NotRecovered, Recovered
from .gate import strikes
from .on_connections import on_connections
from .on_handlers import on_handlers
from .on_loops import on_loops
from .on_servers import on_servers
from .parameters import BadFault, Values
from .recovery import until_all_answer

#: How many faults that are over stay visible.
ENDED_KEPT = 100

#: How many addresses of peers whose connection a fault has broken are remembered.
PEERS_KEPT = 1_000

#: The longest duration, in seconds.
LONGEST = 86_400.0

_BY_NAME = re.compile(r"\bfault-(\d+)-|_by_fault_(\d+)\b")
_MAKERS = {
    Group.CONNECTION: on_connections,
    Group.HANDLER: on_handlers,
    Group.SERVER: on_servers,
    Group.LOOP: on_loops,
}


class Faults:
    """The faults of one lab.

    Args:
        probe: whether to find out, after each fault, when everything serves again, with connections of its own.
    """

    def __init__(self, desk: Desk, servers: dict[str, EchoServer], *, probe: bool = True) -> None:
        self.active: dict[int, ActiveFault] = {}
        """The faults that are not over, by id."""
        self.ended: deque[ActiveFault] = deque(maxlen=ENDED_KEPT)
        """The latest that are, newest last."""
        self.injected = 0
        """How many were injected, ever; the id of the newest."""
        self.probe = probe
        self.keeps_time = True
        """Whether a fault with a duration ends by itself; if not, somebody with another clock undoes it."""
        self._desk = desk
        self._servers = servers
        self._effects: dict[int, Effect] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        """What faults have begun to do or to restore."""
        self._probes: set[asyncio.Task[None]] = set()
        """What finds out whether everything serves again."""
        self._scene = Scene(desk, servers, partial(_spawn, kept=self._tasks), self._end)
        self._struck_peers: dict[tuple[str | None, str], int] = {}
        """By server and address: the system may use a port again for another server."""
        self._random = SystemRandom()

    def get(self, fault_id: int) -> ActiveFault | None:
        """Return a fault that is active, or over and still kept."""
        return self.active.get(fault_id) or next((ended for ended in self.ended if ended.id == fault_id), None)

    # -- injecting ------------------------------------------------------------------------------------------------

    def inject(  # noqa: PLR0913 - all that can be said of a fault, most of it by name
        self,
        name: str,
        target: int | str | None = None,
        params: Mapping[str, object] | None = None,
        *,
        duration: float | None = None,
        toxicity: float = 1.0,
        seed: int | None = None,
    ) -> ActiveFault:
        """Inject a fault.

        Args:
            name: its kind, by its name in the catalogue.
            target: the id of a connection, the name of a server, or None for the loop.
            params: its parameters; those that are not given have their defaults.
            duration: after how many seconds it ends by itself; None: when it is undone, or, if it does not last, has
                struck.
            toxicity: how probable it is to strike each time it could, from 0 (never: it does nothing at all) to 1.
            seed: what its random decisions come from; one is chosen, and kept in the record, if none is given.

        Raises:
            BadFault: if that is not possible; the message says what is.
        """
        kind = kind_of(name)
        checked = kind.check(params or {})
        where = self._target(kind, target)
        if not 0 <= toxicity <= 1:
            raise BadFault(f"toxicity {toxicity!r} is not possible: 0 to 1")
        if duration is not None and not 0 < duration <= LONGEST:
            raise BadFault(f"a duration of {duration!r} s is not possible: above 0, up to {LONGEST:g} s")
        seed = self._random.randrange(2**32) if seed is None else seed
        fault = ActiveFault(self.injected + 1, kind, where, checked, toxicity, seed, monotonic(), duration, self._end)
        self._begin(fault)
        return fault

    def is_possible(self, name: str, target: int | str | None) -> bool:
        """Return whether this kind of fault can be injected into a connection, a server, or the loop, as things are."""
        try:
            self._target(kind_of(name), target)
        except BadFault:
            return False
        return True

    def check_server(self, name: str | None) -> None:
        """Let pass the name of a server that is here, and None.

        Raises:
            BadFault: if there is no such server; the message says which there are.
        """
        if name is not None and name not in self._servers:
            raise BadFault(f"there is no server {name!r} here: choose from {', '.join(self._servers)}")

    def _begin(self, fault: ActiveFault) -> None:
        effect = self._effect(fault)
        journal = self._desk.journal
        self.injected = fault.id
        self.active[fault.id] = fault
        self._effects[fault.id] = effect
        self._watch()
        journal.record(
            FaultInjected(
                fault.kind.name,
                str(fault.target),
                _shown(fault.params),
                fault.toxicity,
                fault.seed,
                fault.duration,
            ),
            fault.id,
        )
        try:
            effect.begin()
        except BadFault:
            self._effects[fault.id] = Effect(fault, self._scene)  # It has done nothing, so there is nothing to undo.
            self._end(fault, "not possible")
            raise
        except Exception:  # a mistake in the effect itself: whoever asked for it is told, and nothing of it stays
            self._end(fault, "it has failed")
            raise
        if fault.duration is not None and not self.keeps_time:
            return
        if fault.duration is not None:
            self._timers[fault.id] = asyncio.get_running_loop().call_later(
                fault.duration, self._end, fault, "its time is over"
            )
        elif effect.over:
            self._end(fault, "it has struck")

    def _effect(self, fault: ActiveFault) -> Effect:
        if fault.toxicity == 0 or (fault.kind.decided_once and not strikes(fault.chance("whether"), fault.toxicity)):
            return Effect(fault, self._scene)
        return _MAKERS[fault.kind.group](fault, self._scene)

    def _target(self, kind: Kind, target: int | str | None) -> Target:
        match target:
            case None:
                where = Target(On.LOOP)
            case str():
                self.check_server(target)
                where = Target(On.SERVER, server=target)
            case _:
                connection = self._desk.connections.open.get(target)
                if connection is None:
                    raise BadFault(f"connection {target} is not open")
                if connection.state is not ConnectionState.OPEN:
                    raise BadFault(f"connection {target} has no handler any more: it is {connection.state}")
                where = Target(On.CONNECTION, connection.id, connection.server)
        if where.on not in kind.targets:
            allowed = " or ".join(f"a {on}" if on is not On.LOOP else "the loop" for on in kind.targets)
            raise BadFault(f"{kind.name} cannot be injected into {where}: it needs {allowed}")
        why = {} if where.server is None else self._servers[where.server].cannot
        if kind.name in why:
            raise BadFault(f"{where.server} cannot have {kind.name}: {why[kind.name]}")
        if kind.needs_tasks and where.server is not None and not self._servers[where.server].has_tasks:
            able = [name for name, server in self._servers.items() if server.has_tasks]
            others = f": choose {' or '.join(able)}" if able else ""
            raise BadFault(f"{kind.name} needs a task for each connection, and {where.server} has none{others}")
        return where

    # -- ending ---------------------------------------------------------------------------------------------------

    def undo_all(self, why: str = "undone") -> None:
        """End every fault, the newest first."""
        for fault in reversed([*self.active.values()]):
            self._end(fault, why)

    def _end(self, told: ActiveFault, why: str) -> None:
        # Who undoes a fault while the view is paused has a copy of it, which may not have heard that it is over.
        fault = self.active.get(told.id)
        if fault is None:
            return
        fault.ended_at = monotonic()
        del self.active[fault.id]
        if len(self.ended) == ENDED_KEPT:
            del self._effects[self.ended[0].id]
        self.ended.append(fault)
        timer = self._timers.pop(fault.id, None)
        if timer is not None:
            timer.cancel()
        self._effects[fault.id].end()
        self._desk.journal.record(
            FaultEnded(
                fault.kind.name, str(fault.target), why, round(fault.ended_at - fault.began_at, 6), fault.strikes
            ),
            fault.id,
        )
        if not self.active:
            self._look_away()
        if self.probe and not self._scene.stopped:
            _spawn(self._until_recovered(fault), f"recovery-of-fault-{fault.id}", self._probes)

    async def _until_recovered(self, fault: ActiveFault) -> None:
        """Note when everything serves again. What else is wrong meanwhile, by other faults, counts too."""
        await asyncio.sleep(0)
        should = [
            server.record
            for server in self._servers.values()
            if (server.record.state is ServerState.SERVING or server.name == fault.target.server)
            and not (server.one_at_a_time and server.record.open)
        ]
        took, silent = await until_all_answer(self._desk, should)
        names = ", ".join(record.name for record in should)
        if silent:
            event: Event = NotRecovered(fault.name, ", ".join(silent), round(took, 6))
        else:
            fault.recovered_after = took
            event = Recovered(fault.name, round(took, 6), names)
        self._desk.journal.record(event, fault.id)

    async def settle(self) -> None:
        """Wait for what faults have begun to do or to restore, such as a server that goes down or comes up."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def servers_stop(self) -> None:
        """The lab begins to stop its servers: no fault starts one again, nobody probes."""
        self._scene.stopped = True
        for probe in self._probes:
            probe.cancel("the servers stop")

    def servers_start(self) -> None:
        """The lab starts its servers."""
        self._scene.stopped = False

    async def close(self) -> None:
        """End every fault and all that is still going on for one."""
        self.servers_stop()
        self.undo_all("the lab closes")
        if going_on := self._tasks | self._probes:
            await asyncio.wait(going_on)

    # -- watching -------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        self._desk.journal.witness = self._witness
        if self._meet not in self._desk.newcomers:
            self._desk.newcomers.append(self._meet)

    def _look_away(self) -> None:
        """Nobody meets a fault any more. What the last ones have caused may still come to light: the witness stays."""
        if self._meet in self._desk.newcomers:
            self._desk.newcomers.remove(self._meet)

    def _meet(self, connection: Connection) -> None:
        for fault_id in [*self.active]:
            if fault_id in self.active:
                self._effects[fault_id].meet(connection)

    def _witness(self, event: Event, fault_id: int | None) -> int | None:
        """Say which fault has caused an event, and note it in its blast radius."""
        if event.detail:
            return fault_id
        if fault_id is None:
            fault_id = self._known_cause(event)
        if isinstance(event, Closed):
            self._closed(event)
        elif isinstance(event, FaultStruck) and event.peer is not None and fault_id is not None:
            self._remember((event.server, event.peer), fault_id)
        fault = None if fault_id is None else self.get(fault_id)
        if fault is not None:
            fault.radius.take(event)
        elif event.alarming:
            for active in self.active.values():
                active.radius.during[event.kind] += 1
        return fault_id

    def _known_cause(self, event: Event) -> int | None:
        connection_id = event.about_connection
        task = str(getattr(event, "task", None) or "")
        named = _BY_NAME.search(task) or _BY_NAME.search(str(getattr(event, "message", None) or ""))
        if named is not None:
            return int(named[1] or named[2])
        if connection_id is None and task:
            whose = (server.connection_of(task) for server in self._servers.values())
            connection_id = next((found for found in whose if found is not None), None)
        if connection_id is not None:
            connection = self._desk.connections.get(connection_id)
            return None if connection is None else connection.struck_by
        if isinstance(event, ClientEnded):
            return self._struck_peers.get((event.server, event.peer))
        if not event.alarming:
            return None
        return next((fault_id for fault_id in reversed(self._effects) if self._effects[fault_id].explains(event)), None)

    def _closed(self, event: Closed) -> None:
        """A connection is closed: a fault of it alone is over; its peer may still have something to say."""
        connection = self._desk.connections.get(event.connection)
        if connection is not None and connection.struck_by is not None:
            self._remember((event.server, event.peer), connection.struck_by)
        for fault in self.active.values():
            if fault.target.on is On.CONNECTION and fault.target.connection == event.connection:
                asyncio.get_running_loop().call_soon(self._end, fault, "its connection is closed")

    def _remember(self, peer: tuple[str | None, str], fault_id: int) -> None:
        """Remember by which fault the connection of this peer was broken."""
        self._struck_peers[peer] = fault_id
        while len(self._struck_peers) > PEERS_KEPT:
            del self._struck_peers[next(iter(self._struck_peers))]


def _spawn(coro: Coroutine[Any, Any, None], name: str, kept: set[asyncio.Task[None]]) -> None:
    """Begin something, and keep it among these until it is done."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    kept.add(task)
    task.add_done_callback(kept.discard)


def _shown(params: Values) -> str:
    return ", ".join(f"{name} {value}" for name, value in params.items())
