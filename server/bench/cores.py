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


def usable() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_kept_free() -> Iterator[int | None]:
    """Keep this process, with all it starts meanwhile, off the first core; yield which that is.

    Does nothing, and yields None, where there is one core only, or the system does not let itself be told.
    """
    if not _can_be_apart():
        yield None
        return
    ours = os.sched_getaffinity(0)
    first = min(ours)
    os.sched_setaffinity(0, ours - {first})
    try:
        yield first
    finally:
        os.sched_setaffinity(0, ours)


def _can_be_apart() -> bool:
    return hasattr(os, "sched_setaffinity") and usable() > 1
