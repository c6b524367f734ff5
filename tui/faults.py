"""`echotui faults`: the catalogue as a table, and fault scripts run without a screen."""

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path
from time import monotonic

from echotui.server.faults.catalogue import CATALOGUE, Kind
from echotui.server.faults.rounds import Report, run_script
from echotui.server.faults.script import BadScript, Script, load
from echotui.server.faults.sequence import digest, sequence
from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.shutdown import Signals

from .numbers import counted
from .rows import row_of
from .standard import point_to_nothing, speaking
from .status_line import StatusLine
from .text import clean

#: What stands before a verdict: whether it is met, or how it was so far where the script was interrupted.
_MARKS = {True: "ok", False: "FAILED", None: "so far"}

#: How wide the names of faults and parameters are.
NAME_WIDTH = 16


def list_faults(*, as_json: bool) -> int:
    """Print every kind of fault with its parameters. Returns the exit status."""
    return speaking("echotui faults list", partial(_list, as_json=as_json))


def _list(*, as_json: bool) -> int:
    for kind in CATALOGUE.values():
        if as_json:
            print(json.dumps(_as_dict(kind)))
            continue
        marks = ", ".join(kind.targets) + (", dangerous" if kind.dangerous else "")
        print(f"{kind.name:{NAME_WIDTH}} {kind.sentence} [{marks}]")
        for parameter in kind.parameters:
            default = f"{parameter.name} = {parameter.shown}"
            print(f"{'':{NAME_WIDTH}}   {default}: {parameter.sentence} ({parameter.allowed})")
    return 0


def _as_dict(kind: Kind) -> dict[str, object]:
    return {
        "name": kind.name,
        "group": kind.group,
        "sentence": kind.sentence,
        "undo": kind.undo,
        "targets": list(kind.targets),
        "lasting": kind.lasting,
        "needs_tasks": kind.needs_tasks,
        "dangerous": kind.dangerous,
        "parameters": [
            {
                "name": parameter.name,
                "sentence": parameter.sentence,
                "default": parameter.default,
                "unit": parameter.unit,
                "allowed": parameter.allowed,
            }
            for parameter in kind.parameters
        ],
    }


def run(path: Path, loop: LoopKind, *, seed: int | None, as_json: bool) -> int:
    """Run a fault script.

    Returns the exit status: 0 if all expectations are met, 1 if not, 2 if the file is bad, and 128 + n after signal n.
    """
    try:
        script = load(path)
    except BadScript as error:
        print(f"echotui faults run: {clean(str(error))}", file=sys.stderr)
        return 2
    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop)) as runner:
        try:
            report, ended_by = runner.run(_run(script, seed))
        except OSError as error:
            print(f"echotui faults run: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:  # the second ctrl+c, where the first takes too long
            return 128 + signal.SIGINT
    speak = partial(speaking, "echotui faults run", partial(_print_json if as_json else _print, report))
    if ended_by is None:
        return speak()
    try:
        speak()
        print(f"echotui faults run: interrupted by {ended_by.name}, so nothing is decided", file=sys.stderr, flush=True)
    except OSError:
        point_to_nothing()  # the terminal is closed
    return 128 + ended_by


async def _run(script: Script, seed: int | None) -> tuple[Report, signal.Signals | None]:
    """Run a script until its end or a signal; return what came of it, and the signal. A second one ends the process."""
    interrupt = asyncio.get_running_loop().create_future()

    def interrupted(number: signal.Signals, _: float | None) -> None:
        signals.uninstall()
        interrupt.set_result(number)

    progress = _Progress(script.seconds)
    signals = Signals(interrupted)
    signals.install()
    try:
        report = await run_script(script, seed, interrupt=interrupt, on_round=progress.tell)
    finally:
        progress.wipe()
        signals.uninstall()
    return report, interrupt.result() if report.interrupted else None


class _Progress(StatusLine):
    """Each step that is done, and below them how far the script is by its own clock, and by everybody's."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._began = monotonic()

    def tell(self, clock: float, done: list[str]) -> None:
        """Tell it before a round."""
        for sentence in done:
            self.say(clean(sentence))
        passed = f"{monotonic() - self._began:.1f} s have passed"
        far = f"{clock:.2f} of {self._seconds:g} s by the script's own clock"
        self.show(f"{far if clock < self._seconds else 'until all echo again'}, {passed}")


def _print(report: Report) -> int:
    for step, fault in report.injected:
        recovery = report.recoveries.get(fault.id)
        never = "not all again yet" if report.interrupted else "never all again"
        again = never if recovery is None else f"all again after {recovery:.3f} s"
        print(f"{fault.name} in {step.into(fault.target.connection)}: {fault.radius.size}; {again}")
    for step, why in report.failed:
        print(f"FAILED  {step}: {why}")
    for verdict in report.verdicts:
        print(f"{_MARKS[verdict.met]:7} {verdict.expectation}: {verdict.why}")
    lines = sequence(report.journal.since(0))
    echoes, entries = counted(report.echoes, "echo", "echoes"), counted(len(lines), "event")
    print(f"seed {report.seed}, {echoes}, {entries}, sequence {digest(lines)}")
    return 0 if report.passed else 1


def _print_json(report: Report) -> int:
    entries = list(report.journal.since(0))
    for entry in entries:
        if not entry.event.detail or entry.event.kind == "fault_acted":
            print(json.dumps(row_of(entry)))
    for step, why in report.failed:
        print(json.dumps({"kind": "step_failed", "step": str(step), "why": why}))
    for verdict in report.verdicts:
        print(
            json.dumps({"kind": "verdict", "expect": str(verdict.expectation), "met": verdict.met, "why": verdict.why})
        )
    lines = sequence(entries)
    summary = {"seed": report.seed, "echoes": report.echoes, "lost": len(report.lost), "events": len(lines)}
    ended = {"passed": report.passed, "interrupted": report.interrupted}
    print(json.dumps({"kind": "summary", **ended, **summary, "sequence": digest(lines)}))
    return 0 if report.passed else 1
