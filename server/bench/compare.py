"""What watching costs: the same traffic for plain servers and for ours, one after the other, in one run.

The measure is CPU time per message, of the server's process and from outside: it does not care how busy the rest of
the machine is, as throughput does. The variants of one case alternate (ABC, BCA, CAB…), each in a new process, and
ratios are taken within a round, so that what changes slowly on the machine changes all of them.
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .load import Load
from .order import UPPER, Order, Report
from .stolen import Stolen
from .subject import Subject

#: How a server is run, in the order of the tables: plain; as `echotui serve` does; with the screen painting; plain
#: in asyncio's debug mode, which is what one would pay otherwise to be told what the loop does.
VARIANTS = ("bare", "watched", "painting", "debug")

#: How long a new process is warmed up, in seconds, and by how many connections.
WARM_UP = 0.5
WARM_UP_CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class Case:
    """What is compared with itself."""

    server: str
    loop: str
    connections: int

    def __str__(self) -> str:
        return f"{self.server} on {self.loop}, {self.connections:,} connection{'s' if self.connections > 1 else ''}"


#: The command that runs one variant of a case.
Commands = Mapping[str, Callable[[Case], Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to compare, and how thoroughly."""

    servers: tuple[str, ...]
    loops: tuple[str, ...]
    connections: tuple[int, ...] = (1, 100, 5000)
    variants: tuple[str, ...] = VARIANTS
    runs: int = 5
    seconds: float = 3.0
    """How long each load takes; each sample takes two."""
    size: int = 64
    latencies: bool = True
    """Whether latencies are measured, at half of the rate that the bare server can take."""

    def cases(self) -> Iterator[Case]:
        """Yield the cases, each by itself."""
        for server in self.servers:
            for loop in self.loops:
                for connections in self.connections:
                    yield Case(server, loop, connections)

    def variants_of(self, case: Case) -> list[str]:
        """Return the variants there are of a case: the plain `selectors` server knows no asyncio, so no debug mode."""
        return [name for name in self.variants if not (name == "debug" and case.server == "selectors")]

    @property
    def estimate(self) -> float:
        """About how long it takes, in seconds."""
        samples = self.runs * sum(len(self.variants_of(case)) for case in self.cases())
        return samples * (self.seconds * (1 + self.latencies) + 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one variant of a case did in one round. Times are in seconds; None: not measured."""

    case: Case
    variant: str
    round: int
    cpu_per_message: float | None
    """Flat out."""
    throughput: float
    """Messages a second, flat out."""
    client_cpu: float
    """CPU time of the traffic client by wall time, flat out."""
    rate: float | None = None
    """Messages a second that were asked for while latencies were measured."""
    cpu_per_message_at_rate: float | None = None
    latency: dict[str, float | None] = dataclasses.field(default_factory=dict)
    """Percentiles at `rate`, from when a message was due."""
    behind: int = 0
    """How many messages were due at `rate` and could not even be sent."""
    memory_per_connection: float | None = None
    """Resident bytes that came with the connections, each."""
    stolen: float | None = None
    """The share of the machine's time that its host gave to others meanwhile; None where that is not told."""
    errors: dict[str, int] = dataclasses.field(default_factory=dict)

    def value(self, measure: str) -> float | None:
        """Return a field, or a percentile, by its name."""
        return self.latency.get(measure) if measure.startswith("p") else getattr(self, measure)


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the middle and the greatest of some values."""

    least: float
    median: float
    most: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread | None":
        """Return the spread of values; None where there are none."""
        return Spread(min(values), statistics.median(values), max(values)) if values else None


class Samples(list[Sample]):
    """All that was measured."""

    def spread(self, case: Case, variant: str, measure: str) -> Spread | None:
        """Return what a variant of a case came to."""
        return Spread.of(list(self._by_round(case, variant, measure).values()))

    def ratio(self, case: Case, variant: str, measure: str, to: str = "bare") -> Spread | None:
        """Return what a variant came to by what another one did in the same round."""
        over, under = self._by_round(case, variant, measure), self._by_round(case, to, measure)
        return Spread.of([over[number] / under[number] for number in over if under.get(number)])

    def _by_round(self, case: Case, variant: str, measure: str) -> dict[int, float]:
        return {
            sample.round: value
            for sample in self
            if sample.case == case and sample.variant == variant and (value := sample.value(measure)) is not None
        }


def compare(
    plan: Plan, commands: Commands, tell: Callable[[str], None], on_case: Callable[[Case, Samples], None]
) -> Samples:
    """Measure everything in the plan.

    Args:
        plan: what to compare.
        commands: how each variant is run.
        tell: told what is being measured, a few words.
        on_case: told when a case is complete.

    Raises:
        SubjectFailed: if a server does not come up.
    """
    samples = Samples()
    for case in plan.cases():
        rate: float | None = None
        variants = plan.variants_of(case)
        for number in range(plan.runs):
            turn = number % len(variants)
            for variant in variants[turn:] + variants[:turn]:
                tell(f"{case}: {variant}, {number + 1} of {plan.runs}")
                with Subject(commands[variant](case), paints=variant == "painting") as subject:
                    measured = _measure(subject, case, plan, rate)
                rate = measured["rate"]
                samples.append(Sample(case=case, variant=variant, round=number, **measured))
        on_case(case, samples)
    return samples


def _measure(subject: Subject, case: Case, plan: Plan, rate: float | None) -> dict[str, Any]:
    """Return the fields of a `Sample`. Latencies are measured at `rate`, or at half of what was just got through."""
    order = Order(
        address=("127.0.0.1", subject.port),
        connections=case.connections,
        size=plan.size,
        seconds=plan.seconds,
        upper=case.server in UPPER,
        spins=subject.is_apart,
    )
    _put(subject, dataclasses.replace(order, connections=WARM_UP_CONNECTIONS, seconds=WARM_UP))
    taken = Stolen()
    report, cpu, memory = _put(subject, order)
    measured: dict[str, Any] = {
        "cpu_per_message": cpu / report.messages if report.messages else None,
        "throughput": report.throughput,
        "client_cpu": report.client_cpu,
        "memory_per_connection": memory / case.connections,
        "errors": dict(report.errors),
        "rate": rate,
        "stolen": taken.share,
    }
    if not plan.latencies or not report.messages:
        return measured
    measured["rate"] = rate or report.throughput / 2
    at_rate, cpu, _ = _put(subject, dataclasses.replace(order, rate=measured["rate"]))
    return {
        **measured,
        "cpu_per_message_at_rate": cpu / at_rate.messages if at_rate.messages else None,
        "latency": at_rate.percentiles,
        "behind": at_rate.behind,
        "stolen": taken.share,
        "errors": dict(report.errors + at_rate.errors),
    }


def _put(subject: Subject, order: Order) -> tuple[Report, float, int]:
    """Put a subject under load. Returns what came of it, the CPU time it took, and the memory the connections took."""
    memory = subject.rss
    with Load(order) as load:
        load.connect()
        memory = subject.rss - memory
        cpu = subject.cpu
        report = load.run()
        return report, subject.cpu - cpu, memory
