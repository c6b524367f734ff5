"""What is connected with what: from any row of a view to the things it is about, wherever those are shown.

A `Thing` is a kind and an id; which pane shows it, and how, is its own business (``views/linked.py``). Everything
here is worked out when somebody asks, from the same picture that is drawn: it costs nothing until a key is pressed.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

from echotui.server.events import Event, duration
from echotui.server.faults.active import ActiveFault
from echotui.server.journal import Entry
from echotui.server.observe.places import Place
from echotui.server.observe.task_record import record_of
from echotui.server.observe.ticks import Registration
from echotui.server.observe.timers import LiveTimer
from echotui.server.records import Connection, ServerRecord
from echotui.server.waterfall import Shutdown, Step

from . import numbers
from .picture import Picture
from .text import clean, shortened
from .watched import UNHEARD, TaskRow

#: How many things of one sort are offered where there may be any number: timers of a task, tasks it has made.
MOST = 5

#: How far after a signal the shutdown it has begun is looked for, in events.
SOON = 50


class Kind(StrEnum):
    """What a thing is. Its id is given behind each."""

    CONNECTION = "connection"
    """Its number."""
    CONNECTIONS = "connections"
    """Those that a filter lets through: its text."""
    SERVER = "server"
    """Its name."""
    TASK = "task"
    """Its number."""
    TIMER = "timer"
    """When it is due, and what it is for: `timer_key`."""
    DESCRIPTOR = "descriptor"
    """Its number."""
    FAULT = "fault"
    """Its number."""
    PROBLEM = "problem"
    """Its kind and its place: `problem_key`."""
    SHUTDOWN = "shutdown"
    """Its number."""
    STEP = "step"
    """Of a shutdown; nothing is connected *to* one."""
    EVENT = "event"
    """Its number in the journal."""
    EVENTS = "events"
    """Those that a filter lets through: its text."""
    PLACE = "place"
    """A `Place`: a line of the program."""


class Thing(NamedTuple):
    """Something that can be shown."""

    kind: Kind
    id: Any

    def __str__(self) -> str:
        match self.kind:
            case Kind.CONNECTIONS | Kind.EVENTS:
                return f"{self.kind} {self.id}"
            case Kind.TIMER:
                return f"timer {clean(self.id[1])}"
            case Kind.PROBLEM:
                return f"problem {' at '.join(part for part in self.id if part)}"
            case Kind.PLACE:
                return shortened(clean(str(self.id)))
            case _:
                return f"{self.kind} {self.id}"


class Link(NamedTuple):
    """A way from one thing to another."""

    role: str
    """What the other is to the one: ``its task``, ``made by``."""
    thing: Thing
    says: str
    """What there is to know of it before one goes there, in clean text."""


def timer_key(timer: LiveTimer) -> Hashable:
    """Return what makes a timer the same timer in the next frame."""
    return timer.due, timer.behind


def problem_key(kind: str, where: object) -> tuple[str, str]:
    """Return what problems have in common that are one row. `where` is their place, or None."""
    return kind, "" if where is None else shortened(clean(str(where)))


def links_of(kind: Kind, row: Any, picture: Picture) -> list[Link]:
    """Return the things a row is connected with, the closest first; a row of this kind is what its pane shows."""
    found: dict[Thing, Link] = {}
    for role, thing in _ROWS[kind](row, picture):
        if thing not in found:
            found[thing] = Link(role, thing, _says(thing, picture))
    return [*found.values()]


def exists(thing: Thing, picture: Picture) -> bool:
    """Return whether there is still something to show of a thing: most are kept for a while after their end."""
    return _find(thing, picture) is not None


def last_seen(thing: Thing, picture: Picture) -> Entry | None:
    """Return the latest journal entry about a thing; None if there is none, or it is overwritten."""
    journal = picture.journal
    for seq in range(journal.recorded, journal.first_seq - 1, -1):
        entry = journal[seq]
        event = entry.event
        about = {
            Kind.CONNECTION: event.about_connection,
            Kind.TASK: getattr(event, "task_id", None),
            Kind.FAULT: entry.fault,
        }
        if about.get(thing.kind) == thing.id:
            return entry
    return None


# -- what each is connected with ------------------------------------------------------------------------------

_Ways = Iterator[tuple[str, Thing]]


def _of_connection(row: Connection, picture: Picture) -> _Ways:
    if row.task is not None:
        yield "its task", Thing(Kind.TASK, row.task)
    for timer in _timers(picture):
        if timer.connection_id == row.id or (row.task is not None and timer.task_id == row.task):
            yield "its timer", Thing(Kind.TIMER, timer_key(timer))
    if row.is_open and _find_descriptor(row.fd, picture) is not None:
        yield "its descriptor", Thing(Kind.DESCRIPTOR, row.fd)
    for fault in picture.faults():
        if row.struck_by == fault.id or row.id in fault.radius.connections:
            yield "hit by", Thing(Kind.FAULT, fault.id)
        elif row.id in fault.radius.exposed:
            yield "in reach of", Thing(Kind.FAULT, fault.id)
    yield from _problems_of(row.task, picture)
    yield "its events", Thing(Kind.EVENTS, f"id={row.id}")
    yield "its server", Thing(Kind.SERVER, row.server)


def _of_task(row: TaskRow, picture: Picture) -> _Ways:
    yield from _connection_of_task(row.id, picture)
    wait = row.wait
    awaited = None if wait is None else record_of(wait.task)
    if awaited is not None:
        yield "waits for", Thing(Kind.TASK, awaited.id)
    if wait is not None and wait.fd is not None and _find_descriptor(wait.fd, picture) is not None:
        yield "waits for", Thing(Kind.DESCRIPTOR, wait.fd)
    for timer in islice((timer for timer in _timers(picture) if timer.task_id == row.id), MOST):
        yield "its timer", Thing(Kind.TIMER, timer_key(timer))
    if row.creator_id is not None:
        yield "made by", Thing(Kind.TASK, row.creator_id)
    for cancellation in reversed(row.cancellations):
        if cancellation.asker_id is not None:
            yield "cancelled by", Thing(Kind.TASK, cancellation.asker_id)
    yield from _problems_of(row.id, picture)
    tasks = () if picture.watched is None else picture.watched.tasks
    for made in islice((one for one in tasks if one.creator_id == row.id), MOST):
        yield "has made", Thing(Kind.TASK, made.id)
    yield from _place("waits at", None if wait is None else wait.at)
    yield from _place("raised at", row.error_at)
    yield from _place("made at", row.made_at)


def _of_timer(row: LiveTimer, picture: Picture) -> _Ways:
    if row.task_id is not None:
        yield "its task", Thing(Kind.TASK, row.task_id)
        yield from _connection_of_task(row.task_id, picture)
    if row.connection_id is not None:
        yield "its connection", Thing(Kind.CONNECTION, row.connection_id)
    if row.callback == "OnLoop._due":
        yield "its server", Thing(Kind.SERVER, "selectors")
    yield from _place("its callback", row.place)


def _of_descriptor(row: Registration, picture: Picture) -> _Ways:
    if row.task_id is not None:
        yield "its task", Thing(Kind.TASK, row.task_id)
    for connection in picture.connections.open.values():
        if connection.fd == row.fd:
            yield "its connection", Thing(Kind.CONNECTION, connection.id)
    if row.whose == "OnLoop._readable":
        yield "its server", Thing(Kind.SERVER, "selectors")


def _of_fault(row: ActiveFault, _: Picture) -> _Ways:
    if row.target.connection is not None:
        yield "injected into", Thing(Kind.CONNECTION, row.target.connection)
    elif row.target.server is not None:
        yield "injected into", Thing(Kind.SERVER, row.target.server)
    for number in row.radius.connections:
        yield "has hit", Thing(Kind.CONNECTION, number)
    for number in row.radius.exposed:
        yield "can hit", Thing(Kind.CONNECTION, number)
    for number in row.radius.tasks.numbers:
        yield "has hit", Thing(Kind.TASK, number)
    yield "its events", Thing(Kind.EVENTS, f"fault={row.id}")


def _of_problem(row: Any, picture: Picture) -> _Ways:
    if row.task_id is not None:
        yield "its task", Thing(Kind.TASK, row.task_id)
        yield from _connection_of_task(row.task_id, picture)
    yield from _place("its line", row.line)


def _of_server(row: ServerRecord, picture: Picture) -> _Ways:
    yield "its connections", Thing(Kind.CONNECTIONS, f"server={row.name}")
    yield "its events", Thing(Kind.EVENTS, f"server={row.name}")
    for fault in picture.faults():
        if fault.active and fault.target.server == row.name:
            yield "bears on it", Thing(Kind.FAULT, fault.id)


def _of_shutdown(row: Shutdown, _: Picture) -> _Ways:
    for step in row.steps:
        if step.doing is not None and step.connection is not None:
            yield "hung", Thing(Kind.CONNECTION, step.connection)


def _of_step(row: Step, _: Picture) -> _Ways:
    if row.connection is not None:
        yield "its connection", Thing(Kind.CONNECTION, row.connection)
    if row.server is not None:
        yield "its server", Thing(Kind.SERVER, row.server)


def _of_event(row: Entry, picture: Picture) -> _Ways:
    event: Any = row.event
    about = event.about_connection
    if about is not None:
        yield "about", Thing(Kind.CONNECTION, about)
    elif getattr(event, "peer", None):
        every = (*picture.connections.open.values(), *picture.connections.ended)
        own = (one for one in every if (one.peer, one.server) == (event.peer, event.about_server))
        yield from (("about", Thing(Kind.CONNECTION, one.id)) for one in own)
    task = getattr(event, "task_id", None)
    if task is not None:
        yield "about", Thing(Kind.TASK, task)
        yield from _connection_of_task(task, picture)
    if event.kind == "complaint":
        yield "means", Thing(Kind.PROBLEM, problem_key(event.about, event.place))
    if event.kind == "silent" and (connection := picture.connections.get(event.connection)) is not None:
        yield from (("means", thing) for _, thing in _problems_of(connection.task, picture))
    if event.kind in ("stall_began", "stall_ended"):
        yield "means", Thing(Kind.PROBLEM, problem_key("stall", event.place))
    if row.fault is not None:
        yield "caused by", Thing(Kind.FAULT, row.fault)
    shutdown = _shutdown_of(row, picture)
    if shutdown is not None:
        yield "part of", Thing(Kind.SHUTDOWN, shutdown)
    if event.about_server is not None:
        yield "its server", Thing(Kind.SERVER, event.about_server)


def _shutdown_of(row: Entry, picture: Picture) -> int | None:
    """Return the shutdown an event is part of. A signal is told before the shutdown it begins has a number."""

    def number(event: Event) -> int | None:
        return getattr(event, "shutdown", None)

    if row.event.kind != "signal":
        return number(row.event)
    later = islice(picture.journal.since(row.seq), SOON)
    return next((found for entry in later if (found := number(entry.event)) is not None), None)


def _place(role: str, place: Place | None) -> _Ways:
    if place is not None:
        yield role, Thing(Kind.PLACE, place)


def _connection_of_task(task: int, picture: Picture) -> _Ways:
    for connection in (*picture.connections.open.values(), *picture.connections.ended):
        if connection.task == task:
            yield "its connection", Thing(Kind.CONNECTION, connection.id)


def _problems_of(task: int | None, picture: Picture) -> _Ways:
    if task is None or picture.watched is None:
        return
    problems = picture.watched.problems
    for complaint in problems.complaints:
        if complaint.task_id == task:
            yield "its problem", Thing(Kind.PROBLEM, problem_key(complaint.kind, complaint.place))
    for record in problems.unheard:
        if record.id == task:
            yield "its problem", Thing(Kind.PROBLEM, problem_key(UNHEARD, record.error_at))


def _timers(picture: Picture) -> Iterable[LiveTimer]:
    return () if picture.watched is None else picture.watched.timers


_ROWS: dict[Kind, Callable[[Any, Picture], _Ways]] = {
    Kind.CONNECTION: _of_connection,
    Kind.SERVER: _of_server,
    Kind.TASK: _of_task,
    Kind.TIMER: _of_timer,
    Kind.DESCRIPTOR: _of_descriptor,
    Kind.FAULT: _of_fault,
    Kind.PROBLEM: _of_problem,
    Kind.SHUTDOWN: _of_shutdown,
    Kind.STEP: _of_step,
    Kind.EVENT: _of_event,
}


# -- what there is to know of each ----------------------------------------------------------------------------


def _find_task(number: int, picture: Picture) -> TaskRow | None:
    return None if picture.watched is None else picture.watched.task(number)


def _find_timer(key: Hashable, picture: Picture) -> LiveTimer | None:
    return next((timer for timer in _timers(picture) if timer_key(timer) == key), None)


def _find_descriptor(fd: int, picture: Picture) -> Registration | None:
    return None if picture.watched is None else picture.watched.registration(fd)


def _find_fault(number: int, picture: Picture) -> ActiveFault | None:
    return next((fault for fault in picture.faults() if fault.id == number), None)


def _find_shutdown(number: int, picture: Picture) -> Shutdown | None:
    return next((shutdown for shutdown in picture.shutdowns() if shutdown.id == number), None)


def _find_event(seq: int, picture: Picture) -> Entry | None:
    return picture.journal[seq] if picture.journal.first_seq <= seq <= picture.journal.recorded else None


def _connection_now(row: Connection, _: Picture) -> str:
    return f"{row.server} · {row.peer} · {row.condition}"


def _task_now(row: TaskRow, _: Picture) -> str:
    doing = row.wait.what if row.wait is not None else row.error or ""
    return " · ".join(part for part in (row.name, row.state.value, doing) if part)


def _timer_now(row: LiveTimer, picture: Picture) -> str:
    left = row.due - picture.now()
    return f"due in {duration(left)}" if left > 0 else "due now"


def _descriptor_now(row: Registration, _: Picture) -> str:
    return f"{row.events} · {row.whose}"


def _fault_now(row: ActiveFault, picture: Picture) -> str:
    ended = row.ended_at
    now = "active" if ended is None else f"over for {numbers.ago(picture.now() - ended)}"
    return f"{row.kind.name} in {row.target} · {now}"


#: For things that may be gone: how to find what there is of one, and what it is now, in words. Others are always there.
_FIND: dict[Kind, tuple[Callable[[Any, Picture], object], Callable[[Any, Picture], str]]] = {
    Kind.CONNECTION: (lambda number, picture: picture.connections.get(number), _connection_now),
    Kind.TASK: (_find_task, _task_now),
    Kind.TIMER: (_find_timer, _timer_now),
    Kind.DESCRIPTOR: (_find_descriptor, _descriptor_now),
    Kind.FAULT: (_find_fault, _fault_now),
    Kind.SHUTDOWN: (_find_shutdown, lambda row, _: row.cause),
    Kind.EVENT: (_find_event, lambda row, _: row.event.sentence),
}


def _find(thing: Thing, picture: Picture) -> object:
    """Return what there is of a thing; None if it is gone, the thing itself where it cannot be gone."""
    return _FIND[thing.kind][0](thing.id, picture) if thing.kind in _FIND else thing


def _says(thing: Thing, picture: Picture) -> str:
    """Return what a thing is now, in a few words of clean text."""
    row = _find(thing, picture)
    if row is None:
        return "ended, and is not kept any more"
    return shortened(clean(_FIND[thing.kind][1](row, picture))) if thing.kind in _FIND else ""
