"""A server's gate: what faults make of its accepting. A server without such faults has none."""

from random import Random
from typing import Protocol


class Guard(Protocol):
    """One fault's part in a server's accepting."""

    def refuses(self, peer: str) -> bool:
        """Whether this peer is reset in place of being taken in."""
        ...

    def rest(self) -> float:
        """Return for how many seconds the server rests before it accepts the next peer."""
        ...


class Gate:
    """The faults of one server's accepting."""

    def __init__(self) -> None:
        self.guards: list[Guard] = []

    def refuses(self, peer: str) -> bool:
        """Whether this peer is reset in place of being taken in."""
        return any(guard.refuses(peer) for guard in self.guards)

    def rest(self) -> float:
        """Return for how many seconds the server rests before it accepts the next peer."""
        return max((guard.rest() for guard in self.guards), default=0.0)


def strikes(chance: Random, toxicity: float) -> bool:
    """Decide whether a fault strikes this time. It never does at 0, always at 1, and then no chance is spent."""
    return toxicity >= 1 or (toxicity > 0 and chance.random() < toxicity)
