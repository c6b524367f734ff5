"""What the compiled modules ask so often that they have it of C (``native.pyx``): here is the same, of Python."""

import os
import sys
from collections.abc import Callable
from operator import attrgetter
from threading import get_ident as this_thread
from time import monotonic as clock
from types import BuiltinFunctionType, FrameType, MethodType
from typing import Any
from weakref import ref as weak

__all__ = [
    "MOST_RECEIVED",
    "Attribute",
    "Question",
    "address",
    "back_of",
    "call",
    "calling_frame",
    "clock",
    "code_of",
    "function_of",
    "give",
    "globals_of",
    "holds",
    "offset_of",
    "receive",
    "self_of",
    "this_thread",
    "weak",
]

#: How many bytes `receive` returns at most.
MOST_RECEIVED = 64 * 1024

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


def function_of(bound: Any) -> Any:
    """Return what a bound method calls; None for what is none."""
    return bound.__func__ if type(bound) is MethodType else None


def self_of(bound: Any) -> Any:
    """Return what a builtin method is bound to; None for what is none."""
    return bound.__self__ if type(bound) is BuiltinFunctionType else None


class Attribute:
    """An attribute, asked for so often that C looks up once where it is: in the first object's class."""

    def __init__(self, name: str) -> None:
        self.of = attrgetter(name)


class Question:
    """A method that takes nothing but whom it is asked of."""

    def __init__(self, method: Callable[[Any], Any]) -> None:
        self.of = method


def call(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call a function that changes nothing in what it is called with."""
    return function(*args, **named)


def holds(data: bytes, word: bytes) -> bool:
    """Return whether a word, which is not empty, is in there."""
    return data.find(word) >= 0  # ``in`` tries first whether the word is a number


def receive(descriptor: int) -> bytes | None:
    """Return what can be read from a descriptor, up to `MOST_RECEIVED` bytes; None if there is nothing yet."""
    try:
        return os.read(descriptor, MOST_RECEIVED)
    except BlockingIOError:
        return None


def give(descriptor: int, data: bytes, at: int, size: int) -> int:
    """Write so many bytes from a place on; return how many were taken, which is none if there is no room yet."""
    if at < 0 or size < 0 or at + size > len(data):
        raise ValueError("it takes bytes, and a part of them")
    try:
        return os.write(descriptor, memoryview(data)[at : at + size])
    except BlockingIOError:
        return 0
