"""`echotui bench`: what watching costs, beside plain servers, as a table for people, for the README, or as JSON."""

import dataclasses
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from echotui.server.bench import cores
from echotui.server.bench.compare import Case, Plan, Samples, Spread, compare
from echotui.server.bench.limits import too_few_descriptors
from echotui.server.bench.subject import HEIGHT, WIDTH, SubjectFailed
from echotui.server.compiled import how_built
from echotui.server.events import duration

from .ending import at_the_end
from .numbers import share
from .standard import say

#: The columns of the table: a title, a measure of `Sample`, and whether its ratio to bare is shown beside it.
MEASURES = [
    ("CPU per message", "cpu_per_message", True),
    ("at half rate", "cpu_per_message_at_rate", True),
    ("messages/s", "throughput", False),
    ("p50", "p50", False),
    ("p99", "p99", True),
    ("p99.9", "p99.9", False),
]

_ECHOTUI = [sys.executable, "-c", "from echotui.tui.cli import main; raise SystemExit(main())"]
_PLAIN = [sys.executable, "-m", "echotui.server.bench.plain"]


def commands(refresh: float) -> dict[str, Any]:
    """Return how each variant of a case is run."""

    def ours(case: Case) -> list[str]:
        # Without the user's file: it may have a limit for who is idle, as all are while it is another one's turn.
        return ["--port", "0", "--servers", case.server, "--loop", case.loop, "--config", os.devnull]

    return {
        "bare": lambda case: [*_PLAIN, case.server, case.loop],
        "watched": lambda case: [*_ECHOTUI, "serve", *ours(case)],
        "painting": lambda case: [*_ECHOTUI, "--refresh", f"{refresh:g}", *ours(case)],
        "debug": lambda case: [*_PLAIN, case.server, case.loop, "debug"],
    }


def run(plan: Plan, arguments: Sequence[str], *, refresh: float, as_json: bool, markdown: bool) -> int:
    """Carry out a plan and print what came of it.

    Returns the exit status: 1 if anything went wrong, 130 at ctrl+c. Leaves where stdout takes no more.
    """
    if problem := too_few_descriptors(max(plan.connections)):
        return _failed(problem)
    about = _about(plan, arguments)
    _note(f"about {plan.estimate / 60:.0f} minutes; ctrl+c leaves")
    table = _Markdown() if markdown else _Text()
    if not as_json:
        _say(table.head(about))

    def on_case(case: Case, samples: Samples) -> None:
        if not as_json:
            _note("")
            _say(table.rows(plan, case, samples))

    at_the_end(_leave)  # by unwinding, so that no server is left behind
    try:
        samples = compare(plan, commands(refresh), _note, on_case)
    except SubjectFailed as why:
        return _failed(str(why))
    except KeyboardInterrupt:
        return 130
    finally:
        _note("")
    if not as_json and samples:
        _say(f"\n{_below(samples)}")
    if as_json:
        _say(json.dumps({**about, "samples": [dataclasses.asdict(sample) for sample in samples]}))
    errors = {why: count for sample in samples for why, count in sample.errors.items()}
    for what, count in errors.items():
        _failed(f"{count} × {what}")
    return 1 if errors else 0


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _say(text: str) -> None:
    """Print it. Where stdout does not take it, leave: by unwinding, as at a signal."""
    if refused := say("echotui bench", text):
        raise SystemExit(refused)


def _failed(why: str) -> int:
    print(f"echotui bench: {why}", file=sys.stderr)
    return 1


def _note(text: str) -> None:
    """Show on a terminal what is being done, in the place of what was."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def _about(plan: Plan, arguments: Sequence[str]) -> dict[str, Any]:
    """Return what has to be known to read the numbers."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("echotui", "textual", "uvloop") if _installed(name)},
        "built": how_built(),
        "cores": cores.said(),
        "load_average": round(os.getloadavg()[0], 2),
        "command": " ".join(["echotui bench", *arguments]),
        "plan": dataclasses.asdict(plan),
    }


def _below(samples: Samples) -> str:
    """Return in words what else may have had a part in the numbers."""
    said = f"The client took at most {share(max(sample.client_cpu for sample in samples))} of its core, flat out."
    stolen = [sample.stolen for sample in samples if sample.stolen is not None]
    if stolen:
        said += (
            f" The machine's host gave {share(statistics.fmean(stolen))} of the time of its cores to others, and "
            f"{share(max(stolen))} in the worst sample."
        )
    return said


def _installed(name: str) -> bool:
    try:
        version(name)
    except ModuleNotFoundError:
        return False
    return True


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _versions(about: dict[str, Any]) -> str:
    """Return in words what was measured."""
    return ", ".join(f"{name} {number}" for name, number in about["versions"].items()) + f"; {about['built']}"


class _Text:
    """The table as it is read on a terminal."""

    def head(self, about: dict[str, Any]) -> str:
        """Return what stands above the rows."""
        versions = _versions(about)
        plan = about["plan"]
        return (
            f"{about['date']}  {about['machine']}  Python {about['python']}, {versions}\n"
            f"{about['command']}\n"
            f"{plan['runs']} rounds × {plan['seconds']:g} s, {plan['size']} B messages; load average at the start "
            f"{about['load_average']:g}; {about['cores']}; screen {WIDTH}×{HEIGHT}\n"
            "ratios to bare: median (least–most). CPU per message and messages/s flat out; at half rate, and latencies "
            "from when a message was due, at half of what bare can take."
        )

    def rows(self, plan: Plan, case: Case, samples: Samples) -> str:
        """Return the rows of a case."""
        lines = [f"\n{case}"]
        for variant in plan.variants_of(case):
            cells = [f"  {variant:9}"]
            for title, measure, with_ratio in MEASURES:
                cells.append(f"{title} {_value(measure, samples.spread(case, variant, measure)):>8}")
                if with_ratio and variant != "bare":
                    cells.append(f"{_ratio(samples.ratio(case, variant, measure)):20}")
                elif with_ratio:
                    cells.append(" " * 20)
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


class _Markdown:
    """The table as it stands in the README."""

    def head(self, about: dict[str, Any]) -> str:
        """Return what stands above the rows."""
        versions = _versions(about)
        plan = about["plan"]
        return (
            f"`{about['command']}`, {about['date']}: {about['machine']}; Python {about['python']}, {versions}. "
            f"{plan['runs']} rounds × {plan['seconds']:g} s, {plan['size']} B messages, load average "
            f"{about['load_average']:g} at the start, {about['cores']}. CPU per message and messages/s flat out; the "
            "rest at half of what bare can take, latencies from when a message was due. × is the ratio to bare: median "
            "(least–most).\n\n"
            "| server | loop | connections | | CPU per message | × | at half rate | × "
            "| messages/s | p50 | p99 | × | p99.9 |\n"
            "|---|---|---:|---|---:|---|---:|---|---:|---:|---:|---|---:|"
        )

    def rows(self, plan: Plan, case: Case, samples: Samples) -> str:
        """Return the rows of a case."""
        lines = []
        for variant in plan.variants_of(case):
            cells = [case.server, case.loop, f"{case.connections:,}", variant]
            for _, measure, with_ratio in MEASURES:
                cells.append(_value(measure, samples.spread(case, variant, measure)))
                if with_ratio:
                    cells.append("" if variant == "bare" else _ratio(samples.ratio(case, variant, measure)))
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


def _value(measure: str, spread: Spread | None) -> str:
    if spread is None:
        return "–"
    if measure == "throughput":
        return f"{spread.median:,.0f}"
    return f"{spread.median * 1e6:.1f} µs" if measure.startswith("cpu") else duration(spread.median)


def _ratio(spread: Spread | None) -> str:
    return "–" if spread is None else f"{spread.median:.2f} ({spread.least:.2f}–{spread.most:.2f})"
