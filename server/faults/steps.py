"""What a connection is to do, as data. Each server does it its own way of waiting; nothing in here does anything."""

from ..value import value


@value
class Send:
    """Send these bytes."""

    data: bytes


@value
class Wait:
    """Do nothing, and read nothing, for so many seconds; None: until the faults of the connection change."""

    seconds: float | None
    fault: int


@value
class HalfClose:
    """Send no more (FIN); go on reading, and answer nothing."""

    fault: int


@value
class Close:
    """Close the connection."""

    fault: int
    why: str


@value
class Reset:
    """Close the connection with a reset (RST): what is under way is lost."""

    fault: int
    why: str


Step = Send | Wait | HalfClose | Close | Reset
