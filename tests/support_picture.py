"""A picture in which time stands still: what the views are drawn from where every number has to be known."""

from collections import Counter, deque
from types import SimpleNamespace

from echotui.server import events
from echotui.server.faults.active import ActiveFault, Target
from echotui.server.faults.catalogue import On, kind_of
from echotui.server.journal import Journal
from echotui.server.observe.cancellations import Cancellation, Outcome
from echotui.server.observe.complaints import Complaint
from echotui.server.observe.events import Complained
from echotui.server.observe.places import Place
from echotui.server.observe.ticks import KeptRegistration, Tick
from echotui.server.observe.timers import LiveTimer
from echotui.server.observe.timing import TaskState
from echotui.server.observe.waiting import Wait
from echotui.server.records import Connection, Connections, ConnectionState, ServerRecord, ServerState, Treatment
from echotui.server.vitals import Rates, Vitals
from echotui.server.waterfall import Shutdown, Step, What
from echotui.tui.picture import Painting, Picture
from echotui.tui.watched import Problems, Still, Watched

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
        painting=lambda: Painting(0.011, 10),
        watched=_watched(),
        faults=_faults,
        shutdowns=_shutdowns,
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
        lags=deque(0.0002 * (1 + number * 7 % 13) for number in range(90)),
        turns=deque(0.0004 * (1 + number * 5 % 11) for number in range(90)),
        loads=deque(0.01 * (1 + number * 3 % 17) for number in range(90)),
        rates={
            "selectors": Rates(reads=1204, bytes=77_000, busy=0.006, history=history),
            "sockets": Rates(reads=18, bytes=1_100, busy=0.004, history=deque([0] * 11 + [18])),
        },
    )


def _connection(number: int) -> Connection:
    connection = Connection(
        id=number,
        server="selectors" if number % 2 else "sockets",
        peer=f"127.0.0.1:{53200 + number}",
        fd=10 + number,
        opened_at=10.0 * (number % 18),
        task=number if number in (3, 4, 5) else None,
    )
    connection.reads = number
    connection.bytes_in = connection.bytes_out = 64 * number * number
    connection.last_in, connection.last_in_at = f"hello {number}\r\n".encode(), 190.0
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


_SERVER = compile("def echo(): pass", "/src/servers/sockets.py", "exec").co_consts[0]
_MARK = (_SERVER, 0)


def _watched() -> Watched:
    place = Place("/src/servers/sockets.py", 48, "SocketsServer._handle")
    cancellation = Cancellation(
        id=1,
        task_id=4,
        task_name="echo-4",
        asked_at=100.0,
        reason="cancel()",
        message="cancelled by the keyboard",
        asker_id=2,
        asker_name="shutdown",
        asked_mark=_MARK,
        asked_through=_MARK,
        because_of=None,
        delivered_at=100.004,
        delivered_mark=_MARK,
        outcome=Outcome.OBEYED,
        settled_at=100.01,
        ended_at=100.01,
    )
    waiting = _task(5, "echo-5", TaskState.WAITING, wait=Wait((place,), place, "socket read of fd 15", 15))
    ended = _task(4, "echo-4", TaskState.CANCELLED, cancellations=(cancellation,))
    failed = _task(3, "echo-3", TaskState.FAILED, error="Boom: Unexpected network error", error_at=place)
    textual = _task(2, "message pump", TaskState.WAITING, owner="ui")
    ticks = [
        Tick(number, number * 0.1, 0.1, "Pulse._beat", None, 0.09 * (number % 7) / 7, ((15, 1),), 1, 2, 0.0001 * number)
        for number in range(1, 90)
    ]
    complaint = Complaint(
        "never retrieved", "Task exception was never retrieved", 180.0, "Boom: Unexpected network error", 3, "echo-3"
    )
    return Still(
        {
            "tasks": [waiting, textual, ended, failed],
            "task_changes": (5, 2),
            "tasks_forgotten": 0,
            "ui_tasks_forgotten": 0,
            "busy_by_owner": {"server": 1.0, "ui": 2.0},
            "why_no_ticks": None,
            "ticks": ticks,
            "tick_count": 4_711,
            "registered": 2,
            "registrations": [
                KeptRegistration(15, "read", "task 'echo-5'", 5),
                KeptRegistration(4, "read", "a listener", None),
            ],
            "timers": [
                LiveTimer(192.6, "Pulse._beat", place, "Pulse._beat", None),
                LiveTimer(197.4, "Timeout._on_timeout", None, "timeout of 'echo-5'", 5),
            ],
            "timer_counts": (2, 812, 31),
            "lag": 0.0002,
            "problems": Problems([complaint, complaint], 0, []),
            "disabled": {},
        }
    )


def _task(number: int, name: str, state: TaskState, **known: object) -> SimpleNamespace:
    ended = state in (TaskState.CANCELLED, TaskState.FAILED)
    facts: dict[str, object] = {
        "id": number,
        "name": name,
        "function": "SocketsServer._handle",
        "owner": "server",
        "state": state,
        "steps": 12 * number,
        "busy": 0.0002 * number,
        "longest": 0.00004,
        "eager": False,
        "wait": None,
        "waiting_for": None if ended else 0.3,
        "made_at": Place("/src/servers/sockets.py", 70, "SocketsServer._begin"),
        "creator_id": None,
        "error": None,
        "error_at": None,
        "unretrieved": False,
        "ended": ended,
        "histogram": Counter({4: 20, 5: 31, 6: 9}),
        "cancellations": (),
    }
    return SimpleNamespace(**{**facts, **known})


def _faults() -> list[ActiveFault]:
    fault = ActiveFault(
        1,
        kind_of("latency"),
        Target(On.SERVER, server="sockets"),
        kind_of("latency").check({}),
        0.5,
        7,
        180.0,
        None,
        _no,
    )
    fault.strikes = 2
    fault.radius.touch(5, "connection 5: its answers come 100 ms late")
    over = ActiveFault(2, kind_of("block"), Target(On.LOOP), kind_of("block").check({}), 1.0, 8, 150.0, None, _no)
    over.ended_at, over.recovered_after = 150.2, 0.02
    return [fault, over]


def _no(fault: ActiveFault, why: str) -> None:
    """Undo nothing."""


def _shutdowns() -> list[Shutdown]:
    shutdown = Shutdown(1, "SIGTERM from outside", 5.0, 100.0, open_then=2)
    shutdown.steps = [
        Step(What.HANDLER, "SIGTERM from outside", 0.0, 0.0004, "the servers are told"),
        Step(What.LISTENER, "127.0.0.1:8001", 0.0005, 0.0006, "closed", server="sockets"),
        Step(
            What.CONNECTION,
            "5 127.0.0.1:53205",
            0.0005,
            1.2,
            "finished: closed by peer",
            server="sockets",
            connection=5,
        ),
        Step(
            What.CONNECTION,
            "2 127.0.0.1:53202",
            0.0005,
            5.0,
            "cancelled, and ended",
            "it has not read 8192 B",
            "sockets",
            2,
        ),
        Step(What.SERVER, "sockets", 5.0, 5.001, "stopped", server="sockets"),
    ]
    shutdown.took = 5.001
    return [shutdown]
