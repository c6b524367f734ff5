"""`echotui`: the lab and the screen on one loop, from the first frame to the exit status."""

import asyncio
import logging
import os
import signal
import sys
from importlib.util import find_spec
from time import monotonic

from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.settings import Settings
from echotui.server.shutdown import leave_after
from echotui.server.value import value

from . import numbers
from .app import EchoApp
from .ascii import is_needed
from .colours import fit_colours
from .garbage import settle
from .keys import Keymap
from .standard import point_to_nothing
from .terminal import AsciiDriver, SavedTerminal

#: After how long all that is needed to draw is in memory, in seconds.
SETTLED = 1.0

#: How long leaving may take once the servers have stopped, in seconds, whatever the terminal does.
LEAVE_TIME = 0.3


@value
class Look:
    """How the screen is, as `EchoApp` has it, and whether it takes the mouse."""

    refresh: float
    read_only: bool
    mouse: bool
    ascii: bool | None
    """Whether it is drawn with ASCII only; None to go by what the environment says."""
    theme: str | None
    keymap: Keymap

    def draws_ascii(self) -> bool:
        """Return whether it is drawn with ASCII only."""
        if self.ascii is None:
            return is_needed(os.environ, getattr(sys.__stderr__, "encoding", "utf-8"))
        return self.ascii


def run(settings: Settings, loop: LoopKind, look: Look, journal: Journal | None = None) -> int:
    """Run the app until it is left. Returns the exit status: 0, or 128 + n after signal n from outside.

    Events go to `journal`; to a new one unless it is given.
    """
    for logger in ("echotui", "asyncio"):
        # The journal has it all. Without a handler Python would write it over the screen.
        logging.getLogger(logger).addHandler(logging.NullHandler())
    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop)) as runner:
        status, summary = runner.run(_run(settings, look, journal))
    try:
        print(summary, flush=True)
    except OSError:
        point_to_nothing()  # the terminal is closed
    return status


async def _run(settings: Settings, look: Look, journal: Journal | None) -> tuple[int, str]:
    terminal = SavedTerminal(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0)
    async with Lab(settings, journal, signals=True) as lab:
        app = EchoApp(
            lab,
            describe_loop(),
            refresh=look.refresh,
            read_only=look.read_only,
            theme=look.theme,
            keymap=look.keymap,
        )
        if look.theme is None:
            fit_colours(app)
        if look.draws_ascii():
            app.driver_class = AsciiDriver

        def last_call(number: signal.Signals, seconds: float) -> None:
            app.check_terminal()
            leave_after(seconds + LEAVE_TIME, 128 + number, terminal.restore)

        lab.on_last_call = last_call
        asyncio.get_running_loop().call_later(SETTLED, settle)
        await app.run_async(mouse=look.mouse)
        status = app.return_code or 0
    return status, _summary(lab)


def describe_loop() -> str:
    """Return what the running loop is, and how it waits, in words: ``asyncio · epoll``."""
    loop = asyncio.get_running_loop()
    if find_spec("uvloop") is not None:
        import uvloop

        if isinstance(loop, uvloop.Loop):
            return "uvloop · libuv"
    waits_by = type(getattr(loop, "_selector", None)).__name__.removesuffix("Selector").lower()
    return f"asyncio · {waits_by}"


def _summary(lab: Lab) -> str:
    """Return what there was, to the byte: this is what somebody compares with what their client has counted."""
    lines = [
        f"  {record.name:<10} {numbers.counted(record.accepted, 'connection')}, {record.bytes_in:,} B in, "
        f"{record.bytes_out:,} B out, {numbers.counted(record.booms, 'boom')}"
        for record in lab.records
        if record.accepted
    ]
    up = numbers.clock(monotonic() - lab.started_at)
    most = numbers.counted(lab.connections.most_open, "connection")
    return "\n".join([f"echotui: up {up}, at most {most} at once", *lines])
