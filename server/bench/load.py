"""Traffic from several processes: starts the workers, gives the sign, and adds up what they report."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Any, Self

from .order import Order, Report
from .undisturbed import undisturbed
from .worker import GO

#: How much longer than asked a worker may take before it is given up, in seconds.
GRACE = 30.0


class Load:
    """Carries out an order in processes of its own. Use it as a context manager: no process outlives it.

    Args:
        order: what traffic is wanted.
        processes: how many processes share it.
    """

    def __init__(self, order: Order, processes: int = 1) -> None:
        self.order = order
        self._orders = order.split(processes)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._unread: dict[int, bytes] = {}
        self._reports: dict[int, Report] = {}
        self._messages: dict[int, int] = {}
        self._ready: dict[int, int] = {}

    def __enter__(self) -> Self:
        try:
            with undisturbed():
                for order in self._orders:
                    self._workers.append(_worker(order))  # one by one: where one cannot be started, the others end
        except BaseException:  # a signal that had to wait, or no process left: it goes on once the workers have ended
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.communicate()

    def connect(self) -> int:
        """Return once every process has opened its connections: on how many a first message came back."""
        self._hear(lambda: len(self._ready) == len(self._workers), GRACE, lambda _: None)
        return sum(self._ready.values())

    def run(self, on_progress: Callable[[int], None] = lambda _: None, order: Order | None = None) -> Report:
        """Give the sign, and return what came of it. `on_progress` is told how many messages came back so far.

        It can be given again, also with another `order`, of which only time and rate count: the connections stay.
        At a KeyboardInterrupt it stops for good, and returns what there was until then.
        """
        report, order = Report(), order or self.order
        self._reports.clear()
        self._messages.clear()
        try:
            for worker, part in zip(self._workers, order.split(len(self._workers)), strict=True):
                _say(worker, GO + json.dumps(part.as_dict()).encode() + b"\n")
            self._hear(self._all_reported, order.seconds + GRACE, on_progress)
        except KeyboardInterrupt:
            for worker in self._workers:
                _say(worker, b"stop\n")
            self._hear(self._all_reported, GRACE, on_progress)
            report.interrupted = True
        for one in self._reports.values():
            report.add(one)
        missing = len(self._workers) - len(self._reports)
        if missing:
            report.errors["a client process ended without a report"] += missing
        return report

    def _all_reported(self) -> bool:
        return len(self._reports) == len(self._workers)

    def _hear(self, until: Callable[[], bool], patience: float, on_progress: Callable[[int], None]) -> None:
        """Read the workers' lines until something is true, all have ended, or `patience` is over."""
        deadline = monotonic() + patience
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                if worker.stdout is not None and not worker.stdout.closed:
                    selector.register(worker.stdout, selectors.EVENT_READ, worker.pid)
            while not until() and selector.get_map() and (left := deadline - monotonic()) > 0:
                for key, _ in selector.select(left):
                    more = os.read(key.fd, 65536)
                    if not more:
                        selector.unregister(key.fileobj)
                    *lines, self._unread[key.data] = (self._unread.get(key.data, b"") + more).split(b"\n")
                    for line in lines:
                        self._heard(key.data, json.loads(line))
                on_progress(sum(self._messages.values()))

    def _heard(self, worker: int, words: dict[str, Any]) -> None:
        if "ready" in words:
            self._ready[worker] = words["ready"]
        elif "messages" in words:
            self._messages[worker] = words["messages"]
        else:
            self._reports[worker] = Report.from_dict(words["report"])
            self._messages[worker] = self._reports[worker].messages


def _say(worker: subprocess.Popen[bytes], line: bytes) -> None:
    assert worker.stdin is not None  # noqa: S101 - opened above
    with contextlib.suppress(BrokenPipeError):  # it has ended, and its report is on its way
        worker.stdin.write(line)


def _worker(order: Order) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", f"{__package__}.worker", json.dumps(order.as_dict())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        # Not of the terminal's foreground: ctrl+c is for us, and we tell them.
        process_group=0,
    )
