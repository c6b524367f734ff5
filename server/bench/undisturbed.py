"""Starting a process without a signal in the middle of it.

A signal's handler may raise anywhere, also where a process has been started and nobody knows it yet: it would then be
left behind.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: The signals that end a measurement.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the signals that end us wait until this is over. Does nothing on another thread than the main one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for missed in came:
            signal.raise_signal(missed)
