"""A script is run in rounds: in each, every client says a line and waits for its echo; faults begin and end between.

So time is counted in rounds, of `BEAT` seconds by the script's own clock: a round that takes longer, because a client
waits for an echo that does not come, holds that clock up. Which bytes meet which fault does not depend on how fast
this machine is, and the same seed makes the same events. What happens to different connections in one round has no
order of its own.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from ..events import Accepted
from ..journal import Entry, Journal
from ..lab import Lab
from ..naming import address, family_of
from ..records import ServerRecord
from ..settings import Settings
from .active import ActiveFault
from .catalogue import On
from .director import Director
from .script import Expectation, FaultStep, Script

#: How long a round takes at least, in seconds: also the tick of the script's clock.
BEAT = 0.05

#: How many rounds there are at most, after the last fault has ended, to see everything recover; in seconds.
RECOVERY_TIME = 10.0


@dataclass(frozen=True, slots=True)
class Lost:
    """A client that did not get its echo."""

    client: str
    round: int
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one expectation was met."""

    expectation: Expectation
    met: bool | None
    """None where the script was interrupted: `why` is how it was until then, and nothing is decided."""
    why: str


@dataclass
class Report:
    """What came of a script."""

    journal: Journal
    seed: int
    injected: list[tuple[FaultStep, ActiveFault]] = field(default_factory=list)
    """The steps that were done, and the fault of each, in order."""
    echoes: int = 0
    """How many lines came back whole."""
    lost: list[Lost] = field(default_factory=list)
    others_lost: list[Lost] = field(default_factory=list)
    """Those of clients that no fault was meant for."""
    failed: list[tuple[FaultStep, str]] = field(default_factory=list)
    """Steps that could not be done."""
    recoveries: dict[int, float | None] = field(default_factory=dict)
    """How many seconds after the end of each fault, by id, every client had its echo; None: never (yet)."""
    verdicts: list[Verdict] = field(default_factory=list)
    interrupted: bool = False
    """Whether it was stopped before its end."""

    @property
    def faults(self) -> list[ActiveFault]:
        """The faults of the script that were injected, in order."""
        return [fault for _, fault in self.injected]

    @property
    def passed(self) -> bool:
        """Whether every step was done, and every expectation met."""
        return not self.failed and all(verdict.met for verdict in self.verdicts)


OnRound = Callable[[float, list[str]], None]
"""Told before each round what the script's clock says, and in words the steps that are done, or have failed, now."""


async def run_script(
    script: Script,
    seed: int | None = None,
    *,
    interrupt: asyncio.Future[Any] | None = None,
    on_round: OnRound = lambda _clock, _done: None,
) -> Report:
    """Run a script on a lab of its own, with clients of its own.

    Args:
        script: what to do, and what is expected.
        seed: in place of the script's own.
        interrupt: once it is done the script goes no further, and the report is of what there was until then.
        on_round: told how far it is.

    Raises:
        OSError: if a server could not listen.
    """
    settings = Settings(port=0, servers=script.servers, drain=0.0)
    journal = Journal(100_000, detail_rate=None)
    async with Lab(settings, journal) as lab:
        for record in lab.records:
            if record.why:
                raise OSError(f"{record.name}: {record.why}")
        run = _Run(lab, script, script.seed if seed is None else seed, on_round)
        return await run.run(asyncio.get_running_loop().create_future() if interrupt is None else interrupt)


class _Run:
    def __init__(self, lab: Lab, script: Script, seed: int, on_round: OnRound) -> None:
        self.lab, self.script, self.on_round = lab, script, on_round
        self.report = Report(lab.journal, seed)
        lab.faults.probe = False
        self.clients = [
            _Client(server.record, number + 1, script.patience)
            for server in lab.servers.values()
            for number in range(1 if server.one_at_a_time else script.clients)
        ]
        self.meant: set[_Client] = set()
        self.whole_at: list[float] = []
        """When the rounds ended in which every client had its echo."""
        self.arriving: _Client | None = None
        """The client that was the last to begin to connect."""
        self.accepted = asyncio.Event()
        """Whether that one is accepted."""

    async def run(self, interrupt: asyncio.Future[Any]) -> Report:
        """Go through all rounds unless interrupted, and judge."""
        director = Director(self.lab, self.script, self.report.seed)
        self.lab.journal.subscribe(self._note_accepted)
        going = asyncio.get_running_loop().create_task(self._go(director), name="script")
        try:
            await asyncio.wait([going, interrupt], return_when=asyncio.FIRST_COMPLETED)
        finally:
            going.cancel("the script is interrupted")
            await asyncio.wait([going])
            self.lab.journal.unsubscribe(self._note_accepted)
            for client in self.clients:
                client.close()
        report = self.report
        report.interrupted = going.cancelled()
        if not report.interrupted:
            going.result()
            report.failed += [(step, "it was never due") for step in director.never_due]
        self._note_recoveries()
        self._judge()
        return report

    async def _go(self, director: Director) -> None:
        rounds = round(self.script.seconds / BEAT)
        try:
            await self._connect()
            for number in range(rounds):
                due = monotonic()
                done, failed = len(director.injected), len(director.failed)
                director.turn(number * BEAT)
                self._note_meant(director)
                told = [step.told(fault.target.connection) for step, fault in director.injected[done:]]
                told += [f"{step}: {why}" for step, why in director.failed[failed:]]
                self.on_round(number * BEAT, told)
                await self._round(number, due)
        finally:
            director.close()
            self.report.failed = [*director.failed]
            self.report.injected = director.injected
        await self._recover(rounds)

    def _note_meant(self, director: Director) -> None:
        for _, fault in director.injected:
            target = fault.target
            for client in self.clients:
                of_server = target.on is On.SERVER and client.server.name == target.server
                if of_server or (target.on is On.CONNECTION and self._is(client, target.connection)):
                    self.meant.add(client)

    def _is(self, client: "_Client", connection_id: int | None) -> bool:
        connection = self.lab.connections.get(connection_id or 0)
        if connection is None or connection.server != client.server.name:
            return False
        return connection.peer == client.peer  # the system may use a port again for another server

    async def _connect(self) -> None:
        """Connect who is not connected, and wait until each has its echo, or has none in time.

        The next one begins once the one before is accepted, so that the order of connections is always the same. Where
        a server does not accept within a client's patience, nobody waits for it any more.
        """
        slow: set[str] = set()
        async with asyncio.TaskGroup() as arrivals:
            for client in [client for client in self.clients if client.sock is None]:
                name = client.server.name
                if not await self._begins(client, arrivals, wait=name not in slow):
                    slow.add(name)

    async def _begins(self, client: "_Client", arrivals: asyncio.TaskGroup, *, wait: bool) -> bool:
        """Have a client begin to connect. Returns False if waiting for it was in vain: it was not accepted in time."""
        self.arriving = client
        self.accepted.clear()
        arrival = arrivals.create_task(client.connect(), name=f"arrival-of-{client.name}")
        if not wait:
            return True
        accepted = arrivals.create_task(self.accepted.wait(), name=f"accept-of-{client.name}")
        patience = self.script.patience
        done, _ = await asyncio.wait([arrival, accepted], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if arrival in done and client.sock is not None:  # a thread answers before the loop knows that it has accepted
            await asyncio.wait([accepted], timeout=patience)
        accepted.cancel()
        return bool(done)

    def _note_accepted(self, entry: Entry) -> None:
        event, client = entry.event, self.arriving
        if isinstance(event, Accepted) and client is not None and client.is_peer(event.server, event.peer):
            self.accepted.set()

    async def _round(self, number: int, due: float) -> None:
        """Let every client say a line that is due now: what holds the loop up before it is said makes it late too.

        Those who have hung up come again first. How long that takes makes nobody late.
        """
        await asyncio.sleep(0)  # what a fault has begun does first what it does to the loop
        late = monotonic() - due
        await self._connect()
        at = monotonic() - late
        loop = asyncio.get_running_loop()
        rounds = [loop.create_task(client.echo(number, at), name=f"round-of-{client.name}") for client in self.clients]
        outcomes = await asyncio.gather(*rounds)
        for client, why in zip(self.clients, outcomes, strict=True):
            if why is None:
                self.report.echoes += 1
                continue
            lost = Lost(client.name, number, why)
            self.report.lost.append(lost)
            if client not in self.meant:
                self.report.others_lost.append(lost)
        if not any(outcomes):
            self.whole_at.append(monotonic())
        await asyncio.sleep(max(0.0, due + BEAT - monotonic()))

    async def _recover(self, number: int) -> None:
        last = max((fault.ended_at or 0.0 for fault in self.report.faults), default=0.0)
        give_up_at = monotonic() + RECOVERY_TIME
        while not (self.whole_at and self.whole_at[-1] >= last) and monotonic() < give_up_at:
            self.on_round(number * BEAT, [])
            await self._round(number, monotonic())
            number += 1

    def _note_recoveries(self) -> None:
        for fault in self.report.faults:
            ended_at = fault.ended_at or 0.0
            whole = next((when for when in self.whole_at if when >= ended_at), None)
            self.report.recoveries[fault.id] = None if whole is None else whole - ended_at

    def _judge(self) -> None:
        for expectation in self.script.expectations:
            met, why = self._judgement(expectation)
            self.report.verdicts.append(Verdict(expectation, None if self.report.interrupted else met, why))

    def _judgement(self, expectation: Expectation) -> tuple[bool, str]:
        report, value = self.report, expectation.value
        match expectation.kind:
            case "others_keep_echoing":
                others = len(self.clients) - len(self.meant)
                if report.others_lost:
                    first = report.others_lost[0]
                    return (
                        False,
                        f"{len(report.others_lost)} lost, first {first.client} in round {first.round}: {first.why}",
                    )
                return True, f"{others} clients got back all they said"
            case "recovers_within":
                never = [fault for fault in report.faults if report.recoveries[fault.id] is None]
                if never:
                    return False, f"not all echo again after {never[0].name}"
                longest = max((took or 0.0 for took in report.recoveries.values()), default=0.0)
                return longest <= value, f"it took {longest:.3f} s"
            case "broken":
                broken = len({lost.client for lost in report.lost})
                return broken == value, f"{broken} did"
            case _:
                complaints = sum(fault.radius.complaints.count for fault in report.faults)
                return complaints == value, f"there were {complaints}"


class _Client:
    """A client that says a line each round."""

    def __init__(self, server: ServerRecord, number: int, patience: float) -> None:
        self.server = server
        self.name = f"client {number} of {server.name}"
        self.sock: socket.socket | None = None
        self.peer = ""
        self._patience = patience

    async def connect(self) -> None:
        """Connect, and say hello: whoever has had its echo is accepted. No error if that fails."""
        try:
            sock = socket.socket(family_of(self.server.host))
        except OSError:  # a fault may have taken the descriptors
            return
        sock.setblocking(False)
        self.sock = sock
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.get_running_loop().sock_connect(sock, (self.server.host, self.server.port))
        except OSError:
            self.close()
            return
        self.peer = address(sock.getsockname())
        if await self._say(f"HELLO FROM {self.name}\r\n".upper().encode()) is not None:
            self.close()

    def is_peer(self, server: str, peer: str) -> bool:
        """Return whether this is what a server has accepted: it may be before `connect` goes on."""
        return server == self.server.name and self.sock is not None and address(self.sock.getsockname()) == peer

    def close(self) -> None:
        """Hang up. No error if it is not connected."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    async def echo(self, number: int, due: float) -> str | None:
        """Say a line that is due at this time and wait for its echo. Returns None, or why it has hung up."""
        why = await self._say(f"{self.name}, ROUND {number}\r\n".upper().encode())
        if why is None and monotonic() - due > self._patience:
            why = "no echo in time"  # whoever blocks the loop keeps it from noticing meanwhile
        if why is not None:
            self.close()
        return why

    async def _say(self, line: bytes) -> str | None:
        if self.sock is None:
            return "cannot connect"
        loop = asyncio.get_running_loop()
        heard = b""
        try:
            async with asyncio.timeout(self._patience):
                await loop.sock_sendall(self.sock, line)
                while len(heard) < len(line):
                    more = await loop.sock_recv(self.sock, len(line) - len(heard))
                    if not more:
                        return "the server hung up"
                    heard += more
        except TimeoutError:
            return "no echo in time"
        except ConnectionError:
            return "the connection was reset"
        return None if heard == line else "something else came back"
