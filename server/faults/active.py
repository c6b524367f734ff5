"""One injected fault: what was asked, what it has done, and the way to undo it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from ..value import value
from .catalogue import Kind, On
from .parameters import Values
from .radius import BlastRadius


@value
class Target:
    """What a fault is injected into: a connection by id, a server by name, or the loop."""

    on: On
    connection: int | None = None
    server: str | None = None
    """The server, also that of the connection."""

    def __str__(self) -> str:
        match self.on:
            case On.CONNECTION:
                return f"connection {self.connection} of {self.server}"
            case On.SERVER:
                return str(self.server)
            case _:
                return "the loop"


@dataclass(slots=True, eq=False)
class ActiveFault:
    """A fault that was injected, active or over. Times are `time.monotonic`, in seconds."""

    id: int
    kind: Kind
    target: Target
    params: Values
    toxicity: float
    """How probable it is to strike, from 0 to 1, each time it could: each connection, accept or repetition."""
    seed: int
    began_at: float
    duration: float | None
    """After how many seconds it ends by itself; None: when it is undone, or has struck if it does not last."""
    _undo: Callable[["ActiveFault", str], None] = field(repr=False)
    radius: BlastRadius = field(default_factory=BlastRadius, repr=False)
    strikes: int = 0
    """How often it has struck."""
    ended_at: float | None = None
    recovered_after: float | None = None
    """How many seconds after its end every free server has answered a probe; None if not known (yet)."""

    @property
    def name(self) -> str:
        """How it is called: ``fault 3 (latency)``."""
        return f"fault {self.id} ({self.kind.name})"

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.ended_at is None

    def undo(self) -> None:
        """End it, and restore what can be restored (`Kind.undo`). No error if it is over."""
        self._undo(self, "undone")

    def chance(self, about: object = "") -> Random:
        """Return what its random decisions about this are taken from: always the same for the same seed."""
        return Random(f"{self.seed}/{about}")  # noqa: S311 - faults are to be repeatable, and no secret

    def number(self, name: str) -> float:
        """Return a parameter that is a number."""
        return float(self.params[name])

    def whole(self, name: str) -> int:
        """Return a parameter that is a whole number."""
        return int(self.params[name])

    def seconds(self, name: str) -> float:
        """Return a parameter that is given in milliseconds, in seconds."""
        return self.number(name) / 1e3
