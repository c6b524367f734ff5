"""The terminal, which may be slow, stopped, or gone.

Textual reads keys in one thread and writes what it draws in another, through a queue of 30 writes; a full queue blocks
the loop, and with it every server. A busy loop gives the interpreter's lock up only for the instant of a ``select(0)``,
so both threads are woken thousands of times in vain before they get it, the loop pays for each time, and a key waits
for seconds. So here the loop itself reads and writes, through a descriptor of its own that never blocks, and what the
terminal has not taken yet waits in `PatientDriver.behind`: no other frame is drawn until it is gone.

A signal to stop or to go on comes between any two steps of the program, also while the terminal is given back or taken
over for the signal before. So its handler only asks the loop, which then does one after the other.
"""

import asyncio
import contextlib
import os
import select
import signal
import termios
from codecs import getincrementaldecoder
from collections.abc import Callable
from time import monotonic
from typing import Any

from textual import constants
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from .ascii import to_ascii

#: For how long the terminal may take nothing when the app leaves it, in seconds; then the rest is not written.
LEAVE_PATIENCE = 2.0

#: How many bytes of what is typed are read at once.
READ_SIZE = 16_384


class PatientDriver(LinuxDriver):
    """A Linux and macOS driver that needs no threads, and can tell whether the terminal keeps up.

    Where a terminal cannot be opened a second time (its name is not known, or it belongs to somebody else), Textual's
    threads do it.
    """

    gone = False
    """Whether the terminal was closed: nothing can be drawn any more, and nothing typed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._input: int | None = None
        self._output: int | None = None
        self._held = ""
        self._unwritten = b""
        self._is_ours = False  # from when it is first taken over until it is given back for good
        self._is_with_shell = False  # it is given back for a while
        self._stop_is_asked = False
        self._tick: asyncio.TimerHandle | None = None

    @property
    def behind(self) -> bool:
        """Whether the terminal has not yet taken what was drawn last."""
        writer = self._writer_thread
        queued = writer is not None and writer._queue.qsize() > 0  # noqa: SLF001 - there is no public way
        return self.gone or self._is_with_shell or bool(self._unwritten) or queued

    # -- stopped, and going on ----------------------------------------------------------------------------------

    def _sigtstp_application(self, *_: object) -> None:
        # As with the system's own: what is pending already is not pending twice.
        if not self._stop_is_asked:
            self._stop_is_asked = True
            self._ask(self._stop)

    def _sigcont_application(self, *_: object) -> None:
        self._ask(self._go_on)

    def _ask(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the terminal was given back before
            self._loop.call_soon_threadsafe(what)

    def _stop(self) -> None:
        """Give the terminal to the shell if it is ours, and stop the process."""
        self._stop_is_asked = False
        if self._is_ours and not self._is_with_shell:
            super()._sigtstp_application()
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        """Take the terminal again, unless we go on in the background: the servers do, and the screen waits for fg."""
        if self._is_ours and self._is_in_background():
            self._give_back()
            self._is_with_shell = True
        elif self._is_ours:
            super()._sigcont_application()

    def _is_in_background(self) -> bool:
        """Return whether the terminal belongs to others now: who takes it all the same is stopped."""
        try:
            return os.tcgetpgrp(self.fileno) != os.getpgrp()
        except OSError:
            return False

    def stop_application_mode(self) -> None:
        """Leave the terminal as it was before; not while it belongs to others, who would have us stopped for it."""
        if not self._is_with_shell:
            super().stop_application_mode()

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        super().suspend_application_mode()
        self._is_ours = self._is_with_shell = True

    # -- taken over, and given back -----------------------------------------------------------------------------

    def start_application_mode(self) -> None:
        """Take the terminal over, for the first time or after it was given to a shell."""
        again, self._is_ours, self._is_with_shell = self._is_ours, True, False
        writer = self._writer_thread
        # A process that was stopped from outside goes on without having left: what the terminal was like is known.
        modes = self.attrs_before if self._output is not None else None
        if again and self._output is not None:
            super().close()  # a thread of Textual's, which is started anew each time, and has nothing to do
        self._give_back()
        self._input = _open_again(self.fileno)
        self._output = None if self._file is None else _open_again(self._file.fileno())
        super().start_application_mode()  # type: ignore[no-untyped-call] # Textual's own gap
        if self._writer_thread is writer:  # we are in the background: whoever brings us back asks once more
            self._give_back()
            self._is_with_shell = True
            return
        self.attrs_before = modes or self.attrs_before
        if self._input is not None:
            parser = XTermParser(self._debug)
            decode = getincrementaldecoder("utf-8")("replace").decode
            self._loop.add_reader(self._input, self._read, self._input, parser, decode)
        if again:
            self._app.call_later(self._app.screen.refresh)

    def close(self) -> None:
        """Give the terminal what it has not taken yet, if it takes it, and leave it."""
        self._is_ours = False
        super().close()
        if self._output is not None:
            _write_all(self._output, self._unwritten)
        self._give_back()

    def _give_back(self) -> None:
        self._held, self._unwritten = "", b""
        if self._tick is not None:
            self._tick.cancel()
        if self._input is not None:
            self._loop.remove_reader(self._input)
            os.close(self._input)
        if self._output is not None:
            self._loop.remove_writer(self._output)
            os.close(self._output)
        self._input = self._output = None

    # -- what is typed ------------------------------------------------------------------------------------------

    def run_input_thread(self) -> None:
        """Read keys in a thread of Textual's, but only where the loop cannot. That the terminal is closed ends it."""
        if self._input is not None:
            return
        try:
            super().run_input_thread()
        except OSError:
            self.gone = True

    def disable_input(self) -> None:
        """Read no more keys."""
        if self._input is not None:
            self._loop.remove_reader(self._input)
        if not self._is_with_shell:
            super().disable_input()

    def send_message(self, message: Message) -> None:
        """Tell the app what was typed: at once, where Textual has a task do it, some turns of the loop later."""
        self._app.post_message(message)

    def _read(self, descriptor: int, parser: XTermParser, decode: Any) -> None:
        try:
            typed = os.read(descriptor, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            typed = b""
        if not typed:
            self._lose()
            return
        for message in parser.feed(decode(typed)):
            self.process_message(message)
        # An escape that nothing follows is the key of that name.
        if self._tick is not None:
            self._tick.cancel()
        self._tick = self._loop.call_later(constants.ESCAPE_DELAY * 1.1, self._end_of_sequence, parser)

    def _end_of_sequence(self, parser: XTermParser) -> None:
        for message in parser.tick():
            self.process_message(message)

    # -- what is drawn ------------------------------------------------------------------------------------------

    @property
    def holds(self) -> bool:
        """Whether something was given to `hold`, and nothing to `write` since."""
        return bool(self._held)

    def hold(self, data: str) -> None:
        """Have the terminal take this just before what comes to `write` next, whatever that is."""
        self._held += data

    def write(self, data: str) -> None:
        """Have the terminal take this, at once or as soon as it does; what it is not ours for is drawn anew later."""
        data, self._held = self._held + data, ""
        if self._is_with_shell:
            return
        if self._output is None:
            super().write(data)
        elif self._unwritten:
            self._unwritten += data.encode()
        else:
            self._unwritten = data.encode()
            self._write(self._output)
            if self._unwritten:
                self._loop.add_writer(self._output, self._write, self._output)

    def _write(self, descriptor: int) -> None:
        try:
            self._unwritten = self._unwritten[os.write(descriptor, self._unwritten) :]
        except BlockingIOError:
            return
        except OSError:
            self._lose()
        if not self._unwritten:
            self._loop.remove_writer(descriptor)

    def check(self) -> None:
        """Look whether the terminal was closed, and if so stop reading keys: it would be readable for ever.

        Look as well whether it is ours again: a shell that brings a running program to the foreground does not tell it.
        """
        if self.gone:
            return
        if self._is_with_shell and self._auto_restart and not self._is_in_background():
            self._go_on()
        poll = select.poll()
        poll.register(self.fileno, 0)
        if any(mask & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, mask in poll.poll(0)):
            self._lose()

    def _lose(self) -> None:
        self.gone = True
        self._unwritten = b""
        self.exit_event.set()
        if self._input is not None:
            self._loop.remove_reader(self._input)


def _open_again(terminal: int) -> int | None:
    """Return a descriptor of the same terminal that never blocks; None if there cannot be one.

    Only a second opening has modes of its own: those of the first are shared with the shell it came from.
    """
    try:
        return os.open(os.ttyname(terminal), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, unless the terminal takes nothing for `LEAVE_PATIENCE`."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    until = monotonic() + LEAVE_PATIENCE
    while data and monotonic() < until and poll.poll((until - monotonic()) * 1000):
        try:
            written = os.write(descriptor, data)
        except BlockingIOError:
            continue
        except OSError:
            return
        data, until = data[written:], monotonic() + LEAVE_PATIENCE


class AsciiDriver(PatientDriver):
    """A driver for terminals that know only ASCII."""

    def hold(self, data: str) -> None:
        """Have the terminal take this before what comes next, in ASCII."""
        super().hold(to_ascii(data))

    def write(self, data: str) -> None:
        """Write what is drawn, in ASCII."""
        super().write(to_ascii(data))


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
