"""The catalogue: every kind of fault as data. What each does is in the file its group names; nothing happens in here.

A form, a table, a check of somebody's input and `echotui faults list` are all made of this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .parameters import BadFault, Parameter, Values


class On(StrEnum):
    """What a fault can be injected into."""

    CONNECTION = "connection"
    """One connection."""
    SERVER = "server"
    """One server: itself, or every connection it has and will get."""
    LOOP = "loop"
    """The loop everything runs on, and with it the whole process."""


class Group(StrEnum):
    """What a fault is done to."""

    HANDLER = "handler"
    CONNECTION = "connection"
    SERVER = "server"
    LOOP = "loop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault."""

    name: str
    group: Group
    sentence: str
    """What it does, for people."""
    undo: str
    """What undoing it does, for people."""
    targets: tuple[On, ...]
    parameters: tuple[Parameter, ...] = ()
    lasting: bool = True
    """Whether it goes on until it is undone; else it strikes once and is over, unless it is given a duration."""
    needs_tasks: bool = False
    """Whether only a server that has a task for each connection can have it."""
    decided_once: bool = False
    """Whether it strikes, or not, as soon as it is injected: its toxicity is looked at then, and never again."""
    dangerous: bool = False
    """Whether others than its target suffer from it, too: ask before it is injected."""
    takes_turns: tuple[str, str] | None = None
    """Which parameters say how long it has the loop, and how long it leaves it to others until it has it again."""

    @property
    def danger(self) -> str:
        """Who suffers from it, for people; empty if it is not dangerous."""
        if not self.dangerous:
            return ""
        if On.LOOP in self.targets:
            return "everything in this process suffers from it, this screen too"
        return "every connection of that server is ended"

    def check(self, given: Mapping[str, object]) -> Values:
        """Return the values of all parameters: those given, checked, and the defaults of the others.

        Raises:
            BadFault: if one is not possible, or there is none of that name.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                allowed = f"it has {', '.join(known)}" if known else "it has none"
                raise BadFault(f"{self.name} has no parameter {name!r}: {allowed}")
        values = {
            name: parameter.check(given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }
        self._check_turns(values)
        return values

    def _check_turns(self, values: Values) -> None:
        if self.takes_turns is not None:
            has, leaves = self.takes_turns
            least = LEAST_LEFT * float(values[has])
            if 0 < float(values[leaves]) < least:
                raise BadFault(
                    f"{leaves} = {values[leaves]:g} is not possible with {has} = {values[has]:g}: at least {least:g} "
                    "ms, or no key would find the time to end it"
                )


#: The exceptions a handler can be made to raise.
EXCEPTIONS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        RuntimeError,
        ValueError,
        KeyError,
        ZeroDivisionError,
        TimeoutError,
        ConnectionResetError,
        OSError,
        MemoryError,
    )
}

#: What a fault that takes the loop again and again has to leave to others, as a share of what it takes: the screen and
#: its keys live on that loop, and with less it would be minutes until the fault could be undone, or the app left.
LEAST_LEFT = 0.25

_CONNECTIONS = (On.CONNECTION, On.SERVER)
_MINUTE = 60_000.0
_MUCH = 1_000_000_000

_AFTER = Parameter(
    name="after", sentence="after so many bytes of answers; 0 for at once", default=0, unit="B", high=_MUCH
)
_CANCEL = Parameter(
    name="cancel", sentence="cancel the task at once; if not, the fault waits for whoever cancels it", default=True
)
_STAYS = "A connection that it has struck already stays as it is."
_TASK_GOES_ON = "The next cancellation ends the task as usual."

_KINDS = (
    # -- handlers ------------------------------------------------------------------------------------------------
    Kind(
        name="boom",
        group=Group.HANDLER,
        sentence="the handler raises, as if its peer had said boom",
        undo=_STAYS,
        targets=_CONNECTIONS,
        lasting=False,
    ),
    Kind(
        name="exception",
        group=Group.HANDLER,
        sentence="the handler raises an exception of a chosen type",
        undo=_STAYS,
        targets=_CONNECTIONS,
        parameters=(
            Parameter(name="type", sentence="what it raises", default="RuntimeError", choices=tuple(EXCEPTIONS)),
        ),
        lasting=False,
    ),
    Kind(
        name="never-retrieved",
        group=Group.HANDLER,
        sentence="its task fails and nobody asks why: asyncio complains when it is collected, the socket stays open",
        undo="The socket that was left open is closed.",
        targets=_CONNECTIONS,
        needs_tasks=True,
    ),
    Kind(
        name="retained",
        group=Group.HANDLER,
        sentence="its task fails and is kept: asyncio says nothing until it is let go, the socket stays open",
        undo="The task is let go, and asyncio complains; the socket is closed.",
        targets=_CONNECTIONS,
        needs_tasks=True,
    ),
    Kind(
        name="task-in-cancel",
        group=Group.HANDLER,
        sentence="the handler makes a task while it is cancelled, and drops it: it is destroyed while pending",
        undo=_TASK_GOES_ON,
        targets=_CONNECTIONS,
        parameters=(_CANCEL,),
        needs_tasks=True,
    ),
    Kind(
        name="swallow-cancel",
        group=Group.HANDLER,
        sentence="the handler catches CancelledError and goes on; what it was just sending is lost",
        undo=_TASK_GOES_ON,
        targets=_CONNECTIONS,
        parameters=(_CANCEL,),
        needs_tasks=True,
    ),
    Kind(
        name="slow-cleanup",
        group=Group.HANDLER,
        sentence="the handler takes its time to clean up after a cancellation; a second one cuts that short",
        undo="A clean-up that is under way ends at once.",
        targets=_CONNECTIONS,
        parameters=(
            Parameter(name="ms", sentence="how long it cleans up", default=500.0, unit="ms", low=1, high=_MINUTE),
            _CANCEL,
        ),
        needs_tasks=True,
    ),
    # -- connections ---------------------------------------------------------------------------------------------
    Kind(
        name="reset",
        group=Group.CONNECTION,
        sentence="the connection is reset (RST): what is under way is lost",
        undo=_STAYS,
        targets=_CONNECTIONS,
        parameters=(_AFTER,),
        lasting=False,
    ),
    Kind(
        name="half-close",
        group=Group.CONNECTION,
        sentence="the server sends no more (FIN), goes on reading, and answers nothing",
        undo=_STAYS,
        targets=_CONNECTIONS,
        parameters=(_AFTER,),
        lasting=False,
    ),
    Kind(
        name="stop-reading",
        group=Group.CONNECTION,
        sentence="the server reads nothing more: the buffers between fill, and then the peer has to wait",
        undo="What has come meanwhile is read and answered.",
        targets=_CONNECTIONS,
    ),
    Kind(
        name="latency",
        group=Group.CONNECTION,
        sentence="every answer is sent later",
        undo="What is held back is sent at once.",
        targets=_CONNECTIONS,
        parameters=(
            Parameter(name="ms", sentence="how much later", default=100.0, unit="ms", high=_MINUTE),
            Parameter(name="jitter", sentence="more or less, up to", default=0.0, unit="ms", high=_MINUTE),
        ),
    ),
    Kind(
        name="bandwidth",
        group=Group.CONNECTION,
        sentence="answers are sent at a limited rate",
        undo="What is held back is sent at once.",
        targets=_CONNECTIONS,
        parameters=(Parameter(name="rate", sentence="how fast", default=10_000, unit="B/s", low=1, high=_MUCH),),
    ),
    Kind(
        name="slicer",
        group=Group.CONNECTION,
        sentence="answers are sent in small segments",
        undo="What is held back is sent at once.",
        targets=_CONNECTIONS,
        parameters=(
            Parameter(name="size", sentence="how long a segment is", default=4, unit="B", low=1, high=65_536),
            Parameter(name="spread", sentence="more or less, up to", default=0, unit="B", high=65_536),
            Parameter(name="pause", sentence="time between two segments", default=0.0, unit="ms", high=_MINUTE),
        ),
    ),
    Kind(
        name="limit-data",
        group=Group.CONNECTION,
        sentence="the connection is closed after a number of bytes of answers",
        undo="A connection that is not closed yet may go on.",
        targets=_CONNECTIONS,
        parameters=(Parameter(name="bytes", sentence="how many bytes", default=100, unit="B", low=1, high=_MUCH),),
    ),
    Kind(
        name="corrupt",
        group=Group.CONNECTION,
        sentence="one byte of an answer is changed: the peer gets back something else than it said",
        undo="Later answers are whole.",
        targets=_CONNECTIONS,
        parameters=(Parameter(name="answers", sentence="in how many answers; 0 for all", default=1, high=_MUCH),),
    ),
    Kind(
        name="slow-close",
        group=Group.CONNECTION,
        sentence="the connection is closed late, when it has ended already",
        undo="What has ended is closed at once.",
        targets=_CONNECTIONS,
        parameters=(Parameter(name="ms", sentence="how late", default=1000.0, unit="ms", low=1, high=_MINUTE),),
    ),
    # -- servers -------------------------------------------------------------------------------------------------
    Kind(
        name="refuse-accepts",
        group=Group.SERVER,
        sentence="who connects is reset at once; open connections are served",
        undo="New connections are accepted again.",
        targets=(On.SERVER,),
    ),
    Kind(
        name="accept-delay",
        group=Group.SERVER,
        sentence="the server rests before it accepts the next connection; open connections are served",
        undo="Who waits in the queue is accepted at once.",
        targets=(On.SERVER,),
        parameters=(Parameter(name="ms", sentence="how long it rests", default=500.0, unit="ms", low=1, high=_MINUTE),),
    ),
    Kind(
        name="down",
        group=Group.SERVER,
        sentence="the server stops listening, and ends its connections",
        undo="It listens again, on the same port.",
        targets=(On.SERVER,),
        decided_once=True,
        dangerous=True,
    ),
    Kind(
        name="no-descriptors",
        group=Group.SERVER,
        sentence="the process runs out of descriptors: RLIMIT_NOFILE is lowered, no server can accept",
        undo="The limit is what it was.",
        targets=(On.LOOP,),
        parameters=(Parameter(name="spare", sentence="how many more can be opened", default=0, high=10_000),),
        decided_once=True,
        dangerous=True,
    ),
    # -- the loop ------------------------------------------------------------------------------------------------
    Kind(
        name="block",
        group=Group.LOOP,
        sentence="a callback blocks the loop: nothing else runs meanwhile",
        undo="It blocks no more.",
        targets=(On.LOOP,),
        parameters=(
            Parameter(name="ms", sentence="how long", default=200.0, unit="ms", low=1, high=10_000),
            Parameter(
                name="every",
                sentence="and again after so long, at least a quarter of ms; 0 for once",
                default=0.0,
                unit="ms",
                high=_MINUTE,
            ),
        ),
        lasting=False,
        dangerous=True,
        takes_turns=("ms", "every"),
    ),
    Kind(
        name="burn",
        group=Group.LOOP,
        sentence="callbacks burn CPU in slices: everything else gets the time between",
        undo="It burns no more.",
        targets=(On.LOOP,),
        parameters=(
            Parameter(name="slice", sentence="how long a slice is", default=20.0, unit="ms", low=1, high=1000),
            Parameter(
                name="pause",
                sentence="time between two slices: at least a quarter of one",
                default=20.0,
                unit="ms",
                low=1,
                high=1000,
            ),
        ),
        dangerous=True,
        takes_turns=("slice", "pause"),
    ),
    Kind(
        name="forget-await",
        group=Group.LOOP,
        sentence="a coroutine function is called and not awaited: nothing of it ever runs",
        undo="There is nothing to undo.",
        targets=(On.LOOP,),
        lasting=False,
    ),
    Kind(
        name="wrong-thread",
        group=Group.LOOP,
        sentence="another thread calls loop.call_soon: the loop does not notice until something else wakes it",
        undo="There is nothing to undo.",
        targets=(On.LOOP,),
        lasting=False,
    ),
    Kind(
        name="timer-flood",
        group=Group.LOOP,
        sentence="many timers are due at the same moment",
        undo="Those that have not fired are cancelled.",
        targets=(On.LOOP,),
        parameters=(
            Parameter(name="timers", sentence="how many", default=10_000, low=1, high=1_000_000),
            Parameter(name="ms", sentence="in how much time they are due", default=500.0, unit="ms", high=_MINUTE),
        ),
        dangerous=True,
    ),
    Kind(
        name="task-leak",
        group=Group.LOOP,
        sentence="tasks are made that wait for ever",
        undo="They are cancelled.",
        targets=(On.LOOP,),
        parameters=(Parameter(name="tasks", sentence="how many", default=100, low=1, high=100_000),),
    ),
)

#: Every kind of fault, by name.
CATALOGUE: dict[str, Kind] = {kind.name: kind for kind in _KINDS}


def kind_of(name: str) -> Kind:
    """Return the kind of fault with this name.

    Raises:
        BadFault: if there is none.
    """
    if name not in CATALOGUE:
        raise BadFault(f"there is no fault {name!r}: choose from {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
