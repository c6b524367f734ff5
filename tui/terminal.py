"""The terminal, which may be slow, stopped, or gone.

Textual hands what it draws to a writer thread with a queue of 30 writes; a full queue blocks the loop, and with it
every server. So we look whether the terminal has taken the last frame before another is drawn
(`PatientDriver.behind`), and draw the whole screen again once it has.
"""

import contextlib
import os
import select
import termios
from typing import Any

from textual.drivers.linux_driver import LinuxDriver


class PatientDriver(LinuxDriver):
    """A Linux and macOS driver that can tell whether the terminal keeps up."""

    gone = False
    """Whether the terminal was closed: nothing can be drawn any more, and nothing typed."""

    @property
    def behind(self) -> bool:
        """Whether the terminal has not yet taken what was drawn last."""
        writer = self._writer_thread
        return self.gone or (writer is not None and writer._queue.qsize() > 0)  # noqa: SLF001 - there is no public way

    def run_input_thread(self) -> None:
        """Read keys until the app ends, or the terminal is closed: that raises in here first, and is no mistake."""
        try:
            super().run_input_thread()
        except OSError:
            self.gone = True

    def check(self) -> None:
        """Look whether the terminal was closed, and if so stop reading keys: it would be readable for ever."""
        if self.gone:
            return
        poll = select.poll()
        poll.register(self.fileno, 0)
        if any(mask & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, mask in poll.poll(0)):
            self.gone = True
            self.exit_event.set()


class SavedTerminal:
    """The modes the terminal had, to be set again by whoever leaves in a hurry."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._modes: list[Any] | None = None
        with contextlib.suppress(termios.error):
            self._modes = termios.tcgetattr(descriptor)

    def restore(self) -> None:
        """Set the modes again, and leave the alternate screen if the terminal takes that at once."""
        with contextlib.suppress(termios.error, OSError):
            if self._modes is not None:
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._modes)
            os.set_blocking(self._descriptor, False)
            os.write(self._descriptor, b"\x1b[?1003l\x1b[?1000l\x1b[?2004l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l")
            os.set_blocking(self._descriptor, True)
