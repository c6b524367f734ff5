"""Ticks: each turn of an asyncio loop, seen by the selector it sleeps in.

The loop's selector is given a `select` that notes when the loop falls asleep in it, when it wakes, and with what. What
the loop does with the rest of its time lies between two selects. (It is the selector itself that is changed, and not
another one put before it: every wait for a socket calls its other methods several times.)
"""

from collections.abc import Mapping
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, Protocol

from ..value import value
from .places import MACHINERY, bound_to, name_of
from .task_record import record_of
from .ticking import finish
from .turning import Turning
from .waiting import tasks_waiting_for

#: Why there are no ticks on uvloop.
NOT_ON_UVLOOP = "not observable: libuv owns the selector"


class Tick(NamedTuple):
    """One turn of the loop: it sleeps until something is ready or a timer is due, then runs what that led to.

    Times are by `time.monotonic`, in seconds.
    """

    number: int
    began: float
    """When it went to sleep."""
    asked: float | None
    """For how long at most it went to sleep: 0 if there was work left, None for as long as it takes."""
    set_by: str | None
    """The callback of the timer that set this limit; None if no timer did."""
    set_by_task: int | None
    """The id of the task that set this timer."""
    slept: float
    ready: tuple[tuple[int, int], ...]
    """The descriptors that were ready, each with its events (1 read, 2 write): the first `READY_KEPT` of them."""
    ready_count: int
    callbacks: int
    """How many callbacks ran: those left from before, one for each ready descriptor, and one for each due timer."""
    ran: float
    """How long it ran after it woke."""


class Registration(Protocol):
    """A descriptor that the loop watches."""

    @property
    def fd(self) -> int: ...
    @property
    def events(self) -> str:
        """``read``, ``write`` or ``read, write``."""

    @property
    def whose(self) -> str:
        """Who is called when it is ready."""

    @property
    def task_id(self) -> int | None:
        """The id of the task that waits for it, where one does."""


class LiveRegistration:
    """A registration as it is now. There may be thousands: whose one is is found out when somebody asks."""

    __slots__ = ("_key", "_loop")

    def __init__(self, loop: Any, key: Any) -> None:
        self._loop = loop
        self._key = key

    @property
    def fd(self) -> int:
        """The descriptor."""
        return self._key.fd  # type: ignore[no-any-return]

    @property
    def events(self) -> str:
        """What it is watched for."""
        return ", ".join(word for word, handle in zip(("read", "write"), self._key.data, strict=True) if handle)

    @property
    def whose(self) -> str:
        """Who is called when it is ready."""
        return _whose(self._loop, self._key.data)[0]

    @property
    def task_id(self) -> int | None:
        """The id of the task that waits for it, where one does."""
        return _whose(self._loop, self._key.data)[1]


@value
class KeptRegistration:
    """A registration as it was when it was looked at."""

    fd: int
    events: str
    whose: str
    task_id: int | None


class Ticks(Turning):
    """The latest ticks of one loop, and the tick it is in."""

    @property
    def recent(self) -> list[Tick]:
        """The latest ticks that are over, oldest first."""
        ring = list(self._ring)
        first = self.count - len(ring) + 1
        return [Tick(number, *noted) for number, noted in enumerate(ring, first)]

    @property
    def forgotten(self) -> int:
        """How many ticks that are over are no longer kept."""
        return self.count - len(self._ring)

    @property
    def ready_now(self) -> int:
        """How many descriptors were ready in the tick the loop is in."""
        return self._ready_count if self._woke else 0

    def take_longest(self) -> float:
        """Return the longest run of a tick that has ended since this was asked before, in seconds; 0 if none has."""
        longest, self._longest = self._longest, 0.0
        return longest

    def watch(self, selector: Any) -> None:
        """Be told of every `select` from now on. Where a selector cannot be changed there are no ticks."""
        try:
            self._select = selector.select = partial(self.tick, selector.select)
        except AttributeError:
            self.on = False

    def begin(self) -> None:
        """The loop begins to run."""
        self.find_out()
        self.awake_since = monotonic()
        self.asleep = False

    def end(self) -> None:
        """The loop does not run any more. It may have been asleep: a signal's handler has raised."""
        if not self.asleep:
            finish(self, monotonic())
        self.asleep = True
        self._poll = None

    def registrations(self) -> list[Registration]:
        """Return the descriptors that the loop watches now, by number."""
        return [LiveRegistration(self._loop, key) for _, key in sorted(self._watched().items(), key=_fd)]

    def registration(self, fd: int) -> Registration | None:
        """Return what the loop watches this descriptor for; None if it does not."""
        key = self._watched().get(fd)
        return None if key is None else LiveRegistration(self._loop, key)

    def registered(self) -> int:
        """Return how many descriptors the loop watches now."""
        return len(self._watched())

    def _watched(self) -> Mapping[int, Any]:
        # The selector's own dictionary, where it has one: its public map is several times as slow to go through.
        selector = self._loop._selector
        own = getattr(selector, "_fd_to_key", None)
        return own if isinstance(own, dict) else {key.fd: key for key in (selector.get_map() or {}).values()}


def _fd(item: tuple[int, Any]) -> int:
    return item[0]


def _whose(loop: Any, handles: tuple[Any, Any]) -> tuple[str, int | None]:
    """Say who is called when a descriptor is ready, and which task waits for it."""
    handle = handles[0] or handles[1]
    callback, arguments = handle._callback, handle._args or ()
    holder = bound_to(callback)
    for argument in arguments:
        for task in tasks_waiting_for(argument):
            record = record_of(task)
            return f"task {task.get_name()!r}", None if record is None else record.id
    if holder is loop:
        return _OF_THE_LOOP.get(callback.__name__, callback.__name__), None
    protocol = getattr(holder, "_protocol", None)
    if protocol is not None:
        return f"{type(protocol).__name__} of {type(holder).__name__.lstrip('_')}", None
    return name_of(callback), None


#: What the loop itself watches descriptors for, by the name of its method.
_OF_THE_LOOP = {"_read_from_self": "the loop's own wake-up", "_accept_connection": "a listener"}


MACHINERY.add(id(globals()))
