"""Where a task waits, and at what: read from its await chain when somebody looks, never noted before."""

import asyncio
import asyncio.streams
import contextlib
import functools
import gc
import socket
from collections.abc import Callable, Iterator
from types import CoroutineType, FrameType, FunctionType
from typing import Any

from ..value import value
from .places import MACHINERY, Place, await_chain, bound_to, frame_of, place_of


@value
class Wait:
    """Where a task is suspended."""

    chain: tuple[Place, ...]
    """The await chain, outermost first; the lines of asyncio's own coroutines at its end included."""
    at: Place | None
    """The innermost line of it that is the program's own; asyncio's where there is no other."""
    what: str
    """What it awaits there, in words: ``sleep 1.0 s``, ``socket read of fd 17``, ``lock``, ``task 'pinger'``."""
    fd: int | None = None
    """The descriptor it waits for, where that can be seen."""
    task: "asyncio.Task[Any] | None" = None
    """The task it waits for, if it is one."""


def what_a_task_waits_for(task: "asyncio.Task[Any]") -> Wait | None:
    """Return where a suspended task is suspended; None if it has ended."""
    links = list(await_chain(task.get_coro()))
    waiter = task._fut_waiter  # type: ignore[attr-defined]
    compiled = _compiled(getattr(links[-1], "cr_await", None) if links else task.get_coro())
    frames = [frame_of(link) for link in links]
    if not frames:
        return None if compiled is None else Wait((), None, *compiled)
    chain = tuple(place for frame in frames if (place := place_of((frame.f_code, frame.f_lasti))))
    at = next(
        (
            place
            for frame, place in zip(reversed(frames), reversed(chain), strict=True)
            if id(frame.f_globals) not in MACHINERY
        ),
        chain[-1],
    )
    if len(frames) == 1 and frames[0].f_lasti <= 0:
        return Wait(chain, at, "its first step")
    what, fd = compiled or _what(frames, waiter)
    return Wait(chain, at, what, fd, waiter if isinstance(waiter, asyncio.Task) else None)


def _compiled(awaitable: object) -> tuple[str, int | None] | None:
    """Say what a coroutine of uvloop's awaits, that has no frame to look into; None if it is none."""
    if type(awaitable).__name__ == "coroutine_wrapper":  # what a coroutine written in Python awaits in its place
        awaitable = next(iter(gc.get_referents(awaitable)), None)
    words = _COMPILED.get(getattr(awaitable, "__name__", ""))
    if words is None or not hasattr(awaitable, "cr_await") or isinstance(awaitable, CoroutineType):
        return None
    # It holds its arguments in an object of its own, which tells them to the garbage collector only.
    for held in gc.get_referents(*gc.get_referents(awaitable)):
        if isinstance(held, socket.socket):
            return f"{words} of fd {held.fileno()}", held.fileno()
    return words, None


#: uvloop's own coroutines, by name.
_COMPILED = {
    "sock_recv": "socket read",
    "sock_recv_into": "socket read",
    "sock_sendall": "socket write",
    "sock_accept": "socket accept",
    "sock_connect": "socket connect",
}


def _what(frames: list[FrameType], waiter: Any) -> tuple[str, int | None]:
    """Say what the end of an await chain awaits; and its descriptor, if it has one."""
    for frame in reversed(frames):
        words = _WORDS.get(id(frame.f_code))
        if words is not None:
            return words(frame)
        if id(frame.f_globals) not in MACHINERY:
            break
    if waiter is None:
        return "its next turn", None
    if isinstance(waiter, asyncio.Task):
        return f"task {waiter.get_name()!r}", None
    if isinstance(waiter, asyncio.Future) and hasattr(waiter, "_children"):
        return f"gather of {len(waiter._children)}", None
    hidden = shielded_by(waiter)
    if hidden is not None:
        name = f"task {hidden.get_name()!r}" if isinstance(hidden, asyncio.Task) else "a future"
        return f"{name}, shielded", None
    return _what_sets(waiter), None


def _what_sets(waiter: Any) -> str:
    """Say what will set a future, as far as its callbacks tell."""
    for callback in callbacks_of(waiter):
        if type(callback) is FunctionType and callback.__qualname__.startswith("_chain_future."):
            return "a thread's or process's result"
    return "a future"


def shielded_by(waiter: Any) -> "asyncio.Future[Any] | None":
    """Return what a future that `asyncio.shield` has made protects; None if it is another future."""
    for callback in callbacks_of(waiter):
        if type(callback) is FunctionType and callback.__qualname__ == "shield.<locals>._outer_done_callback":
            return next(_enclosed(callback, "inner"), None)
    return None


def callbacks_of(future: Any) -> Iterator[object]:
    """Yield what is called when a future is done."""
    return (callback for callback, _ in getattr(future, "_callbacks", None) or ())


def tasks_waiting_for(future: Any) -> "Iterator[asyncio.Task[Any]]":
    """Yield the tasks that a future wakes when it is done."""
    for callback in callbacks_of(future):
        task = bound_to(callback)
        if isinstance(task, asyncio.Task):
            yield task


def is_awaited(future: Any) -> bool:
    """Whether a task waits for a future: itself, or by a `gather`, `wait`, `wait_for`, `shield` or TaskGroup."""
    for callback in callbacks_of(future):
        if isinstance(bound_to(callback), asyncio.Task | asyncio.TaskGroup):
            return True
        if any(is_awaited(outer) for outer in _passed_on_to(callback)):
            return True
    return False


def _passed_on_to(callback: object) -> Iterator[object]:
    """Yield the futures that are done when a callback of asyncio's own has seen enough."""
    if type(callback) is functools.partial and callback.func is _RELEASE_WAITER:
        yield from callback.args
    elif type(callback) is FunctionType and callback.__module__ == "asyncio.tasks":
        yield from _enclosed(callback, "outer", "waiter")


def _enclosed(function: FunctionType, *names: str) -> Iterator[Any]:
    """Yield what a function has from the one around it, by name, where that is known by then."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name in names:
            with contextlib.suppress(ValueError):  # it is empty
                yield cell.cell_contents


_RELEASE_WAITER = getattr(asyncio.tasks, "_release_waiter", None)


Words = Callable[[FrameType], tuple[str, int | None]]


def _plain(words: str) -> Words:
    return lambda _: (words, None)


def _sleep(frame: FrameType) -> tuple[str, int | None]:
    delay = frame.f_locals.get("delay")
    return (f"sleep {delay:g} s" if isinstance(delay, (int, float)) else "sleep"), None


def _socket(words: str) -> Words:
    def say(frame: FrameType) -> tuple[str, int | None]:
        sock = frame.f_locals.get("sock")
        fd = sock.fileno() if isinstance(sock, socket.socket) else None
        return (words if fd is None else f"{words} of fd {fd}"), fd

    return say


def _stream(words: str) -> Words:
    def say(frame: FrameType) -> tuple[str, int | None]:
        reader = frame.f_locals.get("self")
        transport = getattr(reader, "_transport", None)
        sock = transport.get_extra_info("socket") if transport is not None else None
        fd = sock.fileno() if sock is not None else None
        return (words if fd is None or fd < 0 else f"{words} of fd {fd}"), fd

    return say


def _known_waits() -> dict[int, Words]:
    """Map the code of asyncio's own coroutines to what waiting in them means. What a version lacks is left out."""
    loop = asyncio.selector_events.BaseSelectorEventLoop
    streams: Any = asyncio.streams
    known: list[tuple[Any, Words]] = [
        (asyncio.sleep, _sleep),
        (asyncio.Lock.acquire, _plain("lock")),
        (asyncio.Event.wait, _plain("event")),
        (asyncio.Condition.wait, _plain("condition")),
        (asyncio.Semaphore.acquire, _plain("semaphore")),
        (asyncio.Barrier.wait, _plain("barrier")),
        (asyncio.Queue.get, _plain("an item of a queue")),
        (asyncio.Queue.put, _plain("room in a queue")),
        (asyncio.Queue.join, _plain("a queue to be worked off")),
        (asyncio.wait, _plain("the first or all of several tasks")),
        (asyncio.TaskGroup.__aexit__, _plain("the tasks of its group")),
        (loop.sock_recv, _socket("socket read")),
        (loop.sock_recv_into, _socket("socket read")),
        (loop.sock_recvfrom, _socket("socket read")),
        (loop.sock_recvfrom_into, _socket("socket read")),
        (loop.sock_sendall, _socket("socket write")),
        (loop.sock_sendto, _socket("socket write")),
        (loop.sock_accept, _socket("socket accept")),
        (loop.sock_connect, _socket("socket connect")),
        (streams.StreamReader._wait_for_data, _stream("stream read")),
        (streams.FlowControlMixin._drain_helper, _stream("room to write")),
        (asyncio.base_events.Server.serve_forever, _plain("a server's end")),
        (asyncio.subprocess.Process.wait, _plain("a process's end")),
    ]
    return {id(function.__code__): words for function, words in known}


_WORDS = _known_waits()
MACHINERY.add(id(globals()))
