"""`echotui serve`: the servers without a screen. One JSON object a line on stdout, the log on stderr."""

import asyncio
import json
import logging
import queue
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from echotui.server.journal import Entry, Journal
from echotui.server.lab import Lab
from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.records import ServerState
from echotui.server.settings import Settings

from .text import clean

log = logging.getLogger("echotui")

#: How many events may wait for whoever reads stdout. What comes on top is dropped, and counted.
QUEUED = 100_000

#: How long the last events may take to be written, in seconds, before the process ends without them.
FLUSH_TIME = 0.5


class JsonLines:
    """Writes journal entries as JSON lines, from a thread of its own: a reader that is slow never holds up the loop.

    Args:
        file: where the lines go.
        on_broken: called, from the thread, once nobody reads any more.
    """

    def __init__(self, file: TextIO, on_broken: Callable[[], object]) -> None:
        self._file = file
        self._on_broken = on_broken
        self._queue: queue.Queue[Entry | None] = queue.Queue(QUEUED)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="echotui-json", daemon=True)
        self._thread.start()

    def __call__(self, entry: Entry) -> None:
        """Take an entry; drop and count it where too many wait already."""
        try:
            self._queue.put_nowait(entry)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what still waits, for at most `FLUSH_TIME`."""
        try:
            self._queue.put(None, timeout=FLUSH_TIME)
        except queue.Full:
            return
        self._thread.join(FLUSH_TIME)

    def _write(self) -> None:
        told = 0
        try:
            while (entry := self._queue.get()) is not None:
                if self._dropped > told:
                    lost, told = self._dropped - told, self._dropped
                    self._line({"time": _iso(entry.time), "seq": entry.seq, "kind": "dropped", "count": lost})
                self._line({"time": _iso(entry.time), "seq": entry.seq, **entry.event.as_dict()})
                if self._queue.empty():
                    self._file.flush()
            self._file.flush()
        except (OSError, ValueError):
            self._on_broken()

    def _line(self, row: dict[str, object]) -> None:
        self._file.write(json.dumps(row) + "\n")


def run(settings: Settings, loop: LoopKind, *, all_events: bool) -> int:
    """Serve until a signal ends it. Returns the exit status: 128 + n after signal n, 1 if a port cannot be had."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop)) as runner:
        return runner.run(_serve(settings, all_events=all_events))


async def _serve(settings: Settings, *, all_events: bool) -> int:
    running = asyncio.get_running_loop()
    journal = Journal(detail_rate=None if all_events else 0)
    broken = running.create_future()

    def broke() -> None:
        running.call_soon_threadsafe(_set, broken)

    writer = JsonLines(sys.stdout, broke)
    journal.subscribe(writer)
    journal.subscribe(_log_what_alarms)
    try:
        async with Lab(settings, journal, signals=True, echo_complaints=True) as lab:
            failed = [record for record in lab.records if record.state is ServerState.FAILED]
            if failed:
                return 1
            await asyncio.wait([lab.ended_by, broken], return_when=asyncio.FIRST_COMPLETED)
            if lab.ended_by.done():
                return 128 + lab.ended_by.result()
            log.error("nobody reads stdout any more: stopping")
            await lab.stop()
            return 128 + signal.SIGPIPE
    finally:
        writer.close()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _log_what_alarms(entry: Entry) -> None:
    if entry.event.alarming:
        log.warning("%s", clean(f"{entry.event.about_server or 'loop'}: {entry.event.sentence}"))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
