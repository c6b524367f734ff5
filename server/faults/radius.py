"""The blast radius: what a fault has caused, as far as that is known, bounded and exactly counted.

Only what is known to be caused counts: what happened to a connection the fault has broken, a task the fault has made or
let fail, a complaint about one of those, a timer that was due while the fault blocked the loop. Whatever else alarms
while the fault is active is counted in `during`, and nothing more is said about it.
"""

from collections import Counter, deque

from ..events import Event

#: How many things of each sort are kept by name; all are counted.
KEPT = 200


class Caused:
    """The things of one sort that a fault has caused."""

    def __init__(self) -> None:
        self.count = 0
        self.latest: deque[str] = deque(maxlen=KEPT)
        self.numbers: deque[int] = deque(maxlen=KEPT)
        """The numbers of the latest, where they have one; a thing to which more was done than one is here once."""

    def add(self, what: str, count: int = 1, *, number: int | None = None) -> None:
        """Count it (`count` of them), and keep its description, and its number if it has one."""
        self.count += count
        self.latest.append(what)
        if number is not None and number not in self.numbers:
            self.numbers.append(number)

    @property
    def forgotten(self) -> int:
        """How many are counted, but not described any more."""
        return max(0, self.count - len(self.latest))


class BlastRadius:
    """What one fault has caused."""

    def __init__(self) -> None:
        self.connections: dict[int, str] = {}
        """The latest thing that was done to each connection, by its id; the first `KEPT` connections."""
        self.exposed: dict[int, str] = {}
        """What can be done to connections to which nothing was done yet, by their ids; the first `KEPT`."""
        self.more_exposed = 0
        """How many others it can be done to, or could."""
        self.more_connections = 0
        """How often something was done to others than those."""
        self.tasks = Caused()
        self.cancellations = Caused()
        self.timeouts = Caused()
        self.timers = Caused()
        self.complaints = Caused()
        self.clients = Caused()
        """Built-in clients that were hit."""
        self.peers = Caused()
        """Peers that were refused, or kept waiting, before they had a connection."""
        self.others = Caused()
        self.during: Counter[str] = Counter()
        """Alarming events while it was active, by kind, that nothing shows it has caused."""

    def expose(self, connection: int, what: str) -> None:
        """Note what can be done to a connection from now on."""
        if len(self.exposed) < KEPT:
            self.exposed[connection] = what
        else:
            self.more_exposed += 1

    def touch(self, connection: int, what: str) -> None:
        """Note what was done to a connection."""
        self.exposed.pop(connection, None)
        if connection in self.connections or len(self.connections) < KEPT:
            self.connections[connection] = what
        else:
            self.more_connections += 1

    def take(self, event: Event) -> None:
        """Note an event that is known to be caused."""
        sentence = event.sentence
        match event.kind:
            case "complaint" | "silent":
                self.complaints.add(sentence)
            case "cancel_asked" | "cancellation_asked":
                self.cancellations.add(sentence)
            case "idle_timeout":
                self.timeouts.add(sentence)
            case "client_ended":
                self.clients.add(sentence)
            case "fault_struck" | "fault_acted" | "boom" | "closed" | "half_closed":
                pass  # each is about a connection, or about what is counted where it is done
            case "fault_injected" | "fault_ended" | "recovered" | "not_recovered":
                return
            case _:
                self.others.add(sentence)
        if event.about_connection is not None:
            self.touch(event.about_connection, sentence)

    @property
    def size(self) -> str:
        """All of it in a few words, for people: ``3 connections, 1 complaint``; ``nothing`` if there is nothing."""
        counts = (
            (len(self.connections) + self.more_connections, "connection"),
            (self.tasks.count, "task"),
            (self.cancellations.count, "cancellation"),
            (self.timeouts.count, "timeout"),
            (self.timers.count, "late timer"),
            (self.complaints.count, "complaint"),
            (self.clients.count, "client"),
            (self.peers.count, "peer"),
            (self.others.count, "other event"),
        )
        return ", ".join(f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in counts if count) or "nothing"
