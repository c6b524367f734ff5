"""The journal, newest at the bottom; it follows as long as the cursor is on the last line."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from time import localtime, strftime
from typing import ClassVar

from textual.app import ComposeResult

from echotui.server.events import DetailsSkipped, Event
from echotui.server.journal import Entry, Journal

from .. import numbers
from ..bindings import key_of
from ..filter import Filter
from ..links import Kind, Thing
from ..picture import Picture
from ..text import clean, shortened
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable
from .linked import Linked, Stance
from .rows import A_FEW, NOTHING_MATCHES

NOTHING_YET = "nothing has happened yet"


class EventsPane(Linked):
    """Draws a picture's journal."""

    called = "Events"
    kind = Kind.EVENT
    many = Kind.EVENTS
    fields = askable = ("time", "server", "kind", "id", "fault", "text")
    chosen_by: ClassVar[tuple[str, ...]] = ("filter",)
    table: VirtualTable[int]

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="events")
        self.picture = picture
        self._matching: list[int] = []
        self._looked_at = 0
        self._journal: Journal | None = None
        self._before_link: Stance | None = None
        self._filter = Filter("", ())
        self.table = VirtualTable[int](
            [
                Column("time", 12, self._time),
                Column("server", 9, self._server, rank=1),
                Column("kind", 22, self._kind, rank=2),
                Column("what happened", 0, self._sentence, least=40),
            ],
            key=lambda seq: seq,
            empty=NOTHING_YET,
            follows=True,
            id="event-table",
            titles=False,
            lasting=True,
        )

    @property
    def filter(self) -> Filter:
        """Which events are shown."""
        return self._filter

    @filter.setter
    def filter(self, chosen: Filter) -> None:
        self._filter = chosen
        self._journal, self._matching = None, []

    def item(self) -> Entry | None:
        """Return the entry under the cursor; None if there is none, or it is overwritten."""
        return None if self.table.selected is None else self._entry(self.table.selected)

    def widen(self) -> None:
        """Show all events."""
        self.filter = Filter("", ())

    def reveal(self, thing: Thing) -> bool:
        """Put the cursor on an event, or show some events only, until one begins anew."""
        if self._before_link is None:
            self._before_link = self.stance()
        return super().reveal(thing)

    def resume(self, stance: Stance) -> None:
        """Be where one was."""
        self._before_link = None
        super().resume(stance)

    def begin_anew(self) -> None:
        """Follow again, if only a link has ended that: nobody wants to look at an old moment for ever."""
        if self._before_link is not None:
            self.resume(self._before_link)

    def compose(self) -> ComposeResult:
        """Yield the table."""
        yield self.table

    def steps(self) -> Iterator[None]:
        """Draw what is true now, a row at a time."""
        journal = self.picture.journal
        self.table.empty = NOTHING_MATCHES if self._filter else NOTHING_YET
        yield from self.work_out()
        yield from self.table.showing(self._rows())
        looks_back = f"{key_of(self, 'table.last')} follows again"
        self.label(
            f"Events · {f'filter: {clean(self._filter.text)}' if self._filter else 'all'}"
            f" · {'following' if self.table.follows else looks_back}",
            f"{numbers.count(journal.recorded)} recorded"
            + (f" · {numbers.count(journal.overwritten)} overwritten" if journal.overwritten else "")
            + (f" · {numbers.counted(journal.details_skipped, 'detail')} skipped" if journal.details_skipped else ""),
        )
        yield

    def work_out(self) -> Iterator[None]:
        """Look into the events that the filter has not seen yet, some at a time; others may do the same meanwhile."""
        journal, chosen = self.picture.journal, self._filter
        if not chosen:
            return
        if journal is not self._journal:
            self._journal, self._matching, self._looked_at = journal, [], 0
        matching = self._matching
        while matching is self._matching and self._looked_at < journal.recorded:
            for entry in islice(journal.since(self._looked_at), A_FEW):
                if chosen.matches(Columns(entry), partial(_unseen_of, entry)):
                    matching.append(entry.seq)
                self._looked_at = entry.seq
            yield

    def _rows(self) -> Sequence[int]:
        journal = self.picture.journal
        if not self._filter:
            return range(journal.first_seq, journal.recorded + 1)
        if self._matching and self._matching[0] < journal.first_seq:
            self._matching = [seq for seq in self._matching if seq >= journal.first_seq]
        return self._matching

    def _entry(self, seq: int) -> Entry | None:
        """Return an entry; None if it was overwritten since the rows were worked out."""
        try:
            return self.picture.journal[seq]
        except KeyError:
            return None

    def _time(self, seq: int) -> Piece:
        entry = self._entry(seq)
        if entry is None:
            return "", ""
        return _time_of(entry), "dim"

    def _server(self, seq: int) -> Piece:
        entry = self._entry(seq)
        return ("", "") if entry is None else (_COLUMNS["server"](entry), "")

    def _kind(self, seq: int) -> Piece:
        entry = self._entry(seq)
        if entry is None:
            return "", ""
        event = entry.event
        return _COLUMNS["kind"](entry), "alarm" if event.alarming else "dim" if _is_dull(event) else "accent"

    def _sentence(self, seq: int) -> Piece:
        entry = self._entry(seq)
        if entry is None:
            return "overwritten", "dim"
        event = entry.event
        return _COLUMNS["text"](entry), "warn" if event.alarming else "dim" if _is_dull(event) else ""


def _time_of(entry: Entry) -> str:
    second = int(entry.time)
    return f"{_clock(second)}.{int((entry.time - second) * 1000):03}"


@lru_cache(16)
def _clock(second: int) -> str:
    """Return a second since the epoch as a clock of this place shows it."""
    return strftime("%H:%M:%S", localtime(second))


def _is_dull(event: Event) -> bool:
    """Return whether there is so much of this that it should stand back."""
    return event.detail or isinstance(event, DetailsSkipped)


#: What each column shows of an entry, as the words of a filter look into it.
_COLUMNS: dict[str, Callable[[Entry], str]] = {
    "time": _time_of,
    "server": lambda entry: entry.event.about_server or "loop",
    "kind": lambda entry: entry.event.kind.replace("_", " "),
    "text": lambda entry: shortened(clean(entry.event.sentence)),
}


class Columns(Mapping[str, str]):
    """What the columns show of an entry, each worked out when it is asked for: thousands are looked into at once."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __getitem__(self, name: str) -> str:
        return _COLUMNS[name](self._entry)

    def __contains__(self, name: object) -> bool:
        return name in _COLUMNS

    def __iter__(self) -> Iterator[str]:
        return iter(_COLUMNS)

    def __len__(self) -> int:
        return len(_COLUMNS)


def _unseen_of(entry: Entry, field: str) -> str:
    """Return what a filter looks into only where it names it: the number of the connection, or of the fault."""
    number = entry.event.about_connection if field == "id" else entry.fault
    return "" if number is None else str(number)
