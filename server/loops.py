"""The loops everything runs on, by name."""

import asyncio
from typing import Literal

LoopKind = Literal["asyncio", "uvloop"]

LOOP_KINDS: tuple[LoopKind, ...] = ("asyncio", "uvloop")


def new_event_loop(kind: LoopKind) -> asyncio.AbstractEventLoop:
    """Return a new event loop.

    Raises:
        ImportError: if it is uvloop, and that is not installed.
    """
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()
