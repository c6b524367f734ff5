"""The director: injects the faults of a script when they are due, by a clock that it is told."""

from random import Random

from ..events import Accepted
from ..journal import Entry
from ..lab import Lab
from .active import ActiveFault
from .parameters import BadFault
from .script import FaultStep, Script

#: How many accepted connections of a server are remembered by their order.
REMEMBERED = 100_000


class Director:
    """Follows a script.

    Args:
        seed: what the seeds of its faults are made of; the script's own unless given.
    """

    def __init__(self, lab: Lab, script: Script, seed: int | None = None) -> None:
        self.injected: list[tuple[FaultStep, ActiveFault]] = []
        """What was injected, in order."""
        self.failed: list[tuple[FaultStep, str]] = []
        """The steps that could not be done, and why."""
        self._lab = lab
        seed = script.seed if seed is None else seed
        self._waiting = [
            (step, Random(f"{seed}/{at}").randrange(2**32))  # noqa: S311 - to be repeatable, and no secret
            for at, step in enumerate(script.steps)
        ]
        self._ends: list[tuple[float, ActiveFault]] = []
        self._accepted: dict[str, list[int]] = {name: [] for name in lab.servers}
        self._before = {name: server.record.bytes_in for name, server in lab.servers.items()}
        lab.journal.subscribe(self._note)
        lab.faults.keeps_time = False

    def close(self) -> None:
        """End the faults that are not over, and stop following."""
        self._lab.journal.unsubscribe(self._note)
        self._lab.faults.keeps_time = True
        for _, fault in reversed(self.injected):
            fault.undo()

    @property
    def never_due(self) -> list[FaultStep]:
        """The steps that have not been due yet."""
        return [step for step, _ in self._waiting]

    def turn(self, now: float) -> None:
        """Do what is due `now` seconds after the beginning: end faults first, then inject others."""
        for due, fault in [*self._ends]:
            if due <= now:
                self._ends.remove((due, fault))
                fault.undo()
        for step, seed in [*self._waiting]:
            absent = step.after.server is not None and step.after.server not in self._lab.servers
            if absent or self._is_due(step, now):
                self._waiting.remove((step, seed))
                self._do(step, seed, now)

    def _is_due(self, step: FaultStep, now: float) -> bool:
        after = step.after
        if after.server is None:
            return now >= after.seconds
        if after.accepts:
            return len(self._accepted[after.server]) >= after.accepts
        return self._lab.servers[after.server].record.bytes_in - self._before[after.server] >= after.bytes

    def _do(self, step: FaultStep, seed: int, now: float) -> None:
        target: int | str | None = step.server
        try:
            for server in (step.after.server, step.server):
                self._lab.faults.check_server(server)
            if step.connection is not None and step.server is not None:
                target = self._connection(step.server, step.connection)
            fault = self._lab.faults.inject(
                step.fault, target, step.params, duration=step.lasts, toxicity=step.toxicity, seed=seed
            )
        except BadFault as error:
            self.failed.append((step, str(error)))
            return
        self.injected.append((step, fault))
        if step.lasts is not None:
            self._ends.append((now + step.lasts, fault))

    def _connection(self, server: str, number: int) -> int:
        accepted = self._accepted[server]
        if len(accepted) < number:
            raise BadFault(f"{server} has accepted {len(accepted)} connections, not {number}")
        return accepted[number - 1]

    def _note(self, entry: Entry) -> None:
        event = entry.event
        if isinstance(event, Accepted) and len(self._accepted[event.server]) < REMEMBERED:
            self._accepted[event.server].append(event.connection)
