"""Where a bench runs what: the server on one core, and those who talk to it on the others.

Left to itself a system may put two processes that wake each other on the same core, and take them apart again a second
later: a message then costs the server two and a half times as much, watched or not, and no two runs can be compared.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: What is said of it where it is done, and where it is not.
APART, ANYWHERE = "server on a core of its own", "server on any core"


def said() -> str:
    """Return in words how the cores are shared out."""
    return APART if _can_be_apart() else ANYWHERE


@contextmanager
def apart(server: int) -> Iterator[None]:
    """Keep a process on the first core, and this one with all it starts meanwhile on the others.

    Does nothing where there is one core only, or the system does not let itself be told.
    """
    if not _can_be_apart():
        yield
        return
    ours = os.sched_getaffinity(0)
    first = min(ours)
    os.sched_setaffinity(server, {first})
    os.sched_setaffinity(0, ours - {first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


def _can_be_apart() -> bool:
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1
