"""`echotui`: the lab and the screen on one loop, from the first frame to the exit status."""

import asyncio
import os
import signal
import sys
from importlib.util import find_spec

from echotui.server.lab import Lab
from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.settings import Settings
from echotui.server.shutdown import leave_after

from . import numbers
from .app import EchoApp
from .terminal import SavedTerminal

#: How long leaving may take once the servers have stopped, in seconds, whatever the terminal does.
LEAVE_TIME = 0.8


def run(settings: Settings, loop: LoopKind, *, refresh: float, read_only: bool, mouse: bool) -> int:
    """Run the app until it is left. Returns the exit status: 0, or 128 + n after signal n from outside."""
    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop)) as runner:
        status, summary = runner.run(_run(settings, refresh=refresh, read_only=read_only, mouse=mouse))
    try:
        print(summary, flush=True)
    except OSError:
        # The terminal is closed. What Python still has to flush on its way out goes nowhere, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


async def _run(settings: Settings, *, refresh: float, read_only: bool, mouse: bool) -> tuple[int, str]:
    terminal = SavedTerminal(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0)
    async with Lab(settings, signals=True) as lab:
        app = EchoApp(lab, describe_loop(), refresh=refresh, read_only=read_only)

        def last_call(number: signal.Signals, seconds: float) -> None:
            app.check_terminal()
            leave_after(seconds + LEAVE_TIME, 128 + number, terminal.restore)

        lab.on_last_call = last_call
        await app.run_async(mouse=mouse)
        status = app.return_code or 0
    return status, _summary(lab)


def describe_loop() -> str:
    """Return what the running loop is, and how it waits, in words: ``asyncio · epoll``."""
    loop = asyncio.get_running_loop()
    if find_spec("uvloop") is not None:
        import uvloop

        if isinstance(loop, uvloop.Loop):
            return "uvloop · libuv"
    selector = getattr(loop, "_selector", None)
    waits_by = type(getattr(selector, "inner", selector)).__name__.removesuffix("Selector").lower()
    return f"asyncio · {waits_by}"


def _summary(lab: Lab) -> str:
    served = ", ".join(
        f"{record.name} {numbers.count(record.accepted)} connections {numbers.size(record.bytes_in)} in "
        f"{numbers.size(record.bytes_out)} out {numbers.count(record.booms)} booms"
        for record in lab.records
    )
    return f"echotui: {served}; most at once {numbers.count(lab.connections.most_open)}"
