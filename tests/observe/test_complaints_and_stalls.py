"""What is wrong with a program is told, with what it means and how to mend it; what blocks the loop, while it does."""

import asyncio
import gc
import logging
import threading
import time
import warnings
from typing import Any

import pytest
from support_observe import be_quiet, journal, line_of, observed, told, woken

from echotui.server.events import InstrumentDisabled
from echotui.server.journal import Journal
from echotui.server.loops import LoopKind, new_event_loop
from echotui.server.observe.alarm import KernelAlarm
from echotui.server.observe.complaints import KINDS
from echotui.server.observe.events import (
    CancellationAsked,
    CancellationSettled,
    Complained,
    LettersLost,
    StallBegan,
    StallEnded,
)
from echotui.server.observe.observation import LETTERS_KEPT
from echotui.server.observe.stalls import Stall
from echotui.server.observe.timing import ENDED_KEPT


def start(coroutine: Any, name: str) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def lose_a_task() -> None:
    """Make a task called ``lost`` that waits for what nobody has, so that the next collection finds it."""

    async def unreachable() -> None:
        await asyncio.get_running_loop().create_future()

    start(unreachable(), "lost")
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def complained(about: str) -> list[Complained]:
    found = [event for event in told(Complained) if event.about == about]
    for event in found:
        assert (event.meaning, event.fix) == KINDS[about]
    return found


async def test_an_exception_that_is_never_retrieved() -> None:
    be_quiet()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("lost")  # raises it

    start(fail(), "fails")
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    (complaint,) = complained("never retrieved")
    assert (complaint.task, complaint.error) == ("fails", "ValueError: lost")
    assert complaint.place is not None
    assert f"{__file__}:{line_of(__file__, 'raises it')}" in complaint.place


async def test_the_exception_handler_of_the_program_is_still_called() -> None:
    heard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["message"]))
    asyncio.get_running_loop().call_exception_handler({"message": "something"})
    assert heard == ["something"]
    assert complained("other")[0].message == "something"


async def test_a_callback_that_raises() -> None:
    be_quiet()

    def fail() -> None:
        raise ValueError("in a callback")  # callback raises

    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
    (complaint,) = complained("callback raised")
    assert complaint.place is not None
    assert f":{line_of(__file__, 'callback raises')} " in complaint.place


async def test_a_coroutine_that_is_never_awaited_whatever_the_warning_filters_say(loop: Any) -> None:
    async def forgotten() -> None:
        """Never run."""

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            forgotten()  # type: ignore[unused-coroutine]
    # pytest lets nobody see the second warning of a line; the hook does.
    first, second = complained("never awaited")
    assert first.message.startswith(
        "coroutine test_a_coroutine_that_is_never_awaited_whatever_the_warning_filters_say.<locals>.forgotten()"
    )
    assert ("made at" in second.message) == loop.debug


async def test_the_warning_about_it_names_the_line_it_named_before() -> None:
    async def forgotten() -> None:
        """Never run."""

    with pytest.warns(RuntimeWarning, match="never awaited") as caught:
        forgotten()  # type: ignore[unused-coroutine]  # forgets it
    assert (caught[0].filename, caught[0].lineno) == (__file__, line_of(__file__, "forgets it"))


async def test_a_task_that_is_destroyed_pending() -> None:
    be_quiet()

    async def unreachable() -> None:
        await asyncio.get_running_loop().create_future()

    start(unreachable(), "lost")  # makes the lost one
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    (complaint,) = complained("destroyed pending")
    assert complaint.task == "lost"
    assert "lost" not in {record.name for record in observed().tasks.live.values()}


async def test_a_slow_step_without_debug_mode() -> None:
    here: Any = asyncio.get_running_loop()
    here.slow_callback_duration = 0.02

    async def slow() -> None:
        await asyncio.sleep(0)
        time.sleep(0.03)  # noqa: ASYNC251 - that is the subject
        await asyncio.sleep(0)  # stops here

    await start(slow(), "slow")
    # In debug mode asyncio logs it as well: it is told once all the same.
    (complaint,) = complained("slow step")
    assert complaint.task == "slow"
    assert complaint.place is not None
    assert f":{line_of(__file__, 'stops here')} " in complaint.place
    assert not complaint.only_debug


async def test_what_only_debug_mode_sees_is_told_apart(loop: Any) -> None:
    here: Any = asyncio.get_running_loop()
    here.set_debug(True)
    here.slow_callback_duration = 0.02
    here.call_soon(time.sleep, 0.03)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (complaint,) = complained("slow step")
    assert complaint.only_debug
    here.set_debug(loop.debug)


async def test_what_debug_mode_says_of_a_task_that_is_not_observed_is_told_too(loop: Any) -> None:
    here: Any = asyncio.get_running_loop()
    here.set_debug(True)
    here.slow_callback_duration = 0.02

    async def slow() -> None:
        time.sleep(0.03)  # noqa: ASYNC251 - that is the subject

    await start(slow(), "observed")
    await asyncio.Task(slow(), loop=here, name="another")
    assert [one.only_debug for one in complained("slow step")] == [False, True]
    here.set_debug(loop.debug)


async def test_debug_mode_is_heard_also_where_it_was_switched_on_in_a_slow_step(loop: Any) -> None:
    here: Any = asyncio.get_running_loop()
    here.slow_callback_duration = 0.02

    async def slow() -> None:
        here.set_debug(True)
        time.sleep(0.03)  # noqa: ASYNC251 - that is the subject

    await start(slow(), "observed")
    here.call_soon(time.sleep, 0.03)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [one.only_debug for one in complained("slow step")] == [False, True]
    here.set_debug(loop.debug)


async def test_a_call_from_another_thread(loop: Any) -> None:
    here = asyncio.get_running_loop()
    future = here.create_future()
    errors: list[Exception] = []

    def other() -> None:
        try:
            here.call_soon(future.set_result, None)  # wrong thread
        except RuntimeError as error:
            errors.append(error)
            here.call_soon_threadsafe(future.set_result, None)
        else:
            here.call_soon_threadsafe(int)

    thread = threading.Thread(target=other)
    thread.start()
    await future
    thread.join()
    if loop.debug:
        assert "Non-thread-safe operation" in str(errors[0])
        assert complained("wrong thread") == []
        return
    (complaint,) = complained("wrong thread")
    assert complaint.place is not None
    assert f":{line_of(__file__, 'wrong thread')} " in complaint.place


@pytest.mark.parametrize("method", ["call_later", "call_at"])
async def test_a_timer_set_in_another_thread(loop: Any, method: str) -> None:
    here = asyncio.get_running_loop()
    errors: list[Exception] = []

    def other() -> None:
        try:
            getattr(here, method)(0 if method == "call_later" else here.time(), int).cancel()  # set elsewhere
        except RuntimeError as error:
            errors.append(error)

    await asyncio.to_thread(other)
    if loop.debug:
        assert "Non-thread-safe operation" in str(errors[0])
        return
    (complaint,) = complained("wrong thread")
    assert method in complaint.message.partition("(")[0]
    assert complaint.place is not None
    assert f":{line_of(__file__, 'set elsewhere')} " in complaint.place


async def test_a_line_that_calls_from_another_thread_again_and_again_is_told_once(loop: Any) -> None:
    if loop.debug:
        pytest.skip("asyncio itself raises")
    here = asyncio.get_running_loop()

    def other() -> None:
        for _ in range(3):
            here.call_soon(int)  # again and again
        here.call_soon(int)  # elsewhere
        here.call_soon(callback=int)  # by its name

    await asyncio.to_thread(other)
    first, second, third = complained("wrong thread")
    assert f":{line_of(__file__, 'again and again')} " in str(first.place)
    assert f":{line_of(__file__, 'elsewhere')} " in str(second.place)
    assert f":{line_of(__file__, 'by its name')} " in str(third.place)


async def test_a_task_made_in_another_thread(loop: Any) -> None:
    if loop.debug or loop.eager:
        pytest.skip("asyncio itself raises")
    here = asyncio.get_running_loop()
    made: list[asyncio.Task[None]] = []

    def other() -> None:
        made.append(here.create_task(asyncio.sleep(0)))  # made elsewhere
        here.call_soon_threadsafe(int)

    await asyncio.to_thread(other)
    await asyncio.wait(made)
    (complaint,) = complained("wrong thread")
    assert complaint.message == "create_task(sleep) from another thread"
    record = observed().tasks.record_of(made[0])
    assert record is not None
    assert record.creator_id is None
    assert complaint.place is not None
    assert f":{line_of(__file__, 'made elsewhere')} " in complaint.place


async def test_a_task_that_is_made_while_its_maker_is_cancelled() -> None:
    made: list[asyncio.Task[None]] = []

    async def maker() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            made.append(start(asyncio.sleep(0), "late"))
            raise

    task = start(maker(), "maker")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await asyncio.wait(made)
    (complaint,) = complained("task made while cancelled")
    assert (complaint.task, complaint.message) == ("late", "maker makes a task while it is cancelled")


async def in_a_group(work: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(work)


async def one_after_the_other(work: Any) -> None:
    first, second = start(asyncio.sleep(0), "first"), start(work, "second")
    await first
    await second


async def later(work: Any) -> None:
    task = start(work, "later")
    await asyncio.sleep(0)
    await task


AWAITED: dict[str, Any] = {
    "await": lambda work: start(work, "late"),
    "one after the other": one_after_the_other,
    "later": later,
    "gather": lambda work: asyncio.gather(work, asyncio.sleep(0)),
    "gather in gather": lambda work: asyncio.gather(asyncio.gather(work), asyncio.sleep(0)),
    "wait": lambda work: asyncio.wait([start(work, "late")]),
    "wait_for": lambda work: asyncio.wait_for(work, 20),
    "shield": asyncio.shield,
    "group": in_a_group,
    "to_thread": lambda work: asyncio.gather(work, asyncio.to_thread(int)),
}


@pytest.mark.parametrize("how", AWAITED)
async def test_a_task_that_does_the_cleaning_up_and_is_awaited_is_all_right(how: str) -> None:
    async def maker() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await AWAITED[how](asyncio.sleep(0))

    task = start(maker(), "maker")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert complained("task made while cancelled") == []
    assert told(InstrumentDisabled) == []


@pytest.mark.parametrize("how", [asyncio.gather, asyncio.shield])
async def test_a_task_that_nobody_awaits_is_wrong_also_where_its_result_is_passed_on(how: Any) -> None:
    kept: list[Any] = []

    async def maker() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            kept.append(how(start(asyncio.sleep(0), "late")))

    task = start(maker(), "maker")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    (complaint,) = complained("task made while cancelled")
    assert complaint.task == "late"
    await kept[0]


async def test_what_asyncio_logs_is_told_and_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("asyncio").warning("socket.send() raised exception.")
    assert complained("logged")[0].message == "socket.send() raised exception."
    assert "socket.send() raised exception." in caplog.text


async def test_the_hooks_are_gone_when_no_observed_loop_runs() -> None:
    def look() -> tuple[Any, list[Any]]:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(asyncio.sleep(0))
        return warnings._warn_unawaited_coroutine, logging.getLogger("asyncio").filters  # type: ignore[attr-defined]

    hook = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
    assert isinstance(hook, type)
    # Another loop in another thread comes and goes; ours still runs.
    seen_hook, filters = await asyncio.to_thread(look)
    assert seen_hook is hook
    assert len(filters) == 1


def test_the_hooks_are_put_back(loop_kind: LoopKind) -> None:
    before = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop_kind)) as runner:
        runner.run(asyncio.sleep(0))
    assert warnings._warn_unawaited_coroutine is before  # type: ignore[attr-defined]
    assert logging.getLogger("asyncio").filters == []


async def test_a_blocked_loop_is_told_with_its_line_before_it_ends(loop: Any) -> None:
    told_at: list[tuple[str | None, bool]] = []
    noticed = threading.Event()

    def listen(stall: Stall) -> None:
        told_at.append((stall.where, stall.ended is None))
        noticed.set()

    def block() -> None:
        # As `time.sleep(0.5)` would, but for as long as it takes the watching thread on a busy machine.
        assert noticed.wait(10)  # blocks here

    journal()
    observed().stalls.listeners.append(listen)
    here = asyncio.get_running_loop()
    late = here.create_future()
    here.call_soon(block)
    here.call_later(0.001, late.set_result, None)
    await late
    if loop.kind == "uvloop":
        await _until_told(StallEnded)
    await asyncio.sleep(0)
    here_it_blocks = f"{__file__}:{line_of(__file__, 'blocks here')} in {block.__qualname__}"
    # On a busy machine there may be other stalls, which are nobody's fault here.
    assert (here_it_blocks, True) in told_at
    began = next(event for event in told(StallBegan) if event.place == here_it_blocks)
    ended = next(event for event in told(StallEnded) if event.stall == began.stall)
    assert began.lasted < ended.lasted
    assert ended.place == here_it_blocks
    if loop.kind == "asyncio":  # on uvloop a stall has begun at the latest when it is said to: a timer may be older
        assert ended.delayed_timers >= 1
    assert (ended.delayed_descriptors is None) == (loop.kind == "uvloop")
    stall = next(stall for stall in observed().stalls.recent if stall.id == began.stall)
    assert stall.samples >= 1
    assert stall.ended is not None


async def test_whose_a_stall_was_is_known_when_its_task_is_forgotten() -> None:
    noticed = threading.Event()
    tasks = observed().tasks
    tasks.classify = lambda code: "ui" if code.co_name in ("draw", "nothing") else "program"

    async def draw() -> None:
        assert noticed.wait(10)

    async def nothing() -> None:
        pass

    journal()
    observed().stalls.listeners.append(lambda _: noticed.set())
    task = start(draw(), "drawing")
    record = observed().tasks.record_of(task)
    assert record is not None
    await task
    await _until_told(StallEnded)
    for _ in range(ENDED_KEPT + 5):
        await start(nothing(), "nothing")
    assert tasks.get(record.id) is None
    stall = next(stall for stall in observed().stalls.recent if stall.task_id == record.id)
    assert stall.owner == "ui"


async def test_a_stall_has_the_times_when_it_was_noticed_and_when_it_ended() -> None:
    noticed = threading.Event()
    more = 0.3

    def block() -> None:
        assert noticed.wait(10)
        time.sleep(more)

    journal()
    observed().stalls.listeners.append(lambda _: noticed.set())
    asyncio.get_running_loop().call_soon(block)
    await _until_told(StallEnded)
    entries: list[Any] = [entry for entry in journal().since(0) if isinstance(entry.event, StallBegan | StallEnded)]
    began, ended = (entry for entry in entries if entry.event.stall == entries[0].event.stall)
    assert ended.time - began.time >= more * 0.9
    # However late it was told: at that time it had lasted as long as it says.
    assert ended.time - began.time == pytest.approx(ended.event.lasted - began.event.lasted, abs=more / 2)


async def _until_told(kind: type[Any]) -> None:
    async with asyncio.timeout(10):
        while not told(kind):  # noqa: ASYNC110 - the loop has to turn for the beat to come back
            await asyncio.sleep(0.001)


async def test_a_sleeping_loop_is_no_stall() -> None:
    stalls = observed().stalls
    stalls.limit = 0.01
    await asyncio.sleep(0.1)
    # A loop that had no core when it was to wake has not turned either; but it has neither computed nor waited so long.
    assert [stall for stall in stalls.recent if _is_its_own_fault(stall)] == []
    assert stalls.count == len(stalls.recent)


def _is_its_own_fault(stall: Stall) -> bool:
    lasted, ran, starved, waited = stall.spent
    return starved is None or (ran or 0.0) + (waited or 0.0) >= min(lasted, observed().stalls.limit)


async def test_who_watches_sleeps_on_while_a_quiet_loop_does(loop: Any) -> None:
    stalls = observed().stalls
    thread, watch = stalls._thread, stalls._watch
    if loop.kind != "asyncio" or thread is None or watch is None or not isinstance(watch.alarm, KernelAlarm):
        pytest.skip("who watches cannot be let sleep here, or how often it wakes is not known")

    sleeps = 5
    for _ in range(10):  # the alarm may ring while somebody else has the core
        before = woken(thread.native_id)
        for _ in range(sleeps):
            await asyncio.sleep(stalls.limit * 1.5)
        if woken(thread.native_id) - before < sleeps / 2:
            return
    pytest.fail("it was woken for each sleep")


async def test_who_blocks_a_loop_that_has_slept_for_long_is_seen() -> None:
    stalls = observed().stalls
    here = asyncio.get_running_loop()
    seen = here.create_future()

    def block() -> None:
        until = time.monotonic() + 10
        while stalls.current is None and time.monotonic() < until:
            time.sleep(0.001)
        seen.set_result(stalls.current is not None)

    for _ in range(2):
        await asyncio.sleep(stalls.limit * 1.5)
    # It falls asleep for long, and is woken in a moment.
    soon = threading.Timer(0.002, here.call_soon_threadsafe, [block])
    soon.start()
    assert await seen
    soon.join()


async def test_lag_is_measured_on_both_loops(loop: Any) -> None:
    observation = observed()
    observation.stalls.limit = 0.01
    if loop.kind == "uvloop":
        # A beat goes through the loop now and then.
        async with asyncio.timeout(10):
            while observation.stalls.lag is None:  # noqa: ASYNC110 - the loop has to turn for the beat to come back
                await asyncio.sleep(0.001)
        assert observation.stalls.lag > 0
    else:
        here = asyncio.get_running_loop()
        here.call_soon(time.sleep, 0.02)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert observation.ticks.take_longest() >= 0.02


async def test_a_listener_that_raises_is_removed_and_reported() -> None:
    def broken(_: Stall) -> None:
        noticed.set()
        raise LookupError("listener")

    noticed = threading.Event()
    journal()
    observed().stalls.listeners.append(broken)
    asyncio.get_running_loop().call_soon(noticed.wait, 10)
    await _until_told(InstrumentDisabled)
    assert observed().stalls.listeners == []
    (event,) = told(InstrumentDisabled)
    assert event.error == "LookupError: listener"


class Broken:
    def append(self, _: object) -> None:
        raise LookupError("broken")


@pytest.mark.parametrize("name", ["cancellations", "complaints", "tasks", "ticks"])
async def test_an_instrument_that_raises_is_switched_off_and_reported_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("broken")

    be_quiet()
    observation = observed()
    instrument = getattr(observation, name)
    if instrument is None:
        pytest.skip("not observable: libuv owns the selector")
    inner = {"cancellations": "_asked", "complaints": "_handled", "tasks": "ended", "ticks": "_ring"}[name]
    monkeypatch.setattr(instrument, inner, Broken() if inner in {"ended", "_ring"} else broken)
    for _ in range(3):
        task = start(asyncio.sleep(1000), "victim")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_exception_handler({"message": "something"})
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    monkeypatch.undo()
    assert observation.disabled == {name: "LookupError: broken"}
    assert not instrument.on
    (event,) = told(InstrumentDisabled)
    assert event.instrument == name


def test_a_journal_that_is_attached_later_is_told_what_was_before(loop_kind: LoopKind) -> None:
    from echotui.server.journal import Journal

    late = Journal()
    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop_kind)) as runner:
        here: Any = runner.get_loop()
        here.set_exception_handler(lambda *_: None)
        here.call_exception_handler({"message": "early"})
        here.observation.attach(late)
        here.call_exception_handler({"message": "later"})
    assert [entry.event.message for entry in late.since(0) if isinstance(entry.event, Complained)] == ["early", "later"]


def test_what_was_before_a_journal_was_attached_has_the_time_when_it_was(loop_kind: LoopKind) -> None:
    late = Journal(clock=lambda: 1000.0)
    with asyncio.Runner(loop_factory=lambda: new_event_loop(loop_kind)) as runner:
        here: Any = runner.get_loop()
        here.set_exception_handler(lambda *_: None)
        here.call_exception_handler({"message": "early"})
        time.sleep(0.01)  # it is not told meanwhile
        here.observation.attach(late)
    (early,) = (entry for entry in late.since(0) if isinstance(entry.event, Complained))
    assert early.time <= 1000.0 - 0.01


async def test_of_an_owner_who_is_not_told_of_only_what_is_an_error_is_told() -> None:
    be_quiet()
    observed().untold = frozenset({"program"})

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("lost")

    waiting = start(asyncio.sleep(60), "waits")
    start(fail(), "fails")
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.sleep(0)
    gc.collect()
    (complaint,) = complained("never retrieved")
    assert (complaint.task, complaint.owner) == ("fails", "program")
    assert told(CancellationAsked) == told(CancellationSettled) == []
    assert [one.task_name for one in observed().cancellations.settled] == ["waits"]  # the records have the rest


class _Dropping:
    """A wall clock that drops a task that has failed whenever it is asked: in the middle of the journal's work."""

    def __init__(self) -> None:
        self.failed: list[asyncio.Task[None]] = []

    def __call__(self) -> float:
        self.failed.clear()
        return time.time()


async def test_what_garbage_tells_waits_until_nothing_is_half_done() -> None:
    be_quiet()
    clock = _Dropping()
    here = Journal(clock=clock)
    observed().attach(here)

    async def fail() -> None:
        raise ValueError("lost")

    clock.failed.append(start(fail(), "fails"))
    await asyncio.wait(clock.failed)
    here.record(InstrumentDisabled("meanwhile", "a task is collected"))
    assert [entry.seq for entry in here.since(0)] == [1]
    assert complained("never retrieved")
    assert [entry.seq for entry in here.since(0)] == [1, 2]


@pytest.mark.parametrize("off", ["none", "stalls", "ticks"])
async def test_what_garbage_tells_is_told_although_the_loop_has_nothing_else_to_do(off: str) -> None:
    be_quiet()
    for instrument in (observed().stalls, observed().ticks):
        if instrument is not None:
            instrument.on = instrument.name != off
    heard = asyncio.Event()
    journal().subscribe(lambda _: heard.set())

    async def fail() -> None:
        raise ValueError("lost")

    start(fail(), "fails")
    await heard.wait()  # without a timeout: its timer would be something to do
    assert complained("never retrieved")


async def test_what_is_told_may_lead_to_more_and_the_loop_goes_on() -> None:
    async def forgotten() -> None:
        """Never run."""

    def forgets(_: object) -> None:
        forgotten()  # type: ignore[unused-coroutine]

    journal().subscribe(forgets)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        forgotten()  # type: ignore[unused-coroutine]
        for _ in range(3):
            await asyncio.sleep(0)
        journal().unsubscribe(forgets)
        observed().open_letters()
    assert complained("never awaited")


async def test_a_task_was_destroyed_when_it_was_and_not_when_that_was_told() -> None:
    be_quiet()
    await lose_a_task()
    gc.collect()
    collected = time.monotonic()
    time.sleep(0.01)  # noqa: ASYNC251 - it is not told meanwhile
    assert complained("destroyed pending")
    (record,) = (one for one in observed().tasks.past if one.name == "lost")
    assert record.ended_at is not None
    assert record.ended_at <= collected


async def test_tasks_that_are_gone_do_not_stay_live_although_the_letter_of_it_is_lost() -> None:
    be_quiet()
    await lose_a_task()
    for _ in range(LETTERS_KEPT):
        observed().leave(int)
    gc.collect()
    assert told(LettersLost)
    assert "lost" not in {record.name for record in observed().tasks.live.values()}


async def test_what_comes_too_fast_to_be_told_is_counted() -> None:
    for _ in range(LETTERS_KEPT + 7):
        observed().leave(int)
    (lost,) = told(LettersLost)
    assert lost.count == 7
