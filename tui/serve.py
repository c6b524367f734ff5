"""`echotui serve`: the servers without a screen. One JSON object a line on stdout, the log on stderr."""

import asyncio
import contextlib
import json
import logging
import os
import queue
import select
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any, Generic, TypeVar

from echotui.server.faults.director import Director
from echotui.server.faults.rounds import BEAT
from echotui.server.faults.script import Script
from echotui.server.journal import Entry, Journal
from echotui.server.lab import Lab
from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.naming import describe, exposed
from echotui.server.records import ServerState
from echotui.server.settings import Settings
from echotui.server.shutdown import close_loop
from echotui.server.waterfall import Shutdown

from .garbage import settle
from .rows import iso, row_of
from .text import clean

log = logging.getLogger("echotui")

Item = TypeVar("Item")

#: How many lines may wait for whoever reads stdout, or the log. What comes on top is dropped, and counted.
QUEUED = 100_000

#: How many characters are written at once, where so many wait.
AT_ONCE = 64 * 1024

#: How long the last lines may take to be written, in seconds, before the process ends without them.
FLUSH_TIME = 0.5


class Lines(Generic[Item]):
    """Writes a line for each item, from a thread of its own: a reader that is slow never holds up the loop.

    It writes past Python's own files, whose locks would hold up the exit while this thread waits for a reader.

    Args:
        descriptor: where the lines go.
        line: makes the line of an item, on that thread.
        lost: makes the line that stands before this item and says how many were dropped before it.
        on_broken: called, on that thread, once nothing can be written any more, with what the system says.
    """

    def __init__(
        self,
        descriptor: int,
        line: Callable[[Item], str],
        lost: Callable[[int, Item], str],
        on_broken: Callable[[OSError], object] = lambda _: None,
    ) -> None:
        self._descriptor = descriptor
        self._line = line
        self._lost = lost
        self._on_broken = on_broken
        self._queue: queue.Queue[tuple[int, Item] | None] = queue.Queue(QUEUED)
        self._dropped = 0
        """How many were dropped since the last that was not."""
        self._thread = threading.Thread(target=self._write, name="echotui-lines", daemon=True)
        self._thread.start()

    def __call__(self, item: Item) -> None:
        """Take an item; drop and count it where too many wait already."""
        try:
            self._queue.put_nowait((self._dropped, item))
        except queue.Full:
            self._dropped += 1
        else:
            self._dropped = 0

    def close(self) -> None:
        """Write what still waits, for at most `FLUSH_TIME`."""
        try:
            self._queue.put(None, timeout=FLUSH_TIME)
        except queue.Full:
            return
        self._thread.join(FLUSH_TIME)

    def _write(self) -> None:
        text = ""
        try:
            while (waiting := self._queue.get()) is not None:
                lost, item = waiting
                if lost:
                    text += self._lost(lost, item) + "\n"
                text += self._line(item) + "\n"
                if len(text) >= AT_ONCE or self._queue.empty():
                    self._send(text)
                    text = ""
            self._send(text)
        except OSError as error:
            self._on_broken(error)

    def _send(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # others have it too, and have changed how it waits
                select.select([], [self._descriptor], [])


class LogLines(logging.Handler):
    """A log on stderr whose reader may be slow, or gone: logging's own handler would hold up whoever logs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._lines: Lines[str] = Lines(sys.stderr.fileno(), str, lambda lost, _: f"{lost} lines of the log were lost")

    def emit(self, record: logging.LogRecord) -> None:
        self._lines(self.format(record))

    def close(self) -> None:
        self._lines.close()
        super().close()


def run(settings: Settings, loop: LoopKind, *, all_events: bool, script: Script | None = None) -> int:
    """Serve until a signal ends it, or stdout takes no more.

    Returns the exit status: 128 + n after signal n, 1 if a port cannot be had or stdout cannot be written, 141 where
    nobody reads it.

    The faults of `script` are injected when they are due.
    """
    logging.basicConfig(level=logging.INFO, handlers=[LogLines()])  # closed by logging, at the exit
    runner = asyncio.Runner(loop_factory=lambda: new_event_loop(loop))
    running = runner.get_loop()
    broken: asyncio.Future[OSError] = running.create_future()

    def broke(error: OSError) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and has nothing to tell any more
            running.call_soon_threadsafe(broken.set_result, error)

    journal = Journal(detail_rate=None if all_events else 0)
    writer = Lines(sys.stdout.fileno(), _as_json, _lost_as_json, broke)
    journal.subscribe(writer)
    journal.subscribe(_log_what_alarms)
    try:
        status, shutdown = runner.run(_serve(settings, journal, broken, script))
        close_loop(runner, journal, shutdown)
        return status
    finally:
        runner.close()
        writer.close()


async def _serve(
    settings: Settings, journal: Journal, broken: asyncio.Future[OSError], script: Script | None
) -> tuple[int, Shutdown | None]:
    async with Lab(settings, journal, signals=True, echo_complaints=True) as lab:
        failed = [record for record in lab.records if record.state is ServerState.FAILED]
        if failed:
            return 1, None
        if any(record.exposed for record in lab.records):
            log.warning("%s", clean(exposed(settings.host)))
        settle()
        async with _directed(lab, script):
            ends: list[asyncio.Future[Any]] = [lab.ended_by, broken]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            status = 0
            if not lab.ended_by.done():
                status, why = _unsaid(broken.result())
                log.error("%s: stopping", why)
                await lab.stop(cause="a stdout that takes no more")
        shutdown = lab.shutdowns[-1] if lab.shutdowns else None
        return 128 + lab.ended_by.result() if lab.ended_by.done() else status, shutdown


def _unsaid(error: OSError) -> tuple[int, str]:
    """Return the exit status where stdout takes no more, and why in words."""
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE, "nobody reads stdout any more"
    return 1, f"stdout: {describe(error)}"


@contextlib.asynccontextmanager
async def _directed(lab: Lab, script: Script | None) -> AsyncIterator[None]:
    """Have the faults of a script injected when they are due."""
    if script is None:
        yield
        return
    director = Director(lab, script)
    following = asyncio.get_running_loop().create_task(_follow(director), name="director")
    following.add_done_callback(_say_why_ended)
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait([following])
        director.close()


def _say_why_ended(following: asyncio.Task[None]) -> None:
    """Say that the script goes no further, where it has not been ended with everything else."""
    if not following.cancelled() and (error := following.exception()) is not None:
        log.error("%s", clean(f"the script has failed, and goes no further: {describe(error)}"))


async def _follow(director: Director) -> None:
    began, told = monotonic(), 0
    while True:
        director.turn(monotonic() - began)
        for step, why in director.failed[told:]:
            log.warning("%s", clean(f"a step of the script failed: {step}: {why}"))
        told = len(director.failed)
        await asyncio.sleep(BEAT)


def _log_what_alarms(entry: Entry) -> None:
    if entry.event.alarming:
        log.warning("%s", clean(f"{entry.event.about_server or 'loop'}: {entry.event.sentence}"))


def _as_json(entry: Entry) -> str:
    return json.dumps(row_of(entry))


def _lost_as_json(count: int, entry: Entry) -> str:
    return json.dumps({"time": iso(entry.time), "seq": entry.seq, "kind": "dropped", "count": count})
