"""What faults do to the answers of one connection: bytes in, steps out. Each is a few lines; none does any I/O.

Where chance decides, it is the toxic's own `random.Random`: the same seed gives the same decisions for the same bytes,
whatever other connections do meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ..value import value
from .steps import Close, HalfClose, Reset, Send, Step, Wait

#: Into how many pieces a second the answers of a limited bandwidth are cut, at most.
PIECES_A_SECOND = 20


@value
class Part:
    """A fault's part in one connection."""

    fault: int
    """The id of the fault."""
    chance: Random
    """What its random decisions are taken from."""
    tell: Callable[[str], None]
    """Told, in words, whenever it has done something."""


@dataclass(eq=False, repr=False)
class Toxic:
    """What all have in common: they let everything pass."""

    part: Part
    holds: ClassVar[bool] = False

    @property
    def fault(self) -> int:
        """The id of the fault it is a part of."""
        return self.part.fault

    @property
    def closes_late(self) -> float:
        """By how many seconds it closes the connection too late."""
        return 0.0

    def through(self, data: bytes) -> Iterator[Step]:
        """Yield what becomes of these bytes."""
        yield Send(data)


@dataclass(eq=False, repr=False)
class Latency(Toxic):
    """Sends every answer later: by `seconds`, more or less up to `jitter`."""

    seconds: float
    jitter: float

    def through(self, data: bytes) -> Iterator[Step]:
        late = max(0.0, self.seconds + self.part.chance.uniform(-self.jitter, self.jitter))
        self.part.tell(f"an answer of {len(data)} B is sent {late * 1e3:.1f} ms late")
        yield Wait(late, self.fault)
        yield Send(data)


@dataclass(eq=False, repr=False)
class Bandwidth(Toxic):
    """Sends no more than so many bytes a second."""

    rate: int

    def through(self, data: bytes) -> Iterator[Step]:
        size = max(1, self.rate // PIECES_A_SECOND)
        self.part.tell(f"an answer of {len(data)} B takes {len(data) / self.rate * 1e3:.1f} ms")
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            yield Wait(len(piece) / self.rate, self.fault)
            yield Send(piece)


#: How many segments without a pause go before the others have a turn: a long answer in small ones takes a second.
AT_ONCE = 16


@dataclass(eq=False, repr=False)
class Slicer(Toxic):
    """Sends every answer in segments of `size` bytes, more or less up to `spread`, `pause` seconds apart."""

    size: int
    spread: int
    pause: float

    def through(self, data: bytes) -> Iterator[Step]:
        start, sizes = 0, []
        while start < len(data):
            size = max(1, self.size + self.part.chance.randint(-self.spread, self.spread))
            sizes.append(min(size, len(data) - start))
            start += size
        shown = ", ".join(map(str, sizes[:8])) + (" …" if len(sizes) > 8 else "")
        self.part.tell(f"an answer of {len(data)} B goes in {len(sizes)} segments: {shown}")
        start = 0
        for number, size in enumerate(sizes):
            if start and (self.pause or number % AT_ONCE == 0):
                yield Wait(self.pause, self.fault)
            yield Send(data[start : start + size])
            start += size


@dataclass(eq=False, repr=False)
class Corrupt(Toxic):
    """Changes one byte of each of the next `answers` answers; 0 for all of them."""

    answers: int
    _done: int = 0

    def through(self, data: bytes) -> Iterator[Step]:
        if self.answers and self._done >= self.answers:
            yield Send(data)
            return
        self._done += 1
        at = self.part.chance.randrange(len(data))
        other = data[at] ^ self.part.chance.randint(1, 255)  # never the byte itself
        self.part.tell(f"byte {at + 1} of an answer of {len(data)} B is {other:#04x} in place of {data[at]:#04x}")
        yield Send(data[:at] + bytes((other,)) + data[at + 1 :])


@dataclass(eq=False, repr=False)
class StopReading(Toxic):
    """Reads nothing more: what the peer sends fills the buffers between, and then the peer has to wait."""

    holds: ClassVar[bool] = True

    def through(self, data: bytes) -> Iterator[Step]:
        # A read that was under way when the fault came has brought these.
        yield Wait(None, self.fault)
        yield Send(data)


@dataclass(eq=False, repr=False)
class After(Toxic):
    """Ends the connection in its way after so many bytes of answers."""

    limit: int
    _reached: bool = False
    done: ClassVar[str] = ""
    """What it has done then, in words."""

    def through(self, data: bytes) -> Iterator[Step]:
        if self._reached or len(data) < self.limit:
            self.limit -= len(data)
            yield Send(data)
            return
        first, self._reached = data[: self.limit], True
        self.part.tell(self.done)
        if first:
            yield Send(first)
        yield self.end()
        # Never reached, unless the fault is taken away before the end has come.
        if len(first) < len(data):
            yield Send(data[len(first) :])

    def end(self) -> Step:
        """Return the step that ends it."""
        raise NotImplementedError


@dataclass(eq=False, repr=False)
class LimitData(After):
    """Closes after so many bytes."""

    done: ClassVar[str] = "its limit of data is reached, it is closed"

    def end(self) -> Step:
        return Close(self.fault, f"closed after its limit of data (fault {self.fault})")


@dataclass(eq=False, repr=False)
class ResetPeer(After):
    """Resets after so many bytes."""

    done: ClassVar[str] = "it is reset"

    def end(self) -> Step:
        return Reset(self.fault, f"reset (fault {self.fault})")


@dataclass(eq=False, repr=False)
class HalfClosePeer(After):
    """Sends FIN after so many bytes, and nothing from then on."""

    done: ClassVar[str] = "the server sends no more"

    def end(self) -> Step:
        return HalfClose(self.fault)


@dataclass(eq=False, repr=False)
class SlowClose(Toxic):
    """Closes the connection `seconds` after it has ended."""

    seconds: float

    @property
    def closes_late(self) -> float:
        """By how many seconds it closes the connection too late."""
        return self.seconds
