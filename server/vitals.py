"""How the process and its loop are: CPU, memory, descriptors, lag, and what each server gets through in a second.

One timer beats four times a second; once a second the system is asked for the rest. The loop's lag is how long it let
wait what was ready: its longest turn, where turns are seen, and how late timers came. Nothing here is smoothed: every
number is of the last second.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, process_time
from typing import NamedTuple

import psutil

from .records import ServerRecord

#: How often the timer beats, in seconds.
BEAT = 0.25

_BEATS_A_SECOND = round(1 / BEAT)

#: Of how many seconds the histories are kept.
HISTORY = 300

#: Its size is how many descriptors are open, since Linux 6.2 (proc(5)); 0 before. To list it, as `psutil` does, takes
#: as long as there are descriptors: milliseconds, with thousands of connections.
_DESCRIPTORS = Path("/proc/self/fd")


@dataclass(slots=True)
class Rates:
    """What one server got through in the last second, and a history of it."""

    reads: int = 0
    bytes: int = 0
    """Bytes in and out, together."""
    busy: float | None = None
    """The share of the second it was running, from 0 to 1; None where that is not observed."""
    history: deque[int] = field(default_factory=lambda: deque(maxlen=HISTORY))
    """`reads`, a number a second, newest last."""


@dataclass(slots=True)
class Vitals:
    """How the process was in the last second. None: not measured yet."""

    samples: int = 0
    """How often it was measured."""
    cpu: float | None = None
    """CPU time of the process by wall time: 1.0 is one core."""
    rss: int | None = None
    """Resident memory, in bytes. None also while no descriptor is left to ask the system with."""
    fds: int | None = None
    """Open descriptors. None also while none is left."""
    lag: float | None = None
    """How many seconds what was ready had to wait for its turn, at the most; on uvloop at least so many."""
    lags: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    """`lag` of the latest seconds, newest last."""
    turns: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    """The longest turn of the loop in each of the latest seconds, in seconds, newest last; none where its ticks cannot
    be seen."""
    loads: deque[float] = field(default_factory=lambda: deque(maxlen=HISTORY))
    """The share of each of the latest seconds in which the loop ran, from 0 to 1, newest last; none as above."""
    rates: dict[str, Rates] = field(default_factory=dict)


class Turns(NamedTuple):
    """What the loop has done since it was asked before. Times in seconds."""

    waited: float
    """How long what was ready had to wait, at the most, as far as it was seen."""
    longest: float | None = None
    """The longest turn; None where turns cannot be seen."""
    ran: float | None = None
    """How long it has run, ever; None as above."""


class Pulse:
    """Keeps `vitals` up to date for as long as it runs.

    Args:
        servers: the servers whose rates are measured.
        on_beat: called with the seconds since the last beat, at every beat.
        on_second: called once a second, before the rates are worked out.
        turns: called once a second, tells what the loop has done since it was called before.

    What there is to do once a second is done one thing a turn of the loop: done all at once it would take some tenths
    of a millisecond, for which everybody who is ready had to wait.
    """

    def __init__(
        self,
        servers: Iterable[ServerRecord],
        on_beat: Sequence[Callable[[float], None]],
        on_second: Callable[[], None],
        turns: Callable[[], Turns],
    ) -> None:
        self.vitals = Vitals()
        self.listeners: list[Callable[[], object]] = []
        """Called once a second, when the vitals are new."""
        self._servers = list(servers)
        self._on_beat = tuple(on_beat)
        self._on_second = on_second
        self._turns = turns
        self._ran_before: float | None = None
        self._process = psutil.Process()
        self._timer: asyncio.TimerHandle | None = None
        self._going_on: asyncio.Handle | None = None
        self._due = 0.0
        self._beats = 0
        self._worst = 0.0
        self._seconds = 0.0
        self._samples = (self._sample_rates, self._sample_memory, self._sample_descriptors, self._sample_turns)
        self._before: dict[str, tuple[int, int, float | None]] = {}

    def start(self) -> None:
        """Begin to beat on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._sampled_at = monotonic()
        self._cpu_before = process_time()
        self._remember()
        self._next()

    def stop(self) -> None:
        """Stop beating. The vitals stay as they were."""
        for handle in (self._timer, self._going_on):
            if handle is not None:
                handle.cancel()
        self._timer = self._going_on = None

    def resumed(self) -> None:
        """The process was stopped, and goes on: the beat that was due meanwhile is not late, nobody could have come."""
        if self._timer is not None:
            self._due = max(self._due, monotonic())

    def _next(self) -> None:
        # By a clock that goes on by itself: uvloop's stands still for a turn, and knows no less than milliseconds.
        self._due = monotonic() + BEAT
        self._timer = self._loop.call_later(BEAT, self._beat)

    def _beat(self) -> None:
        late = max(monotonic() - self._due, 0.0)
        self._worst = max(self._worst, late)
        self._beats += 1
        self._next()
        for call in self._on_beat:
            call(BEAT + late)
        if self._beats % _BEATS_A_SECOND == 0:
            self._going_on = self._loop.call_soon(self._go_on, iter(self._samples))

    def _go_on(self, things: Iterator[Callable[[], None]]) -> None:
        """Do one thing now, and in the next turn of the loop go on with the others."""
        thing = next(things, None)
        self._going_on = None if thing is None else self._loop.call_soon(self._go_on, things)
        if thing is not None:
            thing()

    def _sample_rates(self) -> None:
        self._on_second()
        now, cpu = monotonic(), process_time()
        self._seconds = seconds = now - self._sampled_at
        vitals = self.vitals
        vitals.cpu = (cpu - self._cpu_before) / seconds
        for record in self._servers:
            reads, size, busy = self._before[record.name]
            rates = vitals.rates.setdefault(record.name, Rates())
            rates.reads = round((record.reads - reads) / seconds)
            rates.bytes = round((record.bytes_in + record.bytes_out - size) / seconds)
            rates.busy = None if busy is None or record.busy is None else (record.busy - busy) / seconds
            rates.history.append(rates.reads)
        self._sampled_at, self._cpu_before = now, cpu
        self._remember()

    def _sample_memory(self) -> None:
        try:
            self.vitals.rss = self._process.memory_info().rss
        except OSError:  # even asking takes a descriptor
            self.vitals.rss = None

    def _sample_descriptors(self) -> None:
        try:
            self.vitals.fds = _size(_DESCRIPTORS) or self._process.num_fds()
        except OSError:
            self.vitals.fds = None

    def _sample_turns(self) -> None:
        vitals, turns = self.vitals, self._turns()
        vitals.lag, self._worst = max(self._worst, turns.waited), 0.0
        vitals.lags.append(vitals.lag)
        self._note_turns(turns, self._seconds)
        vitals.samples += 1  # the last of all: whoever draws them looks at this
        for listener in self.listeners:
            listener()

    def _note_turns(self, turns: Turns, seconds: float) -> None:
        if turns.longest is None or turns.ran is None:
            return
        if self._ran_before is not None:
            self.vitals.turns.append(turns.longest)
            self.vitals.loads.append((turns.ran - self._ran_before) / seconds)
        self._ran_before = turns.ran

    def _remember(self) -> None:
        self._before = {
            record.name: (record.reads, record.bytes_in + record.bytes_out, record.busy) for record in self._servers
        }


def _size(path: Path) -> int:
    """Return the size of something, in what it is counted in; 0 where it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
