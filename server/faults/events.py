"""What the journal is told of faults: injected, what they did, ended, and when everything served again."""

from ..events import Event, duration
from ..value import value


@value
class FaultInjected(Event):
    """A fault begins. With `seed` the same fault makes the same random decisions again."""

    kind = "fault_injected"
    alarming = True
    name: str
    target: str
    settings: str
    toxicity: float
    seed: int
    seconds: float | None

    @property
    def sentence(self) -> str:
        settings = f" ({self.settings})" if self.settings else ""
        limit = f" for {duration(self.seconds)}" if self.seconds is not None else ""
        return f"{self.name}{settings} into {self.target}{limit}"


@value
class FaultStruck(Event):
    """A fault has done something that is not undone with it."""

    kind = "fault_struck"
    name: str
    what: str
    measured: str | None = None
    """What was not decided but measured, or chosen by others: it differs from run to run."""
    server: str | None = None
    connection: int | None = None
    peer: str | None = None

    @property
    def sentence(self) -> str:
        return _about(self.name, self.connection, f"{self.what}: {self.measured}" if self.measured else self.what)


@value
class FaultActed(Event):
    """A fault has done what it does with every answer."""

    kind = "fault_acted"
    detail = True
    name: str
    what: str
    server: str | None = None
    connection: int | None = None
    peer: str | None = None

    @property
    def sentence(self) -> str:
        return _about(self.name, self.connection, self.what)


@value
class FaultEnded(Event):
    """A fault is over, and what can be restored is."""

    kind = "fault_ended"
    name: str
    target: str
    why: str
    lasted: float
    strikes: int

    @property
    def sentence(self) -> str:
        times = "once" if self.strikes == 1 else f"{self.strikes:,} times" if self.strikes else "never"
        return f"{self.name} in {self.target} is over after {duration(self.lasted)} ({self.why}); it has struck {times}"


@value
class Recovered(Event):
    """Every server that served before a fault has answered a probe since it ended, the last after `after` seconds."""

    kind = "recovered"
    name: str
    after: float
    servers: str

    @property
    def sentence(self) -> str:
        return f"{self.servers} answered {duration(self.after)} after {self.name} ended"


@value
class NotRecovered(Event):
    """A server that served before a fault does not answer after it."""

    kind = "not_recovered"
    alarming = True
    name: str
    servers: str
    waited: float

    @property
    def sentence(self) -> str:
        return f"{self.servers} did not answer within {duration(self.waited)} after {self.name} ended"


def _about(name: str, connection: int | None, what: str) -> str:
    return f"{name}: {what}" if connection is None else f"connection {connection}: {name}: {what}"
