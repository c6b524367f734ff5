"""How the conversation with one peer ends, and in which words."""

from ..conversation import Boom, LineTooLong
from ..naming import describe

#: How a connection ends whose handler did not.
GIVEN_UP = "given up: its handler did not end when it was asked to"


class Interrupt(Exception):
    """What a handler raises because its connection is ended: by the keyboard, the shutdown, a fault, its idle time."""


class Idle(Interrupt):
    """What a handler raises because its peer has said nothing for `limit` seconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        super().__init__("idle too long")


class KeyboardBoom(Boom):
    """A boom the person at the keyboard said in the peer's place."""


def outcome_of(error: Exception) -> str:
    """Return in words what becomes of a connection whose handler raised this."""
    if isinstance(error, Interrupt | LineTooLong):
        return str(error)
    return describe(error) if isinstance(error, OSError) else "handled, socket closed"
