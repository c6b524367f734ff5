"""What happened, in order: a bounded ring of events with exact counts.

The journal keeps the newest `size` entries. Every entry has a number (`seq`, from 1, without gaps), so whoever
looks can tell what it has missed; what was overwritten is counted, and so are details that were never recorded.

It belongs to one thread, the loop's: other threads hand their events over with ``loop.call_soon_threadsafe``. In that
thread an event may be recorded at any line, also while another one is: garbage that is collected meanwhile may have
something to tell.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .counting import Details
from .events import DetailsSkipped, Event, InstrumentDisabled

#: How many entries are kept unless told otherwise; an entry with its event takes about 250 bytes.
DEFAULT_SIZE = 10_000

#: How many details a second are recorded unless told otherwise: more than a person can read, and too few to cost.
DEFAULT_DETAIL_RATE = 400


#: From how many times as many details on as may be recorded they are too many for anybody to follow; and what share of
#: the usual number is recorded then. Whoever sends the messages of which every one is recorded waits longer for them.
CROWD = 10
SHARE_IN_A_CROWD = 0.1

#: How much a sink may record while it is told what there was to tell.
ECHOES = 1_000


class Entry(NamedTuple):
    """One line of the journal."""

    seq: int
    """Its number, from 1 and without gaps."""
    time: float
    """When it happened, in seconds since the epoch, by the wall clock: when it was recorded, unless its teller knows
    better. What is told late is so *after* entries of a later time: what orders them is `seq`."""
    event: Event
    fault: int | None = None
    """The id of the fault that is known to have caused it; None if none is."""


Sink = Callable[[Entry], None]


class Journal(Details):
    """A bounded ring of `Entry`, newest last.

    Args:
        size: how many entries are kept.
        detail_rate: how many details a second are recorded; 0 for none, None for all. A tenth of it while there are
            ten times as many and more.
        clock: the wall clock, in seconds since the epoch.
    """

    def __init__(
        self,
        size: int = DEFAULT_SIZE,
        *,
        detail_rate: int | None = DEFAULT_DETAIL_RATE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if size < 1:
            raise ValueError(f"a journal keeps at least one entry, not {size}")
        super().__init__()
        self.size = size
        self.detail_rate = detail_rate
        self.details_open = detail_rate != 0
        self.counts: Counter[str] = Counter()
        """How many events of each kind were recorded, ever: exact, whatever was overwritten."""
        self.recorded = 0
        """How many events were recorded, ever; the `seq` of the newest."""
        self.witness: Callable[[Event, int | None], int | None] | None = None
        """Asked, if there is one, which fault has caused an event; it is told what its teller knows already."""
        self._ring: list[Entry] = []
        self._sinks: list[Sink] = []
        self._untold: deque[Entry] = deque()
        self._tells = False
        self._clock = clock
        self._details_left = detail_rate or 0
        self._skips_told = 0

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def overwritten(self) -> int:
        """How many entries have fallen out of the ring."""
        return self.recorded - len(self._ring)

    @property
    def first_seq(self) -> int:
        """The `seq` of the oldest entry that is kept (one more than `recorded` while there is none)."""
        return self.overwritten + 1

    def __getitem__(self, seq: int) -> Entry:
        """Return the entry with this number; raise KeyError where it is overwritten or not recorded yet."""
        if not self.first_seq <= seq <= self.recorded:
            raise KeyError(seq)
        return self._ring[(seq - 1) % self.size]

    def since(self, seq: int) -> Iterator[Entry]:
        """Yield the entries after this number that are still kept, oldest first."""
        for number in range(max(seq + 1, self.first_seq), self.recorded + 1):
            yield self._ring[(number - 1) % self.size]

    def record(self, event: Event, fault: int | None = None, *, ago: float = 0.0) -> Entry:
        """Add an event, and tell every sink. A sink that raises is removed, and that is recorded.

        `fault` is the id of the fault that has caused it, where its teller knows; `ago` how many seconds ago it
        happened, where it could not be told then. Recorded while a sink is being told, it is told after that.
        """
        if self.witness is not None:
            fault = self._ask(self.witness, event, fault)
        entry = self._add(event, fault, self._clock() - ago)
        if event.detail and self.detail_rate is not None:
            self._details_left -= 1
            if self._details_left <= 0:
                self.details_open = False
        self._untold.append(entry)
        if not self._tells:
            self._tell()
        return entry

    def _add(self, event: Event, fault: int | None, time: float) -> Entry:
        """Put an event into the ring, as the newest."""
        seq = 0
        while seq != self.recorded + 1:  # making the entry may collect garbage, which may record something itself
            seq = self.recorded + 1
            entry = Entry(seq, time, event, fault)
        # Nothing is called from here on until it is in its place.
        self.recorded = seq
        if seq > self.size:
            self._ring[(seq - 1) % self.size] = entry
        else:
            self._ring.append(entry)
        self.counts[event.kind] += 1
        return entry

    def _tell(self) -> None:
        """Tell the sinks every entry that they have not heard of, one after the other."""
        self._tells = True
        try:
            said: Counter[int] = Counter()
            while self._untold:
                entry = self._untold.popleft()
                failed: list[tuple[Sink, Exception]] = []
                for sink in tuple(self._sinks):
                    before = self.recorded
                    try:
                        sink(entry)
                        said[id(sink)] += self.recorded - before
                        if said[id(sink)] > ECHOES:
                            raise RecursionError("it records something for all that it hears")  # noqa: TRY301
                    except Exception as error:  # noqa: BLE001 - whatever a sink raises, it ends up in the journal
                        failed.append((sink, error))
                for sink, _ in failed:
                    self.unsubscribe(sink)
                for sink, why in failed:
                    self.record(InstrumentDisabled(getattr(sink, "__qualname__", repr(sink)), repr(why)))
        finally:
            self._tells = False

    def _ask(self, witness: Callable[[Event, int | None], int | None], event: Event, fault: int | None) -> int | None:
        try:
            return witness(event, fault)
        except Exception as error:  # noqa: BLE001 - whatever it raises ends up in the journal, and never in who told us
            self.witness = None
            self.record(InstrumentDisabled(getattr(witness, "__qualname__", repr(witness)), repr(error)))
            return fault

    def subscribe(self, sink: Sink) -> None:
        """Call `sink` with every new entry, at once and in order, until it raises or is unsubscribed."""
        self._sinks.append(sink)

    def unsubscribe(self, sink: Sink) -> None:
        """Stop calling `sink`. No error if it is not called any more already."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    def allow_details(self, seconds: float) -> None:
        """Let details be recorded again: as many as the rate gives for `seconds`, and say how many were skipped.

        To be called every so many seconds.
        """
        if self.detail_rate is None or self.detail_rate == 0:
            return
        skipped = self.details_skipped - self._skips_told
        if skipped:
            self._skips_told = self.details_skipped
            self.record(DetailsSkipped(skipped))
        allowed = self.detail_rate * seconds
        if skipped > CROWD * allowed:
            allowed *= SHARE_IN_A_CROWD
        self._details_left = max(1, round(allowed))
        self.details_open = True

    def frozen(self) -> "Journal":
        """Return a copy that stays as it is, for looking at: it has the same entries, and no sinks."""
        copy = Journal(self.size, detail_rate=self.detail_rate, clock=self._clock)
        copy._ring = self._ring.copy()
        copy.recorded = self.recorded
        copy.counts = self.counts.copy()
        copy.details_skipped = self.details_skipped
        return copy
