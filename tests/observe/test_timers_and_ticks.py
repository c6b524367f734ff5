"""What is known of timers, and of the turns of the loop."""

import asyncio
import selectors
import socket
import time
import weakref
from typing import Any

import pytest
from support import PATIENCE
from support_observe import observed

from echotui.server import new_event_loop
from echotui.server.loops import LoopKind
from echotui.server.observe import ticking
from echotui.server.observe.timing import TIMERS_KEPT
from echotui.server.servers.five_steps import Turns
from echotui.server.servers.hosting import host_for


def nothing() -> None:
    pass


async def test_live_timers_soonest_first_with_what_they_are_for() -> None:
    here = asyncio.get_running_loop()

    async def sleeps() -> None:
        await asyncio.sleep(1000)

    async def hurries() -> None:
        async with asyncio.timeout(2000):
            await here.create_future()

    tasks = [here.create_task(sleeps(), name="sleeper"), here.create_task(hurries(), name="hurried")]
    plain = here.call_later(500, nothing)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    timers = observed().timers
    soonest = timers.soonest(10)
    assert [timer.behind for timer in soonest] == ["nothing", "sleep of 'sleeper'", "timeout of 'hurried'"]
    ids = [observed().tasks.record_of(task).id for task in tasks]
    assert [timer.task_id for timer in soonest][1:] == ids
    assert soonest[0].place is not None
    assert soonest[0].place.line == nothing.__code__.co_firstlineno
    assert timers.live == 3
    assert [timer.behind for timer in timers.soonest(1)] == ["nothing"]
    plain.cancel()
    assert [timer.behind for timer in timers.soonest(1)] == ["sleep of 'sleeper'"]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert timers.soonest(10) == []
    assert (timers.live, timers.cancelled) == (0, 3)


async def test_a_timer_of_what_is_compiled_knows_its_line_as_well() -> None:
    def turns() -> Turns:
        while True:
            yield 30.0

    with selectors.DefaultSelector() as selector:  # one that is a descriptor
        host = host_for(turns(), selector)
        host.start()
        (timer,) = observed().timers.soonest(1)
        host.stop()
    assert timer.callback == "OnLoop._due"
    assert timer.place is not None
    assert timer.place.file.endswith("hosting.py")


@pytest.mark.parametrize("delay", [-(10**400), -1, 0, 1e300, float("inf")])
async def test_a_delay_that_is_no_usual_number_makes_a_timer_that_is_counted(delay: Any) -> None:
    here = asyncio.get_running_loop()
    timers = observed().timers
    live, fired = timers.live, asyncio.Event()
    try:
        timer = here.call_later(delay, fired.set)
    except OverflowError:  # asyncio adds it to its time
        assert timers.live == live
        return
    assert timers.live == live + 1
    if delay > 0:
        timer.cancel()
    else:
        async with asyncio.timeout(PATIENCE):
            await fired.wait()
        (past,) = [past for past in timers.past if past.callback == "Event.set"]
        assert past.lateness == past.at - past.due >= 0
    assert timers.live == live


async def test_a_delay_that_the_loop_refuses_leaves_nothing_behind() -> None:
    here: Any = asyncio.get_running_loop()
    live = observed().timers.live
    with pytest.raises(TypeError):
        here.call_later("5", nothing)
    assert observed().timers.live == live


async def test_a_timer_that_fires_tells_how_late_and_who_set_it() -> None:
    here = asyncio.get_running_loop()
    fired = asyncio.Event()
    timer = here.call_later(0.001, fired.set)
    assert timer.when() == observed().timers.soonest(1)[0].due
    await fired.wait()
    past = observed().timers.past[-1]
    assert past.callback == "Event.set"
    assert past.lateness is not None
    assert past.due + past.lateness == pytest.approx(past.at)
    assert past.task_id == observed().tasks.running.id
    # As asyncio has it, what has fired can be cancelled without effect.
    timer.cancel()
    assert observed().timers.cancelled == 0


async def test_a_cancelled_timer_is_told_once() -> None:
    timer = asyncio.get_running_loop().call_later(1000, nothing)
    timer.cancel()
    timer.cancel()
    assert timer.cancelled()
    timers = observed().timers
    assert (timers.cancelled, timers.live) == (1, 0)
    assert (timers.past[-1].callback, timers.past[-1].lateness) == ("nothing", None)


async def test_past_timers_stay_for_a_while_and_the_forgotten_are_counted() -> None:
    here = asyncio.get_running_loop()
    timers = observed().timers
    for _ in range(TIMERS_KEPT + 7):
        here.call_later(1000, nothing).cancel()
    assert len(timers.past) == TIMERS_KEPT
    assert timers.forgotten == 7


async def test_timers_can_be_switched_off_and_are_counted_all_the_same() -> None:
    timers = observed().timers
    timers.on = False
    asyncio.get_running_loop().call_later(1000, nothing).cancel()
    assert timers.past == []
    assert timers.cancelled == 1


async def test_a_callback_that_is_none_at_all_is_refused_as_ever(loop: Any) -> None:
    if loop.kind == "asyncio":
        with pytest.raises(TypeError):
            asyncio.get_running_loop().call_at(None, nothing)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        asyncio.get_running_loop().call_later(None, nothing)  # type: ignore[arg-type]


async def test_a_tick_tells_what_it_waited_for_and_who_set_the_limit(loop: Any) -> None:
    ticks = observed().ticks
    if loop.kind == "uvloop":
        assert ticks is None
        assert observed().why_no_ticks == "not observable: libuv owns the selector"
        return
    assert ticks is not None
    await asyncio.sleep(0.005)
    await asyncio.sleep(0)
    slept = next(tick for tick in reversed(ticks.recent) if tick.asked)
    assert slept.set_by == "_set_result_unless_cancelled"
    assert slept.set_by_task == observed().tasks.running.id
    assert slept.ready == ()
    assert slept.slept > 0
    assert slept.callbacks == 1
    assert ticks.count == ticks.recent[-1].number
    assert not ticks.asleep


async def test_a_tick_tells_which_descriptors_were_ready(loop: Any) -> None:
    if loop.kind == "uvloop":
        pytest.skip("not observable: libuv owns the selector")
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    here: Any = asyncio.get_running_loop()
    reading = here.create_task(here.sock_recv(ours, 1), name="reader")
    await asyncio.sleep(0)
    ticks = observed().ticks
    assert ticks is not None
    (registration,) = [one for one in ticks.registrations() if one.fd == ours.fileno()]
    assert (registration.events, registration.whose) == ("read", "task 'reader'")
    assert registration.task_id == observed().tasks.record_of(reading).id
    again = ticks.registration(ours.fileno())
    assert again is not None
    assert again.whose == registration.whose
    assert ticks.registration(theirs.fileno()) is None
    assert "the loop's own wake-up" in {one.whose for one in ticks.registrations()}
    theirs.send(b"x")
    assert await reading == b"x"
    await asyncio.sleep(0)
    assert ((ours.fileno(), 1),) in [tick.ready for tick in ticks.recent]
    ours.close()
    theirs.close()


async def test_whose_a_registration_of_a_transport_is(loop: Any) -> None:
    if loop.kind == "uvloop":
        pytest.skip("not observable: libuv owns the selector")

    class Echo(asyncio.Protocol):
        pass

    here = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    transport, _ = await here.create_connection(Echo, sock=ours)
    ticks = observed().ticks
    assert ticks is not None
    await asyncio.sleep(0)
    (registration,) = [one for one in ticks.registrations() if one.fd == ours.fileno()]
    assert registration.whose == "Echo of SelectorSocketTransport"
    transport.close()
    theirs.close()
    await asyncio.sleep(0)


async def test_ticks_stay_for_a_while_and_can_be_switched_off(loop: Any) -> None:
    if loop.kind == "uvloop":
        pytest.skip("not observable: libuv owns the selector")
    ticks = observed().ticks
    assert ticks is not None
    for _ in range(ticking.KEPT + 5):
        await asyncio.sleep(0)
    assert len(ticks.recent) == ticking.KEPT
    assert ticks.forgotten == ticks.count - ticking.KEPT
    ticks.on = False
    count = ticks.count
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ticks.count <= count + 1
    ticks.on = True
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ticks.count > count


async def test_the_longest_turn_is_told_once(loop: Any) -> None:
    if loop.kind == "uvloop":
        pytest.skip("not observable: libuv owns the selector")
    ticks = observed().ticks
    assert ticks is not None
    await asyncio.sleep(0)
    ticks.take_longest()
    time.sleep(0.02)  # noqa: ASYNC251 - a long turn is what this is about
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ticks.take_longest() >= 0.02
    assert ticks.take_longest() < 0.02


def test_a_loop_takes_a_selector_as_its_parent_does() -> None:
    selector = selectors.SelectSelector()
    with asyncio.Runner(loop_factory=lambda: new_event_loop("asyncio", selector)) as runner:
        runner.run(asyncio.sleep(0.001))
        assert runner.get_loop().observation.ticks.count > 0  # type: ignore[attr-defined]
    assert selector.get_map() is None
    with pytest.raises(ValueError, match="takes no selector"):
        new_event_loop("uvloop", selectors.SelectSelector())
    with pytest.raises(ValueError, match="not 'trio'"):
        new_event_loop("trio")  # type: ignore[arg-type]


def test_nothing_is_left_of_a_loop_that_was_closed(loop_kind: LoopKind) -> None:
    import threading

    before = threading.active_count()
    for _ in range(3):
        with asyncio.Runner(loop_factory=lambda: new_event_loop(loop_kind)) as runner:
            runner.run(asyncio.sleep(0))
    assert threading.active_count() == before


async def test_the_handle_of_a_timer_is_one_as_asyncio_has_them() -> None:
    here = asyncio.get_running_loop()
    timers = observed().timers
    handle = here.call_later(1000, print, "argument")
    assert isinstance(handle, asyncio.TimerHandle)
    assert 999 < handle.when() - here.time() < 1001
    words, _, _ = repr(asyncio.Handle(print, ("argument",), here)).removeprefix("<Handle ").partition(")")
    assert f"{words})" in repr(handle)  # from Python 3.14 on only debug mode says what it is called with
    assert weakref.ref(handle)() is handle
    before = timers.cancelled
    handle.cancel()
    handle.cancel()
    assert handle.cancelled()
    assert "cancelled" in repr(handle)
    assert timers.cancelled == before + 1
    fired = here.create_future()
    short = here.call_later(0, fired.set_result, None)
    await fired
    short.cancel()
    assert timers.cancelled == before + 1


async def test_what_the_callback_of_a_timer_raises_is_told_with_its_name_and_its_handle() -> None:
    here = asyncio.get_running_loop()
    told = here.create_future()
    here.set_exception_handler(lambda _, context: told.set_result(context))

    def fail() -> None:
        raise ValueError("on purpose")

    handle = here.call_later(0, fail)
    context = await asyncio.wait_for(told, PATIENCE)
    assert "fail()" in context["message"]
    assert isinstance(context["exception"], ValueError)
    assert context["handle"] is handle
