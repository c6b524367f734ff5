"""The faults of the loop itself: everything on it suffers."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from types import CodeType, FunctionType
from typing import Any, cast

from ..events import Event, duration
from ..observe.task_record import record_of
from .active import ActiveFault
from .effect import Effect, Scene
from .gate import strikes

#: How many of the timers that were late because of a block are named.
TIMERS_NAMED = 20


def on_loops(fault: ActiveFault, scene: Scene) -> Effect:
    """Return what a fault of the loop does."""
    kinds: dict[str, type[LoopEffect]] = {
        "block": Block,
        "burn": Burn,
        "forget-await": ForgetAwait,
        "wrong-thread": WrongThread,
        "timer-flood": TimerFlood,
        "task-leak": TaskLeak,
    }
    return kinds[fault.kind.name](fault, scene)


class LoopEffect(Effect):
    """Does something on the loop."""

    def __init__(self, fault: ActiveFault, scene: Scene) -> None:
        super().__init__(fault, scene)
        self.loop = asyncio.get_running_loop()
        self.chance = fault.chance("the loop")

    @property
    def over(self) -> bool:
        """Each says itself when it is over."""
        return False

    def strikes(self) -> bool:
        """Decide whether it strikes this time."""
        return strikes(self.chance, self.fault.toxicity)

    def has_struck(self) -> None:
        """End it, unless it was given a duration."""
        if self.fault.duration is None:
            self.scene.end(self.fault, "it has struck")


class Repeated(LoopEffect):
    """Does something again and again."""

    _timer: asyncio.TimerHandle | asyncio.Handle | None = None

    def begin(self) -> None:
        """Do it for the first time in the next turn of the loop."""
        self._timer = self.loop.call_soon(self._do)

    def end(self) -> None:
        """Do it no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _do(self) -> None:
        if self.strikes():
            self.do()
        pause = self.pause
        if pause is None:
            self.has_struck()
        else:
            self._timer = self.loop.call_later(pause, self._do)

    def do(self) -> None:
        """Do it once."""
        raise NotImplementedError

    @property
    def pause(self) -> float | None:
        """How many seconds from one time to the next; None if there is no next."""
        return None


class Block(Repeated):
    """Blocks the loop."""

    @property
    def pause(self) -> float | None:
        """How long until the next block."""
        return self.fault.seconds("every") or None

    def do(self) -> None:
        """Block it, and see which timers were due meanwhile."""
        began = self.loop.time()
        time.sleep(self.fault.seconds("ms"))
        ended = self.loop.time()
        late = timers_due(self.loop, began, ended)
        for when, name in late[:TIMERS_NAMED]:
            self.fault.radius.timers.add(f"{name} is {duration(ended - when)} late")
        self.fault.radius.timers.count += len(late[TIMERS_NAMED:])
        timers = f"; {len(late)} timer{' was' if len(late) == 1 else 's were'} due meanwhile" if late else ""
        self.scene.tell(self.fault, "the loop was blocked", measured=f"for {duration(ended - began)}{timers}")

    def explains(self, event: Event) -> bool:
        """It is the reason of a stall that was seen in here, or of what debug mode says of it, also when it is over."""
        if event.kind == "complaint":
            return getattr(event, "about", "") == "slow step" and "on_loops.py" in str(getattr(event, "message", ""))
        return event.kind.startswith("stall") and "Block.do" in str(getattr(event, "place", ""))


def timers_due(loop: asyncio.AbstractEventLoop, since: float, until: float) -> list[tuple[float, str]]:
    """Return when timers were due in this time, and what they call; none where the loop keeps that to itself."""
    scheduled: list[asyncio.TimerHandle] = getattr(loop, "_scheduled", [])
    due = [
        (handle.when(), _name(getattr(handle, "_callback", None)))
        for handle in scheduled
        if since <= handle.when() < until and not handle.cancelled()
    ]
    return sorted(due)


def _name(callback: object) -> str:
    return str(getattr(callback, "__qualname__", None) or type(callback).__name__)


class Burn(Repeated):
    """Burns CPU in slices."""

    @property
    def pause(self) -> float:
        """The time between two slices."""
        return self.fault.seconds("pause")

    def do(self) -> None:
        """Burn one slice."""
        until = time.perf_counter() + self.fault.seconds("slice")
        while time.perf_counter() < until:
            pass
        if self.fault.strikes == 0:
            self.scene.tell(self.fault, "the first slice is burnt")
        else:
            self.fault.strikes += 1


class ForgetAwait(Repeated):
    """Calls a coroutine function, and does not await what it returns."""

    def do(self) -> None:
        """Forget it."""
        self.scene.tell(self.fault, "a coroutine is made, and dropped without an await")
        forget: Callable[[], object] = _named(_forgotten, f"forgotten_by_fault_{self.fault.id}")
        forget()


async def _forgotten() -> None:
    """Never run."""


def _named(function: Callable[[], Coroutine[Any, Any, None]], name: str) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return this function under another name, so that a complaint about it names its fault."""
    code: CodeType = cast(FunctionType, function).__code__.replace(co_name=name, co_qualname=name)
    return cast(Callable[[], Coroutine[Any, Any, None]], FunctionType(code, globals(), name))


class WrongThread(LoopEffect):
    """Lets another thread call ``loop.call_soon``.

    asyncio only checks that in debug mode. Without, the loop finds the callback when something else wakes it. uvloop
    would have its own structures changed under it: there debug mode is on for the call, which then is an error.
    """

    def begin(self) -> None:
        """Start the thread."""
        if self.strikes():
            self._debug = self.loop.get_debug()
            if _is_uvloop(self.loop):
                self.loop.set_debug(True)
            thread = threading.Thread(target=self._call, name=f"fault-{self.fault.id}-wrong-thread", daemon=True)
            self.fault.radius.others.add(f"thread {thread.name}")
            thread.start()
        else:
            self.has_struck()

    def _call(self) -> None:
        called_at = time.monotonic()

        def called_by_wrong_thread() -> None:
            late = time.monotonic() - called_at
            self._tell(f"called {duration(late)} later, when something woke the loop")

        try:
            self.loop.call_soon(called_by_wrong_thread)
        except RuntimeError as error:
            self.loop.call_soon_threadsafe(self._tell, str(error))

    def _tell(self, measured: str) -> None:
        if self.loop.get_debug() is not self._debug:
            self.loop.set_debug(self._debug)
        if self.fault.active:
            self.scene.tell(self.fault, "call_soon from another thread", measured=measured)
            self.has_struck()


def _is_uvloop(loop: asyncio.AbstractEventLoop) -> bool:
    return any(base.__module__.partition(".")[0] == "uvloop" for base in type(loop).__mro__)


class TimerFlood(LoopEffect):
    """Makes many timers that are due at the same moment."""

    _timers: tuple[asyncio.TimerHandle, ...] = ()
    _fired = 0

    def begin(self) -> None:
        """Make them."""
        if not self.strikes():
            self.has_struck()
            return
        self._count = self.fault.whole("timers")
        self._due = self.loop.time() + self.fault.seconds("ms")
        self.scene.tell(self.fault, f"{self._count:,} timers are due in {duration(self.fault.seconds('ms'))}")
        self._timers = tuple(self.loop.call_at(self._due, self._fire) for _ in range(self._count))
        self.fault.radius.timers.add(f"{self._count:,} timers of its own", self._count)

    def end(self) -> None:
        """Cancel those that have not fired."""
        for timer in self._timers:
            timer.cancel()
        self._timers = ()

    def _fire(self) -> None:
        self._fired += 1
        if self._fired == self._count:
            late = self.loop.time() - self._due
            what = f"the last of {self._count:,} timers has fired"
            self.scene.tell(self.fault, what, measured=f"{duration(max(late, 0))} late")
            self.has_struck()


class TaskLeak(LoopEffect):
    """Makes tasks that wait for ever."""

    def begin(self) -> None:
        """Make them."""
        self._tasks: set[asyncio.Task[None]] = set()
        if not self.strikes():
            return
        for number in range(self.fault.whole("tasks")):
            name = f"fault-{self.fault.id}-leaked-{number + 1}"
            task = self.loop.create_task(_wait_for_ever(), name=name)
            self._tasks.add(task)
            record = record_of(task)
            self.fault.radius.tasks.add(name, number=None if record is None else record.id)
        self.scene.tell(self.fault, f"{len(self._tasks):,} tasks wait for ever")

    def end(self) -> None:
        """Cancel them."""
        for task in self._tasks:
            task.cancel(f"{self.fault.name} is undone")
        if self._tasks:
            self.scene.spawn(self._until_ended(), f"fault-{self.fault.id}-tasks-end")

    async def _until_ended(self) -> None:
        await asyncio.wait(self._tasks)


async def _wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()
