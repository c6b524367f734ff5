"""The connections: those that are open, the newest first, and below them the latest that ended."""

from collections.abc import Mapping, Sequence
from time import monotonic

from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget

from echotui.server.records import Connection, ConnectionState

from .. import numbers
from ..filter import Filter
from ..picture import Picture
from ..text import clean, clean_bytes
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable

#: From how many connections on the rows are filtered and sorted at most once a second.
MANY = 1_000

#: What a filter can ask for by name.
FIELDS = ("id", "server", "peer", "state", "said")

_STATE_STYLES = {"open": "good", "unread": "warn", "left open": "alarm", "closed": "dim"}


class ConnectionsPane(Widget):
    """Draws a picture's connections."""

    fields = FIELDS

    def __init__(self, picture: Picture) -> None:
        super().__init__(id="connections")
        self.picture = picture
        self.filter = Filter("", ())
        self._sorted_by = 0
        self._downwards = True
        self._rows: Sequence[Connection] = ()
        self._asked: object = None
        self._changes = -1
        self._rows_at = 0.0
        self.table = VirtualTable[Connection](
            [
                Column("id", 6, lambda row: str(row.id), right=True, order=lambda row: row.id),
                Column("server", 9, lambda row: row.server, order=lambda row: row.server),
                Column("peer", 17, _peer, rank=2, order=lambda row: row.peer),
                Column("state", 9, _state, order=lambda row: row.condition),
                Column("age", 6, self._age, right=True, rank=3, order=lambda row: -row.opened_at),
                Column("in", 7, lambda row: numbers.size(row.bytes_in), right=True, order=lambda row: row.bytes_in),
                Column("out", 7, lambda row: numbers.size(row.bytes_out), right=True, order=lambda row: row.bytes_out),
                Column("said last", 0, _said),
            ],
            key=lambda row: row.id,
            empty="",
            id="connection-table",
        )

    def compose(self) -> ComposeResult:
        """Yield the table."""
        yield self.table

    def repaint(self) -> None:
        """Draw what is true now."""
        connections = self.picture.connections
        self.table.empty = self._why_empty()
        self.table.show(self._current_rows())
        self.border_title = Content(
            f"Connections · {numbers.count(len(connections.open))} open · {numbers.count(connections.closed)} ended"
            + (f" · filter: {clean(self.filter.text)}" if self.filter else "")
        )
        first, last = self.table.window
        self.border_subtitle = Content(f"{first}–{last} of {numbers.count(len(self._rows))}")

    def sort(self, step: int) -> None:
        """Sort by the next column that can be sorted by, or turn the order round with `step` 0."""
        if step:
            self._sorted_by = (self._sorted_by + step) % len(self._sortable)
        else:
            self._downwards = not self._downwards

    def sort_by(self, title: str) -> None:
        """Sort by the column with this title; turn the order round if that is what it is sorted by already."""
        titles = [column.title for column in self._sortable]
        if title in titles:
            at = titles.index(title)
            self.sort(at - self._sorted_by)

    def _why_empty(self) -> str:
        if self.filter:
            return "nothing matches the filter; esc in the filter clears it"
        return "nobody has connected yet: nc 127.0.0.1 PORT in another terminal, or press n"

    def _current_rows(self) -> Sequence[Connection]:
        """Return the rows in their order, worked out anew only when they may have changed, and not too often."""
        connections = self.picture.connections
        asked = (connections, self.filter, self._sorted_by, self._downwards)
        by_content = bool(self.filter) or self._sorted_by != 0
        changed = by_content or connections.changes != self._changes
        too_soon = by_content and len(connections.open) > MANY and monotonic() - self._rows_at < 1
        if asked != self._asked or (changed and not too_soon):
            self._asked, self._changes, self._rows_at = asked, connections.changes, monotonic()
            self._rows = self._sorted_rows() if by_content else self._plain_rows()
            self.table.mark = (self._sortable[self._sorted_by].title, self._downwards)
        return self._rows

    def _plain_rows(self) -> Sequence[Connection]:
        connections = self.picture.connections
        rows = list(connections.open.values())
        ended = list(connections.ended)
        if self._downwards:
            return rows[::-1] + ended[::-1]
        return rows + ended

    def _sorted_rows(self) -> Sequence[Connection]:
        rows = [row for row in self._plain_rows() if not self.filter or self.filter.matches(_row_fields(row))]
        order = self._sortable[self._sorted_by].order
        if self._sorted_by and order is not None:
            rows.sort(key=order, reverse=self._downwards)
        return rows

    @property
    def _sortable(self) -> list[Column[Connection]]:
        return [column for column in self.table.columns if column.order is not None]

    def _age(self, row: Connection) -> Piece:
        until = row.closed_at if row.closed_at is not None else self.picture.now()
        return numbers.ago(until - row.opened_at), "dim"


def _peer(row: Connection) -> Piece:
    return (f"{row.peer}*" if row.built_in else row.peer), "dim" if row.state is ConnectionState.CLOSED else ""


def _state(row: Connection) -> Piece:
    return row.condition, _STATE_STYLES[row.condition]


def _said(row: Connection) -> Piece:
    if row.outcome:
        return clean(row.outcome), "alarm" if row.state is ConnectionState.LEFT_OPEN else "dim"
    return clean_bytes(row.last_in), ""


def _row_fields(row: Connection) -> Mapping[str, str]:
    return {
        "id": str(row.id),
        "server": row.server,
        "peer": row.peer,
        "state": row.condition,
        "said": clean_bytes(row.last_in) + clean(row.outcome),
    }
