"""What watching costs: the same traffic for plain servers and for ours, one after the other, in one run.

The measure is CPU time per message, of the server's process and from outside: it does not care how busy the rest of
the machine is, as throughput does. In each round the variants of a case run at the same time, each in a new process,
and are put under load in turn, for a second each (ABC, BCA, CAB…). Ratios are taken within a round. So what changes on
the machine from one second to the next changes all of them; and what a process has by luck, another one has the next
time.
"""

import dataclasses
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from .cores import one_kept_free
from .load import Load
from .order import UPPER, Order, Report
from .stolen import Stolen
from .subject import Subject

#: How a server is run, in the order of the tables: plain; as `echotui serve` does; with the screen painting; plain
#: in asyncio's debug mode, which is what one would pay otherwise to be told what the loop does.
VARIANTS = ("bare", "watched", "painting", "debug")

#: For about how long one variant is under load before it is the next one's turn, in seconds.
SLICE = 1.0

#: How long it is under the same load before that without being measured, in seconds: it has done nothing meanwhile, and
#: does in its first moments what it does not do later. A new process needs longer.
RUN_UP = 0.3
WARM_UP = 1.0


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
    """How long each load takes, without its run-ups; each sample takes two."""
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
        loads = 1 + self.latencies
        return samples * (loads * (self.seconds + self.slices * RUN_UP) + WARM_UP + 1.5)

    @property
    def slices(self) -> int:
        """In how many slices each load comes."""
        return max(1, round(self.seconds / SLICE))


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
    latency: dict[str, float | None] = field(default_factory=dict)
    """Percentiles at `rate`, from when a message was due."""
    behind: int = 0
    """How many messages were due at `rate` and could not even be sent."""
    memory_per_connection: float | None = None
    """Resident bytes that came with the connections, each."""
    stolen: float | None = None
    """The share of the machine's time that its host gave to others meanwhile; None where that is not told."""
    errors: dict[str, int] = field(default_factory=dict)

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
        KeyboardInterrupt: at ctrl+c.
    """
    samples = Samples()
    for case in plan.cases():
        rate: float | None = None
        for number in range(plan.runs):
            with ExitStack() as running:
                core = running.enter_context(one_kept_free())
                turns = []
                for variant in plan.variants_of(case):
                    tell(f"{case}: {variant} comes for round {number + 1} of {plan.runs}")
                    subject = Subject(commands[variant](case), paints=variant == "painting", core=core)
                    turns.append(_Turns(variant, running.enter_context(subject), case, plan, running))
                tell(f"{case}: round {number + 1} of {plan.runs}")
                _take(turns, plan, number, None)
                rate = rate or turns[0].throughput / 2
                if plan.latencies and rate:
                    _take(turns, plan, number, rate)
            samples += [turn.sample(number, rate if plan.latencies else None) for turn in turns]
        on_case(case, samples)
    return samples


def _take(turns: Sequence["_Turns"], plan: Plan, number: int, rate: float | None) -> None:
    """Put each under a load in a round, in slices and in turn."""
    for slice_ in range(plan.slices):
        first = (number + slice_) % len(turns)
        for turn in [*turns[first:], *turns[:first]]:
            turn.take(plan.seconds / plan.slices, rate)


@dataclass(slots=True)
class _Done:
    """What came of one kind of load, over all its slices."""

    report: Report = field(default_factory=Report)
    cpu: float = 0.0
    """CPU time of the server, in seconds."""

    def take_in(self, report: Report, cpu: float) -> None:
        """Take in another slice."""
        self.report.go_on(report)
        self.cpu += cpu

    @property
    def cpu_per_message(self) -> float | None:
        return self.cpu / self.report.messages if self.report.messages else None


class _Turns:
    """A variant that runs, and what it has done in its turns of a round.

    Args:
        variant: its name.
        subject: its process.
        case: what is compared.
        plan: how.
        running: ends its traffic with it.
    """

    def __init__(self, variant: str, subject: Subject, case: Case, plan: Plan, running: ExitStack) -> None:
        self._variant = variant
        self._subject = subject
        self._case = case
        self._order = Order(
            address=("127.0.0.1", subject.port),
            connections=case.connections,
            size=plan.size,
            upper=case.server in UPPER,
            spins=subject.is_apart,
        )
        memory = subject.rss
        self._load = running.enter_context(Load(self._order))
        self._load.connect()
        self._memory = (subject.rss - memory) / case.connections
        self._stolen: list[float] = []
        self._errors = Counter[str]()
        self._flat_out, self._at_rate = _Done(), _Done()
        self._run(WARM_UP, None)

    def take(self, seconds: float, rate: float | None) -> None:
        """Be under load for so long, and measure."""
        self._run(RUN_UP, rate)
        cpu, taken = self._subject.cpu, Stolen()
        report = self._run(seconds, rate)
        (self._flat_out if rate is None else self._at_rate).take_in(report, self._subject.cpu - cpu)
        if taken.share is not None:
            self._stolen.append(taken.share)

    def _run(self, seconds: float, rate: float | None) -> Report:
        report = self._load.run(order=dataclasses.replace(self._order, seconds=seconds, rate=rate))
        if report.interrupted:
            raise KeyboardInterrupt
        self._errors += report.errors
        return report

    @property
    def throughput(self) -> float:
        """Messages a second, flat out."""
        return self._flat_out.report.throughput

    def sample(self, number: int, rate: float | None) -> Sample:
        """Return what it has come to in this round."""
        flat_out, at_rate = self._flat_out, self._at_rate
        return Sample(
            case=self._case,
            variant=self._variant,
            round=number,
            cpu_per_message=flat_out.cpu_per_message,
            throughput=self.throughput,
            client_cpu=flat_out.report.client_cpu,
            rate=rate,
            cpu_per_message_at_rate=at_rate.cpu_per_message,
            latency=at_rate.report.percentiles if rate else {},
            behind=at_rate.report.behind,
            memory_per_connection=self._memory,
            stolen=statistics.fmean(self._stolen) if self._stolen else None,
            errors=dict(self._errors),
        )
