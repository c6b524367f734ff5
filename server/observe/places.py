"""Where in the program something happened: cheap to note, formatted when somebody looks.

A `Mark` is a code object and an offset into its bytecode. Noting one costs two attribute reads, where asking a frame
for its line number has to walk a table; and it keeps no frame, so it keeps no local variable alive.
"""

import asyncio
import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from traceback import FrameSummary
from types import AsyncGeneratorType, BuiltinMethodType, CodeType, CoroutineType, FrameType, GeneratorType, MethodType
from typing import Any, NamedTuple

from .. import c_library, native

Mark = tuple[CodeType, int]
"""A code object and an offset in its bytecode (``f_lasti``; -1 before the first instruction)."""


class Place(NamedTuple):
    """A line of a program, for people."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


#: Namespaces that are asyncio's, or ours: who looks for the program's own line passes over frames in them.
MACHINERY = {id(vars(module)) for name, module in sys.modules.items() if name.partition(".")[0] == "asyncio"}
MACHINERY |= {id(vars(c_library)), id(vars(native))}

#: Functions under which the program ends and the loop begins, by the id of their code. Each is a module's, for good.
BOTTOMS: set[int] = {id(asyncio.Handle._run.__code__)}


def cut_off_ours(stack: list[FrameSummary] | None, *, but: int = 0) -> None:
    """Take our own lines off the end of a stack that asyncio has noted in debug mode, but for so many of them.

    How many there are depends on what is compiled: that has no frames.
    """
    if stack:
        ours = sum(1 for _ in takewhile(lambda line: line.filename.startswith(_OURS), reversed(stack)))
        if ours > but:
            del stack[but - ours :]


_OURS = (str(Path(__file__).parent) + os.sep, native.__file__)


def place_of(mark: Mark | None) -> Place | None:
    """Return the file, line and function of a mark."""
    if mark is None:
        return None
    code, offset = mark
    line = code.co_firstlineno
    for start, end, at in code.co_lines():
        if at is not None and start <= offset < end:
            line = at
            break
    return Place(code.co_filename, line, code.co_qualname)


def bound_to(callback: object) -> Any:
    """Return the object whose method a callback is; None if it is no method.

    What is no plain method is not asked: it may be an object of the program's that answers as it likes, or raises.
    """
    return callback.__self__ if isinstance(callback, METHODS) and type(callback) in METHODS else None


METHODS = (MethodType, BuiltinMethodType)


def name_of(callback: object) -> str:
    """Return the name of a callback; its type's where it has none, or raises when it is asked: it is anybody's code."""
    name: object = None
    try:
        name = callback.__qualname__  # type: ignore[attr-defined]
    except AttributeError:
        with contextlib.suppress(Exception):
            name = getattr(getattr(callback, "func", None), "__qualname__", None)
    except Exception:  # noqa: BLE001, S110 - it has no name for us
        pass
    return name if type(name) is str else type(callback).__name__


def kept_once(mark: Mark) -> Mark:
    """Return this mark, the very object that was returned for it before: thousands of tasks come from the same line."""
    code, offset = mark
    place = id(code), offset  # to compare codes takes long
    kept = _KEPT.get(place)
    if kept is None:
        if len(_KEPT) >= MARKS_KEPT:
            _KEPT.clear()
        kept = _KEPT[place] = mark  # which holds the code, so that no other can have its id
    return kept


#: How many marks are kept once.
MARKS_KEPT = 1_000

_KEPT: dict[tuple[int, int], Mark] = {}


def caller(depth: int) -> FrameType | None:
    """Return the frame that has called the function so many frames above its own; None if there is none in Python."""
    try:
        return sys._getframe(depth + 1)
    except ValueError:
        return None


def program_mark(frame: FrameType | None) -> Mark | None:
    """Return where the program is, from this frame outwards: the first frame that is neither asyncio's nor ours.

    None where there is none before the loop itself, as in a callback that is asyncio's own.
    """
    while frame is not None:
        if id(frame.f_globals) not in MACHINERY:
            return kept_once((frame.f_code, frame.f_lasti))
        if id(frame.f_code) in BOTTOMS:
            return None
        frame = frame.f_back
    return None


def await_chain(awaitable: Any) -> Iterator[Any]:
    """Yield the coroutines, generators and async generators that wait for one another, outermost first.

    The last is the one that is suspended at something else, most often a future. What has ended is not yielded.
    """
    while awaitable is not None:
        if isinstance(awaitable, CoroutineType):
            if awaitable.cr_frame is None:
                return
            following = awaitable.cr_await
        elif isinstance(awaitable, GeneratorType):
            if awaitable.gi_frame is None:
                return
            following = awaitable.gi_yieldfrom
        elif isinstance(awaitable, AsyncGeneratorType):
            if awaitable.ag_frame is None:
                return
            following = awaitable.ag_await
        else:
            # ``async for`` awaits a small object around the generator, and ``__await__`` one around a coroutine;
            # neither tells what it is around, except to the garbage collector.
            if type(awaitable).__name__ not in _AROUND:
                return
            awaitable = next((held for held in gc.get_referents(awaitable) if isinstance(held, _FRAMED)), None)
            continue
        yield awaitable
        awaitable = following


_FRAMED = (CoroutineType, GeneratorType, AsyncGeneratorType)
_AROUND = {"async_generator_asend", "async_generator_athrow", "anext_awaitable", "coroutine_wrapper"}


def frame_of(awaitable: Any) -> FrameType:
    """Return the frame of what `await_chain` yields."""
    frame: FrameType
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        if hasattr(awaitable, name):
            frame = getattr(awaitable, name)
    return frame


def innermost_mark(awaitable: Any) -> Mark | None:
    """Return where the program's own innermost frame of an await chain is suspended; asyncio's if it has only those."""
    found: Mark | None = None
    ours = False
    for link in await_chain(awaitable):
        frame = frame_of(link)
        program = id(frame.f_globals) not in MACHINERY
        if program or not ours:
            found = (frame.f_code, frame.f_lasti)
            ours = ours or program
    return found


def raised_at(error: BaseException) -> Mark | None:
    """Return the line that raised an exception; None if it was never raised."""
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code, traceback.tb_lasti
