"""`echotui load`: traffic for a server, and what it did under it. On a terminal a bar shows how far it is."""

import json
import shutil
import signal
import socket
import sys
from dataclasses import replace
from time import monotonic
from typing import Any, NoReturn

from echotui.server.bench.cores import usable
from echotui.server.bench.histogram import PRECISION
from echotui.server.bench.limits import too_few_descriptors
from echotui.server.bench.load import Load
from echotui.server.bench.order import Order, Report
from echotui.server.events import duration
from echotui.server.naming import beyond_loopback

from . import numbers
from .ending import at_the_end
from .standard import say
from .status_line import StatusLine
from .text import clean

#: A client process above this share of a core is likely to be what limits the throughput.
BUSY = 0.9

#: How long trying one of several addresses may take, in seconds.
TRIAL = 1.0


class NotLoaded(Exception):
    """Why a server is not put under load; the message says it for people."""


def where(host: str, port: int, *, beyond: bool) -> tuple[str, int]:
    """Return the address to connect to: of several the first at which somebody listens.

    Raises:
        NotLoaded: if the host is not known, or is not this machine and `beyond` does not say that this is meant.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name at all
        raise NotLoaded(f"{clean(host)} is not known: {getattr(error, 'strerror', None) or error}") from None
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not beyond and any(map(beyond_loopback, addresses)):
        raise NotLoaded(
            f"{clean(host)} is not this machine's loopback: load only what is yours, "
            f"and say that you mean it with --host {clean(host)}"
        )
    listening = (one for one in addresses if len(addresses) == 1 or _listens(one, port))
    return next(listening, addresses[0]), port


def _listens(address: str, port: int) -> bool:
    """Return whether somebody can be connected to."""
    try:
        socket.create_connection((address, port), TRIAL).close()
    except OSError:
        return False
    return True


def run(order: Order, processes: int, *, as_json: bool) -> int:
    """Carry out an order and print what came of it.

    Returns the exit status: 1 if anything went wrong, 128 and the number of the signal that has stopped it.
    """
    stopped_by = [signal.SIGINT]

    def stop(number: int, _: object) -> NoReturn:
        stopped_by.append(signal.Signals(number))
        raise KeyboardInterrupt

    if problem := too_few_descriptors(-(-order.connections // processes)):
        return _failed(problem)
    # Only by the clock, to be on time: flat out it would keep a core busy for as long as it takes, perhaps somebody's.
    order = replace(order, spins=order.rate is not None and processes < usable())
    bar = Bar(order.seconds)
    at_the_end(stop)
    try:
        with Load(order, processes) as load:
            bar.show("connecting")
            load.connect()
            bar.begin()
            report = load.run(bar.progress)
    except KeyboardInterrupt:
        return 128 + stopped_by[-1]
    finally:
        bar.wipe()
    if as_json or report.messages or report.interrupted:
        said = json.dumps(as_row(order, processes, report)) if as_json else as_text(order, processes, report)
        if refused := say("echotui load", said):
            return refused
    else:
        why = ", ".join([*(f"{why} ({count} ×)" for why, count in report.errors.items()), report.wrong])
        return _failed(f"no message came back from {_address(order)}: {clean(why.removesuffix(', '))}")
    if report.interrupted:
        return 128 + stopped_by[-1]
    return 1 if report.errors else 0


def _failed(why: str) -> int:
    print(f"echotui load: {why}", file=sys.stderr)
    return 1


class Bar(StatusLine):
    """A bar that is as long as the time that has passed, and how many messages came back."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._began = monotonic()

    def begin(self) -> None:
        """Now the clock runs."""
        self._began = monotonic()

    def progress(self, messages: int) -> None:
        """Show the time, and how many messages came back."""
        passed = monotonic() - self._began
        share = min(passed / self._seconds, 1)
        rate = numbers.count(messages / passed) if passed else "0"
        width = max(min(shutil.get_terminal_size().columns, 100) - 40, 10)
        full = round(share * width)
        self.show(f"{'█' * full}{'░' * (width - full)} {passed:5.1f} of {self._seconds:g} s  {rate} msg/s")


def as_row(order: Order, processes: int, report: Report) -> dict[str, Any]:
    """Return everything about a run, for programs. Times are in seconds."""
    return {
        "address": _address(order),
        "connections": order.connections,
        "size": order.size,
        "rate": order.rate,
        "pipelining": order.pipelining,
        "processes": processes,
        "seconds": report.seconds,
        "interrupted": report.interrupted,
        "messages": report.messages,
        "messages_per_second": report.throughput,
        "latency": report.percentiles,
        "latency_counts_from": "due" if order.rate else "sent",
        "latency_precision": PRECISION,
        "behind": report.behind,
        "client_cpu": report.client_cpu,
        "errors": dict(report.errors),
        "wrong": report.wrong or None,
    }


def as_text(order: Order, processes: int, report: Report) -> str:
    """Return what came of an order, for people."""
    many = f"{numbers.counted(order.connections, 'connection')} × {numbers.size(order.size)}"
    pipelined = f", {order.pipelining} on their way on each" if order.pipelining > 1 else ""
    how = "flat out" if order.rate is None else f"{numbers.count(order.rate)} msg/s"
    stopped = " until it was stopped" if report.interrupted else ""
    by = "1 client process" if processes == 1 else f"{processes} client processes"
    count, rate = numbers.count(report.messages), numbers.count(report.throughput)
    speed = numbers.size(report.throughput * order.size)
    latencies = "   ".join(
        f"{name} {'–' if value is None else duration(value)}" for name, value in report.percentiles.items()
    )
    since = "was due" if order.rate else "was sent"
    lines = [
        f"{_address(order)}: {many}{pipelined}, {how}, {report.seconds:.1f} s{stopped}, {by}",
        f"  messages  {count} came back, every byte right   {rate} a second   {speed}/s each way",
        f"  latency   {latencies}",
        f"            from the moment a message {since}, to within {numbers.share(PRECISION)}",
    ]
    if report.behind:
        lines.append(f"  behind    {numbers.count(report.behind)} messages were due and could not even be sent")
    if report.client_cpu > BUSY:
        lines.append(
            f"  client    {numbers.share(report.client_cpu)} of a core: it may be the bottleneck; try --processes"
        )
    for why, times in report.errors.most_common():
        lines.append(f"  error     {numbers.count(times)} × {clean(why)}")
    if report.wrong:
        lines.append(f"            {clean(report.wrong)}")
    return "\n".join(lines)


def _address(order: Order) -> str:
    host, port = order.address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
