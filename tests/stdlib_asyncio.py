"""Runs CPython's own test_asyncio on the bare loop and on the observed one in its place, and prints both counts.

    python tests/stdlib_asyncio.py [MODULE ...] [--timeout SECONDS]

Modules are names under ``test.test_asyncio``, such as ``test_tasks``; all of them unless told otherwise. Needs the
interpreter's ``test`` package (Debian: libpython3-testsuite). Exits with 1 if a test ends otherwise on the observed
loop than on the bare one. A test that differs is run again, three times on both: only what differs every time counts.
Not part of the test run: it takes minutes.
"""

import argparse
import importlib.util
import json
import pkgutil
import signal
import subprocess
import sys
import unittest
from collections import Counter
from typing import Any

Outcomes = dict[str, str]

#: How often what differs is run again before it counts.
AGAIN = 3


def put_the_observed_loop_in_place() -> None:
    """Make everything in asyncio that would be a selector event loop an observed one."""
    import asyncio
    import asyncio.unix_events

    from echotui.server.observe.loop import AsyncioLoop

    unix: Any = asyncio.unix_events
    bare = asyncio.SelectorEventLoop
    for module in (asyncio, unix):
        for name in ("SelectorEventLoop", "EventLoop", "_UnixSelectorEventLoop"):
            if getattr(module, name, None) is bare:
                setattr(module, name, AsyncioLoop)
    for name in ("_UnixDefaultEventLoopPolicy", "DefaultEventLoopPolicy", "_DefaultEventLoopPolicy"):
        policy = getattr(unix, name, None)
        if policy is not None:
            policy._loop_factory = AsyncioLoop


class Listing(unittest.TestResult):
    """Prints how each test ended, a JSON pair a line."""

    def say(self, test: Any, outcome: str) -> None:
        print("\0" + json.dumps([test.id(), outcome]), file=sys.__stdout__, flush=True)

    def addSuccess(self, test: Any) -> None:  # noqa: N802
        self.say(test, "passed")

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self.say(test, "error")
        print(self.errors[-1][1], file=sys.__stderr__)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self.say(test, "failed")
        print(self.failures[-1][1], file=sys.__stderr__)

    def addSkip(self, test: Any, _: str) -> None:  # noqa: N802
        self.say(test, "skipped")

    def addExpectedFailure(self, test: Any, _: Any) -> None:  # noqa: N802
        self.say(test, "failed as expected")

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        self.say(test, "passed unexpectedly")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.say(test, "failed")
            print((self.failures + self.errors)[-1][1], file=sys.__stderr__)


def run_here(names: list[str], *, observed: bool) -> None:
    """Run tests in this process and print how each ended."""
    from test import support  # type: ignore[import-not-found, unused-ignore]

    # A shell starts what runs in the background with SIGINT ignored, and the tests of Runner need it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    support.use_resources = {}  # nothing that needs the network beyond this machine
    if observed:
        put_the_observed_loop_in_place()
    unittest.defaultTestLoader.loadTestsFromNames(names).run(Listing())


def run_apart(names: list[str], *, observed: bool, timeout: float) -> tuple[Outcomes, str]:
    """Run tests in a process of its own; return how each ended, and what was said on stderr."""
    command = [sys.executable, __file__, "--here", "observed" if observed else "bare", *names]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
        output, said = done.stdout, done.stderr
        end = f"process exit {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        said = (expired.stderr or b"").decode(errors="replace")
        end = f"hung for {timeout:.0f} s"
    outcomes: Outcomes = {}
    for line in output.split("\0")[1:]:
        name, outcome = json.loads(line.partition("\n")[0])
        # A test whose clean-up fails after it passed is reported twice: the worse one counts.
        if outcomes.get(name) not in ("failed", "error"):
            outcomes[name] = outcome
    if end:
        outcomes[f"{names[0]} (the process)"] = end
    return outcomes, said


def differences(bare: Outcomes, observed: Outcomes) -> list[str]:
    return sorted(name for name in bare.keys() | observed.keys() if bare.get(name) != observed.get(name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--timeout", type=float, default=300.0)
    parser.add_argument("--here", choices=("bare", "observed"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        run_here(options.modules, observed=options.here == "observed")
        return 0
    package = importlib.util.find_spec("test.test_asyncio")
    if package is None or not package.submodule_search_locations:
        print("this interpreter has no test.test_asyncio: on Debian, install libpython3-testsuite", file=sys.stderr)
        return 2
    found = [module.name for module in pkgutil.iter_modules(list(package.submodule_search_locations))]
    modules = options.modules or [name for name in found if name.startswith("test_")]
    total_bare: Counter[str] = Counter()
    total_observed: Counter[str] = Counter()
    real: list[str] = []
    for module in modules:
        full = f"test.test_asyncio.{module}"
        bare, _ = run_apart([full], observed=False, timeout=options.timeout)
        observed, said = run_apart([full], observed=True, timeout=options.timeout)
        differ = differences(bare, observed)
        for name in differ:
            print(f"  {name}: bare {bare.get(name, 'not run')}, observed {observed.get(name, 'not run')}")
        for _ in range(AGAIN):
            runnable = [name for name in differ if name.startswith("test.") and " " not in name]
            if not runnable:
                break
            bare_again, _ = run_apart(runnable, observed=False, timeout=options.timeout)
            observed_again, said = run_apart(runnable, observed=True, timeout=options.timeout)
            bare.update(bare_again)
            observed.update(observed_again)
            differ = differences(bare, observed)
        if differ:
            real += differ
            print(said[-6000:], file=sys.stderr)
        total_bare.update(bare.values())
        total_observed.update(observed.values())
        print(f"{module}: {len(bare)} bare, {len(observed)} observed, {len(differ)} differ", flush=True)
    print(f"\nPython {sys.version.split()[0]}, test.test_asyncio")
    print(f"  bare      {dict(total_bare)}")
    print(f"  observed  {dict(total_observed)}")
    print(f"  {len(real)} end otherwise" + "".join(f"\n    {name}" for name in real))
    return 1 if real else 0


if __name__ == "__main__":
    sys.exit(main())
