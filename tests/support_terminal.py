"""`echotui` in a real terminal: a pty, and an emulator that knows what a person would read on it."""

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte
from support import PATIENCE

ECHOTUI = Path(sys.executable).with_name("echotui")


#: What there may be in our own environment that a program would draw by, and should not.
DRAWN_BY = (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "COLORTERM",
    "LC_ALL",
    "LC_CTYPE",
    "PYTHONIOENCODING",
    "TEXTUAL_COLOR_SYSTEM",
    "TEXTUAL_THEME",
)


class Terminal:
    """A program in a terminal of its own. `raw` is every byte it ever sent there.

    Args:
        environment: what the program finds in its environment, beside what is in ours: that it is a terminal of 256
            colours and UTF-8, unless this says something else.
    """

    def __init__(
        self, *command: str | Path, width: int = 140, height: int = 45, environment: Mapping[str, str] | None = None
    ) -> None:
        self.master, self._slave = pty.openpty()
        self._open = [self._slave, self.master]
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.modes_before = termios.tcgetattr(self._slave)
        self.raw = b""
        self.process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            env={
                **{name: value for name, value in os.environ.items() if name not in DRAWN_BY},
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                **(environment or {}),
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        """Close the terminal. No error if it is closed."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open = []

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def styled(self, text: str) -> pyte.screens.Char:
        """Return how the first character of this text is drawn where it stands first."""
        for y, line in enumerate(self._screen.display):
            if text in line:
                return self._screen.buffer[y][line.index(text)]
        return self._screen.default_char

    def cells_below(self, row: int) -> list[list[pyte.screens.Char]]:
        """Return every cell of the rows from this one on, with its colours; the rows count from 0."""
        screen = self._screen
        return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(row, screen.lines)]

    @property
    def slave(self) -> int:
        """The descriptor of the terminal, as the program has it."""
        return self._slave

    def forget(self) -> None:
        """Clear the screen, as whoever stood on it in the meantime would have."""
        self._screen.reset()

    @property
    def modes(self) -> list[object]:
        """The terminal's modes, as ``stty -a`` would tell them."""
        return termios.tcgetattr(self._slave)

    def press(self, *keys: str) -> None:
        """Type."""
        for key in keys:
            self.type(key.encode())

    def type(self, data: bytes) -> None:
        """Send these very bytes, as a keyboard that is broken may."""
        os.write(self.master, data)

    def resize(self, width: int, height: int) -> None:
        """Be another size from now on, and tell the program."""
        self._screen.resize(height, width)
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def read(self, seconds: float) -> bytes:
        """Take what the program draws until it has drawn nothing for so long; return it."""
        drawn = b""
        while select.select([self.master], [], [], seconds)[0]:
            drawn += self._take()
        return drawn

    def watch(self, seconds: float) -> None:
        """Take what the program draws in so many seconds, however lively it is."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and select.select([self.master], [], [], left)[0]:
            self._take()

    def _take(self) -> bytes:
        more = os.read(self.master, 65536)
        self.raw += more
        self._stream.feed(more)
        return more

    def wait(self, until: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Read until something is true, for at most so many seconds."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds:g} s; the screen says\n{self.text}")
            self.read(0.02)

    def shows(self, *texts: str) -> None:
        """Read until all of these are on the screen."""
        self.wait(lambda: all(text in self.text for text in texts), f"waiting for {texts}")

    def shows_no(self, text: str) -> None:
        """Read until this is not on the screen any more."""
        self.wait(lambda: text not in self.text, f"waiting for {text!r} to go")

    def status(self) -> int:
        """Read until the program has ended; return its exit status."""
        self.wait(lambda: self.process.poll() is not None, "waiting for the exit")
        self.read(0.02)
        return self.process.wait()


@contextmanager
def echotui(
    *arguments: str, width: int = 140, height: int = 45, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Terminal, dict[str, int]]]:
    """Run `echotui` with these arguments on ports the system picks; yield its terminal, and the ports by server."""
    with Terminal(ECHOTUI, "--port", "0", *arguments, width=width, height=height, environment=environment) as terminal:
        terminal.shows("selectors", "sockets", " serving")
        yield terminal, dict(ports_in(terminal.text))


#: What stands around the words of a line, drawn in whatever characters there are.
_FRAME = str.maketrans(dict.fromkeys("│▸|>", " "))


def ports_in(text: str) -> Iterator[tuple[str, int]]:
    """Yield the servers that are named on a screen, each with its port."""
    for line in text.splitlines():
        words = line.translate(_FRAME).split()
        if len(words) > 2 and words[0] in ("selectors", "sockets") and words[1].isdigit():
            yield words[0], int(words[1])
