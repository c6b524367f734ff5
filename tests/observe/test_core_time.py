"""What the loop's thread did while the loop was blocked: it computed, waited in a call, or had no core."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support_observe import journal, observed, told

from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.observe import core_time
from echotui.server.observe.core_time import Part, Reading, Spent, spent
from echotui.server.observe.events import StallEnded


def _compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@contextlib.contextmanager
def a_crowded_core() -> Iterator[None]:
    """Have this thread share one core with three processes that always compute."""
    cores = os.sched_getaffinity(0)
    core = {max(cores)}
    spin = f"import os; os.sched_setaffinity(0, {core}); print(flush=True)\nwhile os.getppid() == {os.getpid()}: pass"
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            spinner = stack.enter_context(subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE))
            stack.callback(spinner.kill)
            assert spinner.stdout is not None
            spinner.stdout.read(1)
        os.sched_setaffinity(0, core)
        stack.callback(os.sched_setaffinity, 0, cores)
        yield


@pytest.mark.parametrize(("block", "part"), [(_compute, "ran"), (time.sleep, "waited")])
async def test_a_stall_says_what_the_thread_did_with_its_time(block: Any, part: str) -> None:
    journal()
    limit = observed().stalls.limit = 0.05
    lasted = 10 * limit
    asyncio.get_running_loop().call_soon(block, lasted)
    async with asyncio.timeout(10):
        while all(event.lasted < lasted * 0.9 for event in told(StallEnded)):  # noqa: ASYNC110 - it has to turn
            await asyncio.sleep(0.001)
    ended = next(event for event in told(StallEnded) if event.lasted >= lasted * 0.9)
    stall = next(stall for stall in observed().stalls.recent if stall.id == ended.stall)
    if part == "waited" and ended.starved is None:
        pytest.skip("this system does not tell for how long a thread had no core")
    assert (ended.ran, ended.starved, ended.waited) == stall.spent[1:]
    assert sum(known for known in stall.spent[1:] if known is not None) <= ended.lasted
    # It took so long by the thread's own clock, or was asleep for so long, whatever the machine was doing meanwhile.
    assert 0 < getattr(ended, part) <= ended.lasted
    assert getattr(ended, "waited" if part == "ran" else "ran") < getattr(ended, part)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells for how long a thread had no core")
async def test_a_stall_for_want_of_a_core_says_so() -> None:
    journal()
    stalls = observed().stalls
    stalls.limit = 0.05
    with a_crowded_core():
        asyncio.get_running_loop().call_soon(_compute, 0.2)
        async with asyncio.timeout(30):
            while not any(stall.spent.ran and stall.spent.ran > 0.1 for stall in stalls.recent):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    stall = next(stall for stall in stalls.recent if stall.spent.ran and stall.spent.ran > 0.1)
    if stall.spent.starved is None:
        pytest.skip("this system does not tell for how long a thread had no core")
    assert stall.spent.mostly is not None
    assert stall.spent.mostly[0] is Part.STARVED  # the others had three quarters of the core
    ended = next(event for event in told(StallEnded) if event.stall == stall.id)
    assert "without a core" in ended.sentence


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        (Reading(1.0, 1.0, 0.1, 0.2), Reading(1.5, 1.5, 0.4, 0.3), Spent(0.5, 0.3, 0.1, 0.1)),
        # What may have been before it, or after it, was there, of each part: they do not add up to the whole then.
        (Reading(0.9, 0.9, 0.1, 0.2), Reading(1.5, 1.6, 0.4, 0.3), Spent(0.5, 0.1, 0.0, 0.1)),
        # What the first reading came too late for was not waiting.
        (Reading(1.0, 1.1, 0.1, 0.2), Reading(1.5, 1.5, 0.3, 0.3), Spent(0.5, 0.2, 0.1, 0.1)),
        (Reading(1.0, 1.5, 0.1, 0.2), Reading(1.5, 1.5, 0.1, 0.2), Spent(0.5, 0.0, 0.0, 0.0)),
        # The clocks of a process that was forked meanwhile begin anew.
        (Reading(1.0, 1.0, 0.9, 0.9), Reading(1.5, 1.5, 0.0, 0.0), Spent(0.5, 0.0, 0.0, 0.5)),
        (Reading(1.0, 1.0, 0.1, None), Reading(1.5, 1.5, 0.4, 0.3), Spent(0.5, 0.3, None, None)),
    ],
)
def test_of_each_part_the_least_that_it_was_is_said(before: Reading, after: Reading, known: Spent) -> None:
    said = spent(1.0, 1.5, before, after)
    assert [part is None for part in said] == [part is None for part in known]
    assert [part or 0.0 for part in said] == pytest.approx([part or 0.0 for part in known])


def test_half_of_it_has_to_be_certain_to_say_what_it_was() -> None:
    assert Spent(0.1, 0.06, 0.01, 0.02).in_words == "at least 60.0 ms of it computing"
    assert Spent(0.1, 0.01, 0.05, 0.02).in_words == "at least 50.0 ms of it without a core"
    assert Spent(0.1, 0.0, None, None).in_words == ""
    assert Spent(0.1, 0.04, 0.03, 0.03).in_words == ""
    assert Spent(0.0).in_words == ""


async def test_where_the_system_tells_nothing_only_computing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_time, "OF_THIS_THREAD", "/proc/thread-self/there-is-none")
    observed().stalls.cores.close()
    observed().stalls.cores.mark()
    journal()
    limit = observed().stalls.limit = 0.05
    asyncio.get_running_loop().call_soon(_compute, 10 * limit)
    async with asyncio.timeout(10):
        while all((event.ran or 0) < 5 * limit for event in told(StallEnded)):  # noqa: ASYNC110 - it has to turn
            await asyncio.sleep(0.001)
    assert {(event.starved, event.waited) for event in told(StallEnded)} == {(None, None)}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a file")
def test_a_descriptor_is_closed_by_who_has_it(loop_kind: LoopKind, tmp_path: Path) -> None:
    def held() -> list[int]:
        return [fd for fd in range(3, 300) if _leads_to(fd).endswith("/schedstat")]

    async def find() -> int:
        (fd,) = held()
        return fd

    async def take_it_away() -> None:
        (fd,) = held()
        os.close(fd)
        assert os.open(tmp_path / "theirs", os.O_CREAT | os.O_RDWR) == fd

    for life in (find(), take_it_away(), find()):
        with asyncio.Runner(loop_factory=lambda: new_event_loop(loop_kind)) as runner:
            runner.run(life)
        assert held() == []
    theirs = [fd for fd in range(3, 300) if _leads_to(fd).endswith("/theirs")]
    assert len(theirs) == 1
    os.close(theirs[0])


def _leads_to(fd: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return ""
