"""What the compiled modules ask so often that they have it of C (``native.pyx``): here is the same, of Python."""

import sys
from collections.abc import Callable
from operator import attrgetter
from threading import get_ident as this_thread
from time import monotonic as clock
from types import FrameType
from typing import Any
from weakref import ref as weak

__all__ = [
    "address",
    "back_of",
    "call",
    "calling_frame",
    "clock",
    "code_of",
    "globals_of",
    "holds",
    "offset_of",
    "this_thread",
    "weak",
]

address = id
code_of = attrgetter("f_code")
globals_of = attrgetter("f_globals")
back_of = attrgetter("f_back")
offset_of = attrgetter("f_lasti")


def calling_frame() -> FrameType | None:
    """Return the frame that has called the function that asks; None if there is none in Python."""
    try:
        return sys._getframe(2)  # noqa: SLF001 - as `inspect` does
    except ValueError:
        return None


def call(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call a function that changes nothing in what it is called with."""
    return function(*args, **named)


def holds(data: bytes, word: bytes) -> bool:
    """Return whether a word, which is not empty, is in there."""
    return data.find(word) >= 0  # ``in`` tries first whether the word is a number
