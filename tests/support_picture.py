"""A picture in which time stands still: what the views are drawn from where every number has to be known."""

from collections import deque

from echotui.server import events
from echotui.server.journal import Journal
from echotui.server.observe.events import Complained
from echotui.server.records import Connection, Connections, ConnectionState, ServerRecord, ServerState, Treatment
from echotui.server.vitals import Rates, Vitals
from echotui.tui.picture import Picture

#: The wall clock: 2026-11-20 12:00:00 UTC.
NOON = 1_795_176_000.0


def a_picture(*, connections: int = 6) -> Picture:
    """Return a picture of two servers, some connections in every state, and what happened to them."""
    table, journal = Connections(), _journal()
    for number in range(1, connections + 1):
        table.add(_connection(number))
    _booms(table, journal)
    return Picture(
        loop="asyncio · epoll",
        python="Python 3.14.0",
        started_at=0.0,
        now=lambda: 192.4,
        servers=_servers(connections),
        connections=table,
        journal=journal,
        vitals=_vitals,
        draining_until=lambda: None,
        painting=lambda: 0.011,
    )


def _servers(connections: int) -> list[ServerRecord]:
    return [
        ServerRecord(
            "selectors",
            "select(1)",
            "127.0.0.1",
            8000,
            ServerState.SERVING,
            open=connections // 2,
            accepted=connections,
            select_timeouts=143,
            busy=1.0,
        ),
        ServerRecord(
            "sockets",
            "await sock_recv",
            "127.0.0.1",
            8001,
            ServerState.SERVING,
            open=connections - connections // 2,
            accepted=connections,
            booms=2,
            treatment=Treatment.UNRETRIEVED,
        ),
    ]


def _vitals() -> Vitals:
    history = deque([3, 40, 180, 420, 800, 1204, 990, 700, 350, 120, 60, 1204])
    return Vitals(
        samples=192,
        cpu=0.031,
        rss=61 * 2**20,
        fds=41,
        lag=0.0002,
        rates={
            "selectors": Rates(reads=1204, bytes=77_000, busy=0.006, history=history),
            "sockets": Rates(reads=18, bytes=1_100, history=deque([0] * 11 + [18])),
        },
    )


def _connection(number: int) -> Connection:
    connection = Connection(
        id=number,
        server="selectors" if number % 2 else "sockets",
        peer=f"127.0.0.1:{53200 + number}",
        fd=10 + number,
        opened_at=10.0 * (number % 18),
        reads=number,
        bytes_in=64 * number * number,
        bytes_out=64 * number * number,
        last_in=f"hello {number}\r\n".encode(),
        last_in_at=190.0,
    )
    if number == 2:
        connection.unsent, connection.last_in = 8_192, b"why do you not read? \xff\x1b[2J[/b]\r\n"
    if number == 3:
        connection.built_in = True
    return connection


def _booms(table: Connections, journal: Journal) -> None:
    handled = table.open[1]
    table.end(handled, "handled, socket closed", 180.0)
    left = table.open[4]
    left.state, left.outcome = ConnectionState.LEFT_OPEN, "unretrieved, socket left open"
    error = "Boom: Unexpected network error"
    journal.record(events.HandlerFailed("selectors", 1, handled.peer, error, "peer", handled.outcome))
    journal.record(events.HandlerFailed("sockets", 4, left.peer, error, "keyboard", left.outcome))
    complaint = Complained("never retrieved", "Task exception was never retrieved", "", "", error, "echo-4", "server")
    journal.record(complaint)


def _journal() -> Journal:
    beats = iter(range(10_000))
    journal = Journal(detail_rate=None, clock=lambda: NOON + next(beats) * 0.25)
    journal.record(events.Listening("selectors", "127.0.0.1", 8000))
    journal.record(events.Listening("sockets", "127.0.0.1", 8001))
    journal.record(events.SelectTimeout("selectors", 1.0001))
    journal.record(events.Accepted("selectors", 1, "127.0.0.1:53201", 11))
    journal.record(events.Selected("selectors", 1, 12e-6, "fd 11 read (connection 1)"))
    journal.record(events.Received("selectors", 1, "127.0.0.1:53201", 24, b"\x1b]0;owned\x07[b]hi[/b]\r\n"))
    journal.record(events.Sent("selectors", 1, "127.0.0.1:53201", 24, 0))
    return journal
