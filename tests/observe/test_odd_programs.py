"""Programs that do what few do: observing them changes nothing, and what is told of them is true."""

import _thread
import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
from support import PATIENCE, no_garbage_collection
from support_observe import be_quiet, observed, told

from echotui.server import new_event_loop
from echotui.server.loops import LOOP_KINDS, LoopKind
from echotui.server.observe.cancellations import KEPT_BY_TASK, Outcome
from echotui.server.observe.events import Complained
from echotui.server.observe.task_record import ERROR_KEPT


class Untouchable:
    """A callable that raises whatever it is asked for, as a lazy proxy does out of its context."""

    def __init__(self, called: list[str]) -> None:
        object.__setattr__(self, "_called", called)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("working outside of context")

    def __call__(self, *_: object) -> None:
        object.__getattribute__(self, "_called").append("called")


class Big:
    """Something that can be seen to be gone."""


async def _fails_at_once(_: Big) -> None:
    raise ValueError


async def _fails_later(_: Big) -> None:
    await asyncio.sleep(0)
    raise ValueError


async def _fails_by_its_child(_: Big) -> None:
    await asyncio.get_running_loop().create_task(_fails_later(Big()), name="child")


@pytest.mark.parametrize("fails", [_fails_at_once, _fails_later, _fails_by_its_child])
async def test_a_failed_task_that_nobody_keeps_is_gone_at_once_and_complained_of(fails: Any) -> None:
    loop = asyncio.get_running_loop()
    complained: list[str] = []
    loop.set_exception_handler(lambda _, context: complained.append(context["message"]))

    def start() -> "weakref.ref[Big]":
        big = Big()
        loop.create_task(fails(big), name="fails")  # noqa: RUF006 - nobody keeps it
        return weakref.ref(big)

    with no_garbage_collection():
        bigs = [start() for _ in range(5)]
        for _ in range(10):
            await asyncio.sleep(0)
        # Where tasks are eager, asyncio's own way leaves some to the collector as well.
        if not loop.get_task_factory():
            assert not any(big() for big in bigs)
            assert len(complained) == 5
    loop.set_exception_handler(None)


async def test_a_callback_that_cannot_be_asked_for_anything_is_called_and_cancelled() -> None:
    called: list[str] = []
    loop = asyncio.get_running_loop()
    if loop.get_debug():
        pytest.skip("debug mode asks a callback itself")
    fired = loop.create_future()
    loop.call_later(0, Untouchable(called))
    loop.call_later(600, Untouchable(called)).cancel()
    loop.call_later(0.001, fired.set_result, None)
    await fired
    assert called == ["called"]
    assert not observed().disabled


async def test_what_a_task_holds_is_not_asked_for_anything_while_it_is_cancelled() -> None:
    async def holds() -> None:
        held = Untouchable([])
        try:
            async with asyncio.timeout(0):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            pass
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            del held

    task = asyncio.get_running_loop().create_task(holds(), name="holds")
    record = observed().tasks.record_of(task)
    assert record is not None
    async with asyncio.timeout(PATIENCE):
        while not record.cancellations:  # noqa: ASYNC110 - a record is plain data and tells nobody
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert not observed().disabled
    assert [one.outcome for one in record.cancellations] == [Outcome.UNCANCELLED, Outcome.OBEYED]


async def test_a_loop_that_refuses_to_run_twice_is_observed_as_before() -> None:
    loop = asyncio.get_running_loop()
    with pytest.raises(RuntimeError):
        loop.run_forever()
    assert observed().tasks.thread == threading.get_ident()
    assert not observed().disabled


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_a_loop_that_is_closed_refuses_to_run_and_starts_nothing(kind: LoopKind) -> None:
    loop = new_event_loop(kind)
    loop.close()
    threads = threading.active_count()
    with pytest.raises(RuntimeError):
        loop.run_forever()
    assert threading.active_count() == threads


def test_a_signal_that_ends_a_sleeping_loop_is_no_stall() -> None:
    loop: Any = new_event_loop("asyncio")
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    loop.call_soon(timer.start)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    timer.join()
    stalls = [*loop.observation.stalls.recent]
    loop.close()
    assert stalls == []


async def test_a_group_that_keeps_the_number_of_cancellations_takes_none_back() -> None:
    async def child() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise ValueError("in its clean-up")

    async def parent() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    task = asyncio.get_running_loop().create_task(parent(), name="parent")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel("from outside")
    await asyncio.wait([task])
    assert isinstance(task.exception(), ExceptionGroup)
    (one,) = observed().tasks.record_of(task).cancellations
    assert (one.message, one.outcome) == ("from outside", Outcome.REPLACED)


async def test_a_task_that_is_asked_to_end_again_and_again_has_a_bounded_number_of_life_lines() -> None:
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        for _ in range(100):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(stubborn(), name="stubborn")
    await asyncio.sleep(0)
    for _ in range(1000):
        task.cancel()
    cancellations = observed().cancellations
    assert len(cancellations.open) == KEPT_BY_TASK
    assert sum(one.again for one in cancellations.open.values()) == 1000 - KEPT_BY_TASK
    await asyncio.wait([task])


async def test_a_task_that_cancels_itself_and_returns_is_cancelled() -> None:
    async def tired() -> None:
        me = asyncio.current_task()
        assert me is not None
        me.cancel()

    task = asyncio.get_running_loop().create_task(tired(), name="tired")
    await asyncio.wait([task])
    record = observed().tasks.record_of(task)
    assert record is not None
    assert task.cancelled() is (record.cancellations[0].outcome is Outcome.OBEYED)


async def test_tasks_that_are_collected_in_silence_do_not_stay_among_the_live_ones() -> None:
    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    for _ in range(1000):
        asyncio.gather(never(), never())  # which turns off what asyncio says of its children
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gc.collect()
    for _ in range(2000):
        await asyncio.get_running_loop().create_task(asyncio.sleep(0), name="another")
    assert len(observed().tasks.live) < 1500


async def test_what_no_task_could_be_made_of_is_not_counted() -> None:
    made = observed().tasks.made
    with suppress(TypeError):
        asyncio.get_running_loop().create_task(42)  # type: ignore[arg-type]
    assert observed().tasks.made == made


class Nameless:
    """No name can be made of it."""

    def __str__(self) -> str:
        raise ZeroDivisionError


async def test_what_became_no_task_takes_no_other_tasks_place() -> None:
    be_quiet()
    coroutine = asyncio.sleep(0)
    here: Any = asyncio.get_running_loop()
    with suppress(ZeroDivisionError):
        task = here.create_task(coroutine, name=Nameless())
    coroutine.close()
    task = here.create_task(asyncio.sleep(0.01), name="next")
    await task
    assert not observed().disabled
    record = observed().tasks.record_of(task)
    assert record is not None
    assert record.outcome == "finished"
    assert [one.name for one in observed().tasks.ended].count("next") == 1


async def test_a_task_that_another_thread_makes_is_ended_once_however_soon_it_ends(loop: Any) -> None:
    if loop.debug or loop.eager:
        pytest.skip("asyncio itself raises")
    be_quiet()
    here = asyncio.get_running_loop()
    over = asyncio.Event()
    made: list[asyncio.Task[None]] = []

    def make() -> None:
        made.extend(here.create_task(asyncio.sleep(0), name="from elsewhere") for _ in range(2000))
        here.call_soon_threadsafe(over.set)

    ended = observed().tasks.ended_count
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    try:
        other = threading.Thread(target=make)
        other.start()
        async with asyncio.timeout(PATIENCE):
            while not over.is_set():  # noqa: ASYNC110 - the loop is to run what the other thread makes
                await asyncio.sleep(0)
            other.join()
            while observed().tasks.ended_count < ended + 2000:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
    finally:
        sys.setswitchinterval(before)
    assert not observed().disabled


class Reluctant(Coroutine[Any, Any, int]):
    """A coroutine that may be run, and asked for nothing else."""

    def send(self, _: object) -> Any:
        raise StopIteration(5)

    def throw(self, *_: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        pass

    def __await__(self) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


async def test_a_coroutine_that_cannot_be_asked_for_anything_is_run() -> None:
    assert await asyncio.get_running_loop().create_task(Reluctant()) == 5
    assert not observed().disabled


async def test_a_complaint_from_the_garbage_of_another_thread_is_told_in_the_loops() -> None:
    async def fails() -> None:
        raise ValueError

    threads: set[int] = set()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    told(Complained)
    observed().journal.subscribe(lambda _: threads.add(threading.get_ident()))
    with no_garbage_collection():
        task: Any = asyncio.get_running_loop().create_task(fails(), name="fails")
        await asyncio.wait([task])
        cycle = [task]
        cycle.append(cycle)
        del task, cycle
        await asyncio.to_thread(gc.collect)
    async with asyncio.timeout(PATIENCE):
        while not told(Complained):  # noqa: ASYNC110 - what is awaited comes with the next turn
            await asyncio.sleep(0.001)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_timers_let_go_what_they_have_called(kind: LoopKind) -> None:
    loop = new_event_loop(kind)

    async def main() -> None:
        def start(delay: float) -> "weakref.ref[Big]":
            big = Big()
            loop.call_later(delay, id, big)
            return weakref.ref(big)

        with no_garbage_collection():
            bigs = [start(0) for _ in range(10)]
            await asyncio.sleep(0.01)
            assert not any(big() for big in bigs)

    loop.run_until_complete(main())
    loop.close()
    assert sys.getrefcount(loop) < 100


async def test_a_callback_of_a_task_that_cannot_be_asked_for_anything_is_left_alone() -> None:
    async def maker() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            late = asyncio.get_running_loop().create_task(asyncio.sleep(0), name="late")
            late.add_done_callback(Untouchable([]))
            kept.append(late)

    kept: list[asyncio.Task[None]] = []
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    task = asyncio.get_running_loop().create_task(maker())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    record = observed().tasks.record_of(kept[0])
    assert record is not None
    assert record.group is None
    await kept[0]
    assert not observed().disabled


async def test_a_program_may_give_its_tasks_and_its_loop_any_attribute() -> None:
    loop: Any = asyncio.get_running_loop()
    task: Any = loop.create_task(asyncio.sleep(0.001, "done"))
    for name in ("record", "tasks", "ticks", "timers"):
        setattr(task, name, {"of": "the program"})
        if loop.__class__.__module__.startswith("echotui"):
            setattr(loop, name, {"of": "the program"})
    assert await task == "done"
    await asyncio.sleep(0)
    assert task.record == {"of": "the program"}


async def test_a_task_is_cancelled_where_no_line_of_python_asks() -> None:
    if asyncio.get_running_loop().get_debug():
        pytest.skip("debug mode refuses another thread")
    task = asyncio.get_running_loop().create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    be_quiet()
    _thread.start_new_thread(task.cancel, ())
    async with asyncio.timeout(PATIENCE):
        while not task.done():  # noqa: ASYNC110 - it is not a thread that could be joined
            await asyncio.sleep(0.001)
    assert task.cancelled()
    (cancellation,) = observed().tasks.record_of(task).cancellations
    assert cancellation.asked_from is None
    assert cancellation.outcome is Outcome.OBEYED


class Unspeakable:
    """Something that cannot be put into words."""

    def __str__(self) -> str:
        raise LookupError("no words")


@pytest.mark.parametrize("message", [Unspeakable(), "x" * 1_000_000])
async def test_a_cancellation_may_come_with_any_message(message: object) -> None:
    task = asyncio.get_running_loop().create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    task.cancel(message)
    with suppress(asyncio.CancelledError):
        await task
    (cancellation,) = observed().tasks.record_of(task).cancellations
    assert len(cancellation.message or "") <= ERROR_KEPT
    assert observed().cancellations.on


async def test_what_asyncio_cannot_log_switches_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.getLogger("asyncio").warning("%d sockets", "many")
    assert [one.message for one in told(Complained)] == ["%d sockets"]
    assert observed().complaints.on


async def test_a_timer_that_another_thread_sets_is_no_tasks() -> None:
    loop = asyncio.get_running_loop()
    if loop.get_debug():
        pytest.skip("debug mode refuses another thread")
    be_quiet()
    timers: list[asyncio.TimerHandle] = []

    def set_one() -> None:
        timers.append(loop.call_later(3600, print))

    thread = threading.Thread(target=set_one)
    thread.start()
    thread.join()  # this task runs meanwhile
    assert timers[0].setter is None  # type: ignore[attr-defined]
    mine: Any = loop.call_later(0, len, "")
    assert mine.setter is observed().tasks.running
    timers[0].cancel()


async def test_a_complaint_may_be_about_anything() -> None:
    be_quiet()
    about = {"message": "odd", "future": Untouchable([])}
    asyncio.get_running_loop().call_exception_handler(about)
    assert [one.message for one in told(Complained)] == ["odd"]
    assert observed().complaints.on
