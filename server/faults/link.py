"""A connection's link: what its faults make of the bytes it answers. Without any I/O, like the conversation.

A connection without faults has no link (`Connection.link` is None), and costs a server that one look. With one, a
server hands its answers in with `answer`, and does what `next` says until that says None, which means: read on.

What is promised, whatever the faults:

* Bytes leave in the order they came, none lost and none doubled, unless a fault says so: *corrupt* changes a byte,
  *half-close* loses what it can no longer send, and a closing fault closes.
* While there is a step left to do nothing more is read from the peer: that is the backpressure of every server.
* `remove` restores exactly: waits of that fault end, closes of it that have not happened do not happen, and the bytes
  it has held back are sent.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from .steps import HalfClose, Send, Step, Wait


class Toxic(Protocol):
    """One fault's part in one connection."""

    @property
    def fault(self) -> int:
        """The id of the fault."""
        ...

    @property
    def holds(self) -> bool:
        """Whether nothing may be read at all."""
        ...

    @property
    def closes_late(self) -> float:
        """By how many seconds the connection is closed too late."""
        ...

    def through(self, data: bytes) -> Iterator[Step]:
        """Yield what becomes of these bytes."""
        ...


class Link:
    """The faults of one connection, and the steps they have made of its answers.

    `on_change` is called when its faults have changed: whoever is waiting for one of its steps looks at `next` again.
    """

    def __init__(self) -> None:
        self.toxics: list[Toxic] = []
        self.on_change: Callable[[], None] | None = None
        self._steps: deque[Step] = deque()
        self._wait_ends: float | None = None
        self.half_closed = False
        """Whether the socket takes no more bytes."""

    @property
    def over(self) -> bool:
        """Whether no fault is left, and nothing to do: the connection needs no link any more.

        A half-close cannot be taken back, so what follows one has to come by here.
        """
        return not self.toxics and not self._steps and not self.half_closed

    @property
    def held(self) -> int:
        """How many bytes wait in here to be sent."""
        return sum(len(step.data) for step in self._steps if isinstance(step, Send))

    @property
    def holding(self) -> int | None:
        """The id of the fault that is keeping the connection waiting; None if none is."""
        if self._steps and isinstance(first := self._steps[0], Wait):
            return first.fault
        return next((toxic.fault for toxic in self.toxics if toxic.holds), None)

    @property
    def closes_late(self) -> float:
        """By how many seconds the connection is closed too late."""
        return max((toxic.closes_late for toxic in self.toxics), default=0.0)

    def add(self, toxic: Toxic) -> None:
        """Let a fault have its part from now on, after those that are there already."""
        self.toxics.append(toxic)
        self._changed()

    def remove(self, fault: int) -> None:
        """Take a fault away, with what it was about to do."""
        kept = [toxic for toxic in self.toxics if toxic.fault != fault]
        if len(kept) == len(self.toxics):
            return
        self.toxics = kept
        if self._steps and isinstance(self._steps[0], Wait) and self._steps[0].fault == fault:
            self._wait_ends = None
        self._steps = deque(step for step in self._steps if isinstance(step, Send) or step.fault != fault)
        self._changed()

    def half_close(self) -> None:
        """Note that the socket takes no more bytes: FIN was sent."""
        self.half_closed = True

    def do(self, step: Step) -> None:
        """Take a step that is to be done once what is held has been sent."""
        self._steps.append(step)
        self._changed()

    def answer(self, data: bytes) -> None:
        """Take bytes that are to be sent."""
        steps: Iterator[Step] = iter((Send(data),))
        for toxic in self.toxics:
            steps = _through(toxic, steps)
        self._steps.extend(steps)

    def next(self, now: float) -> Step | None:
        """Return what is to be done at this time, in seconds of any steady clock; None if nothing is.

        Every step but `Wait` is handed out once. `Wait` is handed out, with what is left of it, until it is over; one
        of no time at all once, so that others have their turn.
        """
        while self._steps:
            step = self._steps[0]
            if isinstance(step, Wait):
                if self._wait_ends is None:
                    self._wait_ends = math.inf if step.seconds is None else now + step.seconds
                    return step
                if now < self._wait_ends:
                    return Wait(None if self._wait_ends == math.inf else self._wait_ends - now, step.fault)
                self._wait_ends = None
            self._steps.popleft()
            match step:
                case Wait():
                    continue
                case Send() if self.half_closed:
                    continue  # it is lost
                case HalfClose():
                    self.half_closed = True
            return step
        holder = next((toxic.fault for toxic in self.toxics if toxic.holds), None)
        return None if holder is None else Wait(None, holder)

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _through(toxic: Toxic, steps: Iterator[Step]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Send):
            yield from toxic.through(step.data)
        else:
            yield step
