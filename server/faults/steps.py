"""What a connection is to do, as data. Each server does it its own way of waiting; nothing in here does anything."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing, and read nothing, for so many seconds; None: until the faults of the connection change."""

    seconds: float | None
    fault: int


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send no more (FIN); go on reading, and answer nothing."""

    fault: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""

    fault: int
    why: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the connection with a reset (RST): what is under way is lost."""

    fault: int
    why: str


Step = Send | Wait | HalfClose | Close | Reset
