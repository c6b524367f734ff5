"""What a traffic client is asked to do, and what it says it has done: plain data that goes between processes."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from .histogram import Histogram

#: The percentiles that are told, by their names.
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}

#: The most that can be asked for. A client is bounded in everything, so that a slip of the keyboard is no attack.
MOST_CONNECTIONS = 50_000
MOST_SECONDS = 3_600.0
MOST_RATE = 10_000_000.0
MOST_PIPELINED = 10_000
MOST_IN_FLIGHT = 16 * 2**20
"""Bytes on their way on one connection: message size times pipelining."""
MOST_PROCESSES = 64
MOST_SIZE = 2**20

#: The servers of ours that answer in upper case. Not `blocking`, though it answers by line as well.
UPPER = frozenset({"streams"})

#: The servers of ours that let whoever comes wait until nobody else is there.
ONE_AT_A_TIME = frozenset({"blocking"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What traffic is wanted.

    Args:
        address: where to connect, as `socket.connect` takes it for IPv4 or IPv6.
        connections: how many at the same time.
        size: bytes of each message, its newline included.
        rate: messages a second, over all connections, however the server copes; None for flat out: each
            connection sends its next message when an answer has come.
        pipelining: how many messages of one connection may be on their way at the same time.
        seconds: for how long messages are sent; for those that are under way then, the client waits a little.
        upper: whether answers are expected in upper case.
        spins: whether a client may keep a core busy while it waits, to be on time, and to be awake when an answer
            comes. It takes that from the server, if there is no other.
    """

    address: tuple[str, int]
    connections: int = 100
    size: int = 64
    rate: float | None = None
    pipelining: int = 1
    seconds: float = 10.0
    upper: bool = False
    spins: bool = False

    def split(self, processes: int) -> list["Order"]:
        """Return an order for each process; together they are this one."""
        shares = [len(range(number, self.connections, processes)) for number in range(processes)]
        return [
            dataclasses.replace(self, connections=share, rate=self.rate and self.rate * share / self.connections)
            for share in shares
            if share
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Self:
        """Return what `as_dict` has taken apart."""
        return cls(**{**row, "address": tuple(row["address"])})


@dataclass(slots=True)
class Report:
    """What came of an order."""

    seconds: float = 0.0
    """From the first message to the end of sending, or until the last message came back if that was later. Waiting in
    vain for others is no part of it."""
    messages: int = 0
    """How many were sent and came back, every byte right."""
    latencies: Histogram = field(default_factory=Histogram)
    """In nanoseconds: from the moment each message was *due* where there is a rate, and was *sent* where there is
    none."""
    behind: int = 0
    """With a rate: how many messages were due, but could not even be sent because the answers did not come."""
    errors: Counter[str] = field(default_factory=Counter)
    """How often what went wrong."""
    wrong: str = ""
    """The first wrong answer, in words."""
    client_cpu: float = 0.0
    """CPU time of the busiest client process by wall time, but for what it spun: near 1.0 the client was the
    bottleneck."""
    interrupted: bool = False
    """Whether it was stopped before its time."""

    def add(self, other: "Report") -> None:
        """Take in what another process has done at the same time."""
        self.seconds = max(self.seconds, other.seconds)
        self.messages += other.messages
        self.latencies.add(other.latencies)
        self.behind += other.behind
        self.errors.update(other.errors)
        self.wrong = self.wrong or other.wrong
        self.client_cpu = max(self.client_cpu, other.client_cpu)
        self.interrupted |= other.interrupted

    def go_on(self, later: "Report") -> None:
        """Take in what was done on the same connections after it."""
        seconds = self.seconds + later.seconds
        self.add(later)
        self.seconds = seconds

    @property
    def throughput(self) -> float:
        """Messages a second, there and back, in `seconds`."""
        return self.messages / self.seconds if self.seconds else 0.0

    @property
    def percentiles(self) -> dict[str, float | None]:
        """Latencies in seconds, by the names in `PERCENTILES`; None where no message came back."""
        found = {name: self.latencies.percentile(percent) for name, percent in PERCENTILES.items()}
        return {name: None if value is None else value / 1e9 for name, value in found.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON, with all latencies."""
        row = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**row, "latencies": self.latencies.counts, "errors": dict(self.errors)}

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Self:
        """Return what `as_dict` has taken apart, also after JSON has made text of the buckets' numbers."""
        counts = {int(bucket): count for bucket, count in row["latencies"].items()}
        return cls(**{**row, "latencies": Histogram(counts), "errors": Counter(row["errors"])})
