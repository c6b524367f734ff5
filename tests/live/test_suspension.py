"""SIGCONT has one handler at a time, and others' go on working beside ours."""

import signal
from types import FrameType
from typing import Any

from echotui.server.journal import Journal
from echotui.server.suspension import Suspension


async def test_who_puts_a_handler_before_ours_and_calls_ours_is_called_once() -> None:
    calls: list[int] = []
    before = signal.getsignal(signal.SIGCONT)
    suspension = Suspension(Journal(), lambda: None)
    suspension.install()
    try:
        ours: Any = signal.getsignal(signal.SIGCONT)

        def theirs(number: int, frame: FrameType | None) -> None:
            calls.append(number)
            ours(number, frame)

        signal.signal(signal.SIGCONT, theirs)
        suspension.beat(0.25)  # ours is the first again
        signal.raise_signal(signal.SIGCONT)
        signal.raise_signal(signal.SIGCONT)
        assert calls == [signal.SIGCONT] * 2
    finally:
        suspension.uninstall()
        signal.signal(signal.SIGCONT, before)
