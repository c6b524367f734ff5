"""What is said of a stall is true, whatever is switched meanwhile, and whoever listens."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import PATIENCE
from support_observe import journal, observed, told

from echotui.server import new_event_loop
from echotui.server.loops import LoopKind
from echotui.server.observe import stalls as stalls_module
from echotui.server.observe.events import Complained, StallBegan, StallEnded

LOG = logging.getLogger("echotui.observe")


def block_until(reached: Callable[[], object]) -> None:
    """Block the loop until something is so: 10 s at the most."""
    until = time.monotonic() + 10
    while not reached() and time.monotonic() < until:
        time.sleep(0.001)


async def until(reached: Callable[[], object]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not reached():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)


@contextmanager
def listening(handler: logging.Handler) -> Iterator[None]:
    """Have a handler told of stalls."""
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)


async def test_two_tasks_that_block_in_one_turn_have_each_its_own_line() -> None:
    stalls = observed().stalls
    journal()

    def first_line(task: int) -> None:
        block_until(lambda: stalls.current is not None and stalls.current.mark_in(task))

    def second_line(task: int) -> None:
        block_until(lambda: stalls.current is not None and stalls.current.task_id == task)

    async def blocks(line: Callable[[int], None]) -> None:
        record = observed().tasks.record_of(asyncio.current_task())
        assert record is not None
        began = time.monotonic()
        line(record.id)
        block_until(lambda: time.monotonic() - began > stalls.limit)  # else its step is none to complain of

    here = asyncio.get_running_loop()
    both = [here.create_task(blocks(line), name=line.__name__) for line in (first_line, second_line)]
    await asyncio.gather(*both)
    await until(lambda: told(StallEnded))
    stall = stalls.recent[-1]
    assert stall.task_name == "second_line"
    assert stall.place is not None
    assert stall.place.function in {"second_line", "block_until", "blocks"}
    slow = [one for one in told(Complained) if one.about == "slow step"]
    assert [one.task for one in slow if one.place] == ["first_line", "second_line"]


async def test_it_has_begun_before_it_ends_however_long_it_takes_to_say_so() -> None:
    stalls = observed().stalls
    journal()

    class Slow(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            block_until(lambda: stalls.current is None)

    with listening(Slow()):
        block_until(lambda: stalls.current is not None)
        await until(lambda: told(StallEnded))
        kinds = [type(entry.event) for entry in journal().since(0) if isinstance(entry.event, StallBegan | StallEnded)]
    assert kinds[:2] == [StallBegan, StallEnded]


async def test_a_filter_of_the_programs_that_raises_ends_no_loop() -> None:
    stalls = observed().stalls
    journal()

    class Strict(logging.Handler):
        def filter(self, record: logging.LogRecord) -> bool:
            return bool(record.request_id)  # type: ignore[attr-defined] # only what the program logs has one

    with listening(Strict()):
        block_until(lambda: stalls.current is not None)
        await until(lambda: told(StallEnded))
        assert stalls.on
        observed().report("something", ValueError("odd"))
    assert observed().disabled == {"something": "ValueError: odd"}


async def test_one_that_lasts_while_it_is_switched_off_ends_when_it_ends() -> None:
    stalls = observed().stalls
    block_until(lambda: stalls.current is not None)
    assert stalls.current is not None
    stalls.on = False
    began = time.monotonic()
    await until(lambda: stalls.current is None)
    (stall,) = stalls.recent
    assert stall.ended is not None
    assert stall.ended <= began + PATIENCE
    stalls.on = True
    count = stalls.count
    await until(lambda: stalls.lag is not None or observed().ticks is not None)
    assert stalls.count == count


async def test_a_lower_limit_holds_from_the_moment_it_is_set() -> None:
    stalls = observed().stalls
    stalls.limit = 3600.0
    await asyncio.sleep(0.01)
    stalls.limit = 0.05
    await asyncio.sleep(0.01)
    block_until(lambda: stalls.current is not None)
    assert stalls.current is not None


async def test_switched_on_while_the_loop_runs_it_sees_lines() -> None:
    stalls = observed().stalls
    stalls.on = False
    with_a_thread = stalls.watched
    await asyncio.sleep(0.01)
    stalls.on = True
    await until(lambda: stalls.watched)
    block_until(lambda: stalls.current is not None and stalls.current.place)
    assert stalls.current is not None, with_a_thread


def test_switched_on_in_a_run_that_began_without_it_it_sees_lines(loop_kind: LoopKind) -> None:
    loop: Any = new_event_loop(loop_kind)
    stalls = loop.observation.stalls
    stalls.on = False

    async def main() -> None:
        await asyncio.sleep(0.01)
        assert not stalls.watched
        stalls.on = True
        await until(lambda: stalls.watched)
        block_until(lambda: stalls.current is not None and stalls.current.place)
        assert stalls.current is not None

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_one_that_ends_with_the_run_is_over(loop_kind: LoopKind) -> None:
    loop: Any = new_event_loop(loop_kind)
    stalls = loop.observation.stalls

    def block_and_stop() -> None:
        block_until(lambda: stalls.current is not None)
        loop.stop()

    try:
        loop.call_later(0.01, block_and_stop)
        loop.run_forever()
        assert stalls.current is None
        assert [stall.place.function for stall in stalls.recent if stall.place] == ["block_until"]
    finally:
        loop.close()


def test_a_loop_is_closed_although_who_is_told_waits_for_it(
    loop_kind: LoopKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls_module, "PATIENCE", 0.01)
    loop: Any = new_event_loop(loop_kind)
    stalls, closed = loop.observation.stalls, threading.Event()

    class Waits(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            closed.wait(PATIENCE)

    async def main() -> None:
        await asyncio.sleep(0.01)
        block_until(lambda: stalls.current is not None)

    thread = None
    with listening(Waits()):
        loop.run_until_complete(main())
        thread = stalls._thread
        loop.close()
        assert thread.is_alive()
        closed.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def test_ticks_that_are_switched_on_again_have_not_lasted_since(loop_kind: LoopKind) -> None:
    if loop_kind == "uvloop":
        pytest.skip("ticks are not seen there")
    loop: Any = new_event_loop(loop_kind)
    ticks, stalls = loop.observation.ticks, loop.observation.stalls

    async def main() -> None:
        await asyncio.sleep(0.01)
        ticks.on = False
        for _ in range(20):  # longer than a stall in all, and none of it one
            await asyncio.sleep(stalls.limit / 10)
        ticks.on = True
        ran = ticks.ran
        await asyncio.sleep(0.01)
        assert ticks.ran - ran < stalls.limit

    try:
        loop.run_until_complete(main())
        assert [stall for stall in stalls.recent if stall.lasted > 2 * stalls.limit and not stall.samples] == []
    finally:
        loop.close()
