"""The servers, a row each: what they wait by, and what they get through."""

from collections.abc import Iterator

from textual.app import ComposeResult

from echotui.server.records import ServerRecord, ServerState
from echotui.server.vitals import Rates

from .. import numbers
from ..bindings import key_of
from ..links import Kind
from ..picture import Picture
from ..text import clean
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable
from .linked import Linked

_STATES: dict[ServerState, Piece] = {
    ServerState.SERVING: ("● serving", "good"),
    ServerState.DRAINING: ("◐ draining", "warn"),
    ServerState.STOPPED: ("○ stopped", "dim"),
    ServerState.FAILED: ("✗ failed", "alarm"),
}

#: What is not observed, or does not apply.
NONE = "–"

#: How many seconds of its history a server's sparkline shows.
SPARK = 12


class ServersPane(Linked):
    """Draws a picture's servers."""

    kind = Kind.SERVER
    table: VirtualTable[ServerRecord]

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="servers")
        self.picture = picture
        self.table = VirtualTable[ServerRecord](
            [
                Column("name", 9, lambda record: record.name),
                Column("port", 5, lambda record: str(record.port or NONE), right=True),
                Column("state", 10, lambda record: _STATES[record.state]),
                Column("waits by", 17, lambda record: record.waits_by, rank=4),
                Column("open", 6, lambda record: numbers.count(record.open), right=True),
                Column("reads/s", 8, lambda record: numbers.count(self._rates(record).reads), right=True),
                Column("", SPARK, self._spark, rank=5),
                Column("bytes/s", 8, lambda record: numbers.size(self._rates(record).bytes), right=True, rank=2),
                Column("no events", 9, lambda record: _count(record.select_timeouts), right=True, rank=3),
                Column("booms", 5, lambda record: numbers.count(record.booms), right=True),
                Column("busy", 5, self._busy, right=True, rank=3),
                Column("", 0, self._remark, rank=1, least=19),
            ],
            key=lambda record: record.name,
            empty="no servers",
            across=_why,
            id="server-table",
        )

    def compose(self) -> ComposeResult:
        """Yield the table."""
        yield self.table

    def steps(self) -> Iterator[None]:
        """Draw what is true now, a row at a time."""
        servers = self.picture.servers
        yield from self.table.showing(servers)
        first, last = self.table.window
        cut = f"{first}–{last} of {len(servers)} · " if last - first + 1 < len(servers) else ""
        self.label("Servers", f"{cut}{key_of(self, 'live.charts')}: charts")
        yield

    def on_resize(self) -> None:
        """Say at once how many rows are to be seen now."""
        self.call_after_refresh(self.repaint)

    def _rates(self, record: ServerRecord) -> Rates:
        return self.picture.vitals().rates.get(record.name) or Rates()

    def _spark(self, record: ServerRecord) -> Piece:
        return numbers.spark([*self._rates(record).history], SPARK), "accent"

    def _busy(self, record: ServerRecord) -> Piece:
        busy = self._rates(record).busy
        return (NONE, "dim") if busy is None else (numbers.share(busy), "")

    def _remark(self, record: ServerRecord) -> Piece:
        if record.treatment is not None:
            return f"errors: {record.treatment}", "dim"
        if record.queued:
            return f"{numbers.count(record.queued)} not accepted yet", "warn"
        return "", ""


def _why(record: ServerRecord) -> Piece | None:
    return (clean(record.why), "alarm") if record.why else None


def _count(number: int | None) -> Piece:
    return (NONE, "dim") if number is None else (numbers.count(number), "")
