"""The signals that end a command, other than ctrl+c."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import NoReturn


def at_the_end(handler: Callable[[int, FrameType | None], NoReturn]) -> None:
    """Have this called at SIGTERM and SIGHUP. What is ignored, as under nohup, stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
