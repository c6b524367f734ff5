"""The connections: those that are open, the newest first, and below them the latest that ended."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from echotui.server.naming import reached_at
from echotui.server.records import Connection, ConnectionState, ServerState

from .. import numbers
from ..bindings import key_of, may_change
from ..links import Kind
from ..picture import Picture
from ..text import clean, clean_bytes
from ..widgets.lines import Piece
from ..widgets.table import Column, VirtualTable
from .rows import RowsPane

_STATE_STYLES = {
    "open": "good",
    "unread": "warn",
    "held": "warn",
    "closing late": "warn",
    "left open": "alarm",
    "closed": "dim",
}

#: What stands before how a connection ended, to tell it from what one has said.
ENDED = "○"


class ConnectionsPane(RowsPane[Connection]):
    """Draws a picture's connections."""

    kind = Kind.CONNECTION
    many = Kind.CONNECTIONS
    called = "Connections"
    fields: ClassVar[tuple[str, ...]] = ("id", "server", "peer", "state", "said")

    def __init__(self, picture: Picture) -> None:
        table = VirtualTable[Connection](
            [
                Column("id", 6, lambda row: str(row.id), right=True, order=lambda row: row.id),
                Column("server", 10, _server, order=lambda row: row.server),
                Column("peer", 17, _peer, rank=2, order=lambda row: row.peer),
                Column("state", 9, _state, order=lambda row: row.condition),
                Column("age", 6, self._age, right=True, rank=3, order=self._lived),
                Column("in", 7, lambda row: numbers.size(row.bytes_in), right=True, order=lambda row: row.bytes_in),
                Column(
                    "out",
                    7,
                    lambda row: numbers.size(row.bytes_out),
                    right=True,
                    rank=1,
                    order=lambda row: row.bytes_out,
                ),
                Column("said last / ended", 0, _said, field="said-last"),
            ],
            key=lambda row: row.id,
            empty="",
            id="connection-table",
        )
        super().__init__(picture, table, id="connections")

    def all_rows(self) -> Sequence[Connection]:
        """Return the open connections, and then the ended ones."""
        connections = self.picture.connections
        return [*reversed(connections.open.values()), *reversed(connections.ended)]

    def changes(self) -> object:
        """Return how many have opened and closed."""
        return self.picture.connections.changes

    def fields_of(self, row: Connection) -> Mapping[str, str]:
        """Return what a filter looks into."""
        return {
            "id": str(row.id),
            "server": row.server,
            "peer": row.peer,
            "state": row.condition,
            "said-last": _said(row)[0],
        }

    def unseen_of(self, row: Connection) -> Mapping[str, str]:
        """Return what a filter looks into only where it names it: of one that has ended, what it said as well."""
        return {"said": clean_bytes(row.last_in) + clean(row.outcome)}

    def title(self) -> str:
        """Return how many there are."""
        connections = self.picture.connections
        return f"Connections · {numbers.count(len(connections.open))} open · {numbers.count(connections.closed)} ended"

    def why_empty(self) -> str:
        """Return what to do about it, if that is up to who connects."""
        serving = next((one for one in self.picture.servers if one.state is ServerState.SERVING), None)
        if serving is None:
            return "no server is listening, so nobody can connect: its row says why"
        chat = f", or press {key_of(self, 'app.chat')}" if may_change(self) else ""
        return f"nobody has connected yet: nc {reached_at(serving.host)} {serving.port} in another terminal{chat}"

    def _age(self, row: Connection) -> Piece:
        return numbers.age(self._lived(row)), "dim"

    def _lived(self, row: Connection) -> float:
        until = row.closed_at if row.closed_at is not None else self.picture.now()
        return until - row.opened_at


def _server(row: Connection) -> str:
    return f"{row.server}*" if row.built_in else row.server


def _peer(row: Connection) -> Piece:
    return row.peer, "dim" if row.state is ConnectionState.CLOSED else ""


def _state(row: Connection) -> Piece:
    return row.condition, _STATE_STYLES[row.condition]


def _said(row: Connection) -> Piece:
    """Return what it said last; behind a mark, how it ended: how in the end, where there was more to it."""
    if not row.outcome:
        return clean_bytes(row.last_in), ""
    before, _, last = clean(row.outcome).rpartition("; ")
    how = f"{last}; before: {before}" if before else last
    return f"{ENDED} {how}", "alarm" if row.state is ConnectionState.LEFT_OPEN else "dim"
