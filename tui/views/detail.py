"""One connection in detail: what it is, what it waits for, what it got through, what it said last. Or one server."""

from collections.abc import Callable, Sequence

from echotui.server.events import duration
from echotui.server.records import Connection, ConnectionState, ServerRecord
from echotui.server.tcp import TcpInfo

from .. import numbers
from ..picture import Picture
from ..text import clean, clean_bytes
from ..widgets.detail import Detail
from ..widgets.lines import Piece
from .server_facts import facts_of

#: From when on a wait to be accepted is remarkable, in seconds.
LONG = 0.1


class DetailPane(Detail):
    """Draws the connection it is given, or the server, if it is given one.

    Args:
        tcp_info: asks the system about an open connection.
    """

    def __init__(self, picture: Picture, tcp_info: Callable[[int], TcpInfo | None]) -> None:
        super().__init__(id="detail")
        self.picture = picture
        self.connection: Connection | None = None
        self.server: ServerRecord | None = None
        self._tcp_info = tcp_info

    def subject(self) -> int | str | None:
        """Return the name of the server, or the number of the connection."""
        if self.server is not None:
            return self.server.name
        return None if self.connection is None else self.connection.id

    def title(self) -> str:
        """Return which connection it is, or which server."""
        if self.server is not None:
            return f"Server {self.server.name}"
        return "Connection" if self.connection is None else f"Connection {self.connection.id}"

    def said(self, width: int) -> Sequence[Sequence[Piece]]:
        """Return what there is to say of the connection, or of the server."""
        if self.server is not None:
            return facts_of(self.server)
        connection = self.connection
        if connection is None:
            return [[("no connection is selected", "dim")]]
        return [*self._facts(connection), *self._last_said(connection, width)]

    def _facts(self, connection: Connection) -> list[list[Piece]]:
        now = self.picture.now()
        client = "  built-in client" if connection.built_in else ""
        facts: list[list[Piece]] = [
            [(f"{connection.peer} → {connection.server}", "accent"), (f"  fd {connection.fd}{client}", "dim")]
        ]
        if connection.state is ConnectionState.OPEN:
            info = None if self.picture.frozen else self._tcp_info(connection.id)
            facts += self._tcp(info)
            facts.append([("waits    ", "dim"), *_waits_for(connection, info)])
            facts += self._served_by(connection)
        elif connection.state is ConnectionState.LEFT_OPEN:
            facts.append([("left open ", "alarm"), (f"{clean(connection.outcome)}", "")])
            # Nobody serves it, and the system goes on: that is what leaving a socket open means.
            facts += self._tcp(None if self.picture.frozen else self._tcp_info(connection.id))
        else:
            facts.append([("ended    ", "dim"), (clean(connection.outcome), "warn")])
        until = connection.closed_at if connection.closed_at is not None else now
        facts.append([("age      ", "dim"), (numbers.ago(until - connection.opened_at), "")])
        if connection.waited is not None:
            style = "warn" if connection.waited > LONG else ""
            # The system counts the ticks of its clock: none of them does not mean no time.
            after = f"after {duration(connection.waited)} in the queue" if connection.waited else "at once"
            facts.append([("accepted ", "dim"), (after, style)])
        facts.append(
            [
                ("in       ", "dim"),
                (f"{connection.bytes_in:,} B in {numbers.counted(connection.reads, 'read')}", ""),
            ]
        )
        facts.append([("out      ", "dim"), (f"{connection.bytes_out:,} B", "")])
        return facts

    def _served_by(self, connection: Connection) -> list[list[Piece]]:
        watched = self.picture.watched
        task = None if watched is None or connection.task is None else watched.task(connection.task)
        if task is None or task.ended:
            return []
        ran = f", {numbers.counted(task.steps, 'step')} in {duration(task.busy)}"
        return [[("task     ", "dim"), (clean(task.name), "accent"), (f" {task.state.value}{ran}", "")]]

    def _tcp(self, info: TcpInfo | None) -> list[list[Piece]]:
        if info is None:
            why = "not asked while paused" if self.picture.frozen else "not observable on this system"
            return [[("tcp      ", "dim"), (why, "dim")]]
        state: list[Piece] = [("tcp      ", "dim"), (f"{info.state}   rtt {info.rtt * 1000:.2f} ms", "")]
        unread: list[Piece] = [("unread   ", "dim"), (f"{info.unread:,} B that nobody has read", "warn")]
        return [state, unread] if info.unread else [state]

    def _last_said(self, connection: Connection, width: int) -> list[list[Piece]]:
        if not connection.last_in_at:
            return [[("said     nothing yet", "dim")]]
        quiet = self.picture.now() - connection.last_in_at
        text = clean_bytes(connection.last_in)
        lines: list[list[Piece]] = [[("said     ", "dim"), (f"{numbers.ago(quiet)} ago", "")]]
        return lines + [[(text[start : start + width], "")] for start in range(0, len(text), max(width, 1))]


def _waits_for(connection: Connection, info: TcpInfo | None) -> list[Piece]:
    if connection.link is not None and connection.link.holding is not None:
        return [(f"for fault {connection.link.holding} to let go", "warn")]
    if connection.unsent:
        return [(f"for its peer to read {connection.unsent:,} B", "warn")]
    if info is not None and info.unread:
        return [("for its server to read what it has said", "warn")]
    return [("for its peer to say something", "")]
