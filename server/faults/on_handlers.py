"""The faults of handlers: they raise, or have bad manners when they are cancelled."""

from functools import partial

from .. import events
from ..conversation import Boom
from ..records import Connection, Treatment
from .active import ActiveFault
from .catalogue import EXCEPTIONS
from .effect import Effect, Scene, StrikingEffect
from .manners import Collector, DroppedTask, Habit, Manners, SlowCleanUp, Swallow


class Injected(Boom):
    """A boom that a fault said in the peer's place."""


def on_handlers(fault: ActiveFault, scene: Scene) -> Effect:
    """Return what a fault of handlers does."""
    match fault.kind.name:
        case "boom" | "exception":
            return Raise(fault, scene)
        case "never-retrieved":
            return FailTask(fault, scene, Treatment.UNRETRIEVED)
        case "retained":
            return FailTask(fault, scene, Treatment.RETAINED)
        case _:
            return BadHabit(fault, scene)


def _manners_of(connection: Connection) -> Manners:
    if connection.manners is None:
        connection.manners = Manners()
    return connection.manners


class Raise(StrikingEffect):
    """Lets the handler raise."""

    def take(self, connection: Connection) -> None:
        """Let it raise a boom, or what was chosen."""
        chosen = self.fault.params.get("type")
        error = Injected() if chosen is None else EXCEPTIONS[str(chosen)](f"injected by {self.fault.name}")
        self.scene.tell(self.fault, f"its handler raises {type(error).__name__ if chosen else 'boom'}", connection)
        self.server_of(connection).boom(connection, error)


class FailTask(StrikingEffect):
    """Lets the handler's task fail, and treats it in this way."""

    def __init__(self, fault: ActiveFault, scene: Scene, treatment: Treatment) -> None:
        super().__init__(fault, scene)
        self._treatment = treatment

    def take(self, connection: Connection) -> None:
        """Let it raise a boom."""
        _manners_of(connection).treatment = self._treatment
        self.scene.tell(self.fault, f"its task fails, {self._treatment}", connection)
        self.fault.radius.tasks.add(f"the task of connection {connection.id}", number=connection.task)
        self.server_of(connection).boom(connection, Injected())

    def let_go(self, connection: Connection) -> None:
        """Close the socket that was left open, and let go of its task."""
        if connection.struck_by == self.fault.id:
            self.server_of(connection).release_one(connection, "closed when the fault was undone")


class BadHabit(StrikingEffect):
    """Gives the handler a bad habit."""

    def __init__(self, fault: ActiveFault, scene: Scene) -> None:
        super().__init__(fault, scene)
        self._collector = Collector()

    def take(self, connection: Connection) -> None:
        """Give it the habit, and have it shown at once if that was asked for."""
        fault = self.fault
        _manners_of(connection).habits.append(self._habit(connection))
        fault.radius.expose(connection.id, fault.kind.sentence)
        if fault.params["cancel"]:
            by = fault.name
            event = events.CancelAsked(connection.server, connection.id, connection.peer, by)
            self.scene.desk.journal.record(event, fault.id)
            self.server_of(connection).interrupt(connection, f"cancelled by {by}")

    def let_go(self, connection: Connection) -> None:
        """Take the habit away."""
        manners = connection.manners
        if manners is None:
            return
        for habit in manners.habits:
            if habit.fault == self.fault.id and isinstance(habit, SlowCleanUp):
                habit.end()
        manners.remove(self.fault.id)
        if manners.none_left:
            connection.manners = None

    def _habit(self, connection: Connection) -> Habit:
        fault = self.fault
        tell = partial(self._tell, connection)
        match fault.kind.name:
            case "swallow-cancel":
                return Swallow(fault.id, tell)
            case "slow-cleanup":
                return SlowCleanUp(fault.id, fault.seconds("ms"), tell)
            case _:
                return DroppedTask(fault.id, f"fault-{fault.id}-dropped-by-{connection.id}", self._collector, tell)

    def _tell(self, connection: Connection, what: str) -> None:
        self.fault.radius.tasks.add(f"the task of connection {connection.id}: {what}", number=connection.task)
        self.scene.tell(self.fault, what, connection)
