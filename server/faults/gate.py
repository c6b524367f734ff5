"""A server's gate: what faults make of its accepting. A server without such faults has none."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Protocol


class Guard(Protocol):
    """One fault's part in a server's accepting."""

    def refuses(self) -> bool:
        """Decide whether the next peer is reset in place of being taken in."""
        ...

    def refused(self, peer: str) -> None:
        """Tell that this peer was refused."""
        ...

    def rest(self) -> float:
        """Decide for how many seconds the server rests before it accepts the next peer."""
        ...

    def rested(self) -> None:
        """Tell that it rests."""
        ...


class Gate:
    """The faults of one server's accepting.

    Who asks may do so on any thread, and calls on the loop's what is returned to tell of the answer.
    """

    def __init__(self) -> None:
        self.guards: list[Guard] = []

    def refuses(self, peer: str) -> Callable[[], None] | None:
        """Return what tells that this peer is reset in place of being taken in; None if it is not."""
        guard = next((guard for guard in tuple(self.guards) if guard.refuses()), None)
        return None if guard is None else partial(guard.refused, peer)

    def rest(self) -> tuple[float, Callable[[], None]]:
        """Return for how many seconds the server rests before it accepts the next peer, and what tells so."""
        rests = [(guard.rest(), guard.rested) for guard in tuple(self.guards)]
        return max(rests, key=lambda rest: rest[0], default=(0.0, _nothing))


def _nothing() -> None:
    """There is nothing to tell."""


def strikes(chance: Random, toxicity: float) -> bool:
    """Decide whether a fault strikes this time. It never does at 0, always at 1, and then no chance is spent."""
    return toxicity >= 1 or (toxicity > 0 and chance.random() < toxicity)
