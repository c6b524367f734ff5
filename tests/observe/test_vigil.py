"""A uvloop loop that is quiet is sent no beats, and no stall hides from those who look at it instead."""

import asyncio
import contextlib
import ctypes
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, Loop
from support_observe import journal, line_of, observed, told, woken

from echotui.server.loops import new_event_loop
from echotui.server.native import NEEDS_NO_LOCK, set_timer
from echotui.server.observe import beating, vigil
from echotui.server.observe.core_time import Part
from echotui.server.observe.events import StallBegan, StallEnded
from echotui.server.observe.stalls import Stalls

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux says in which call a thread is"),
    pytest.mark.skipif(not NEEDS_NO_LOCK, reason="where nothing is compiled, beats are sent always"),
]

#: How long the loop is blocked, in seconds: three times the limit.
BLOCK = 0.3


async def at_rest(loop: Loop) -> Stalls:
    """Return the loop's stalls once it rests."""
    if loop.kind != "uvloop":
        pytest.skip("asyncio's loop says itself when it sleeps")
    journal()
    stalls = observed().stalls
    async with asyncio.timeout(PATIENCE):
        while not stalls.rests:  # noqa: ASYNC110 - a quiet loop is what it takes
            await asyncio.sleep(0.1)
    return stalls


async def the_stall(asked_at: float, lasts: float = BLOCK) -> StallEnded:
    """Return the stall that is made for so many seconds by a test, which asked for the time before, once it is told.

    By its end: it may have begun before the test asked, if the loop was found awake then.
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            for stall in observed().stalls.recent:
                for event in told(StallEnded):
                    if event.stall == stall.id and stall.ended is not None and stall.ended >= asked_at + lasts:
                        return event
            await asyncio.sleep(0.01)


def block() -> None:
    time.sleep(BLOCK)  # here it blocks


async def test_a_quiet_loop_is_not_woken(loop: Loop) -> None:
    await at_rest(loop)
    here = threading.get_native_id()
    for _ in range(20):  # whoever else uses the machine may have it found awake
        before = woken(here)
        await asyncio.sleep(0.5)
        if woken(here) - before <= 2:
            return
    pytest.fail("it was woken all the time, as by beats")


async def test_a_timer_that_blocks_a_loop_at_rest_is_seen_while_it_does(loop: Loop) -> None:
    stalls = await at_rest(loop)
    now = time.monotonic()
    asyncio.get_running_loop().call_later(0.02, block)
    event = await the_stall(now)
    assert event.lasted >= BLOCK - stalls.limit / 2 - 0.01  # it looks as often as that
    assert f":{line_of(__file__, 'here it blocks')} in block" in str(event.place)
    assert [began.place for began in told(StallBegan) if began.stall == event.stall] == [event.place]


async def test_who_reads_and_blocks_a_loop_at_rest_is_seen(loop: Loop) -> None:
    class Blocks(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            block()
            done.set()
            assert data == b"!"

    await at_rest(loop)
    done = asyncio.Event()
    here = asyncio.get_running_loop()
    server = await here.create_server(Blocks, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await at_rest(loop)
    now = time.monotonic()
    writer.write(b"!")
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    event = await the_stall(now)
    assert "in block" in str(event.place)
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_who_holds_the_interpreters_lock_in_a_loop_at_rest_is_told_afterwards(loop: Loop) -> None:
    await at_rest(loop)
    now = time.monotonic()
    asyncio.get_running_loop().call_later(0.02, ctypes.PyDLL(None).usleep, int(BLOCK * 1e6))
    event = await the_stall(now)
    assert event.lasted >= BLOCK / 2
    assert event.place is None


def compute() -> None:
    until = time.thread_time() + BLOCK
    while time.thread_time() < until:
        pass


@pytest.mark.parametrize(("blocks", "part"), [(block, Part.WAITING), (compute, Part.COMPUTING)])
async def test_a_stall_of_a_loop_at_rest_says_what_the_thread_did(
    loop: Loop, blocks: Callable[[], None], part: Part
) -> None:
    stalls = await at_rest(loop)
    now = time.monotonic()
    asyncio.get_running_loop().call_later(2 * BLOCK, blocks)  # what was read when it came to rest is of no use then
    event = await the_stall(now)
    if event.starved is None:
        pytest.skip("this system does not tell for how long a thread had no core")
    stall = next(stall for stall in stalls.recent if stall.id == event.stall)
    took = {Part.WAITING: stall.spent.waited, Part.COMPUTING: stall.spent.ran}[part]
    assert took is not None
    assert took > BLOCK / 2  # whatever else the machine did, of which it may have seen a part only


async def test_letters_are_opened_in_a_loop_at_rest(loop: Loop) -> None:
    looks: Any = (await at_rest(loop))._beating.vigil
    set_timer(looks.timer, 3600.0)  # however long it is to the next look
    opened = asyncio.Event()
    threading.Thread(target=observed().leave, args=(opened.set,)).start()
    async with asyncio.timeout(PATIENCE):
        await opened.wait()


async def test_a_limit_that_is_set_meanwhile_holds_for_a_loop_at_rest(loop: Loop) -> None:
    stalls = await at_rest(loop)
    stalls.limit = 0.02
    await asyncio.sleep(0)  # who sets it lets the loop turn before it blocks
    now = time.monotonic()
    asyncio.get_running_loop().call_later(0.06, time.sleep, 0.045)
    assert (await the_stall(now, 0.045)).lasted >= stalls.limit


async def test_switched_off_it_rests_no_more_once_it_was_awake(loop: Loop) -> None:
    stalls = await at_rest(loop)
    stalls.on = False
    observed().leave(int)
    lags: set[float | None] = set()
    async with asyncio.timeout(PATIENCE):
        while len(lags) < 3:  # beats come back again
            lags.add(stalls.lag)
            await asyncio.sleep(0.01)
    assert not stalls.rests


async def test_while_nobody_looks_beats_are_sent(loop: Loop) -> None:
    """Who is told of a stall is told in the thread that looks; the loop may block once more meanwhile."""
    stalls = await at_rest(loop)
    told_of, going = threading.Event(), threading.Event()

    def listen(_: object) -> None:
        told_of.set()
        going.wait(PATIENCE)

    stalls.listeners.append(listen)
    here = asyncio.get_running_loop()
    here.call_later(0.02, block)
    async with asyncio.timeout(PATIENCE):
        await here.run_in_executor(None, told_of.wait, PATIENCE)
        lags: set[float | None] = set()
        while len(lags) < 5:
            lags.add(stalls.lag)
            await asyncio.sleep(0.01)
            assert not stalls.rests
    now = time.monotonic()
    here.call_later(0.1, block)
    event = await the_stall(now)
    assert event.place is None
    going.set()


async def test_who_waits_for_the_lock_is_seen_however_long_the_loop_has_slept(loop: Loop) -> None:
    stalls = await at_rest(loop)
    here = asyncio.get_running_loop()
    hold = ctypes.PyDLL(None).usleep
    for _ in range(5):
        async with asyncio.timeout(PATIENCE):
            while not stalls.rests:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.1)
        now = time.monotonic()
        # A thread takes the interpreter's lock for as long as ten looks take, and the loop is to wake in the midst.
        holding = here.run_in_executor(None, hold, 500_000)
        here.call_later(0.15, int)
        await holding
        assert (await the_stall(now)).lasted >= stalls.limit


def _cannot_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beating, "OF_THIS_THREAD", "/proc/thread-self/there-is-none")


def _unknown_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil, "SLEEPS_IN", {})


@pytest.mark.parametrize("prevent", [_cannot_look, _unknown_machine])
def test_where_nobody_can_look_beats_are_sent(
    prevent: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def see() -> None:
        stalls = observed().stalls
        lags: set[float | None] = set()
        async with asyncio.timeout(PATIENCE):
            while len(lags) < 5:
                lags.add(stalls.lag)
                await asyncio.sleep(0.01)
                assert not stalls.rests
        journal()
        now = time.monotonic()
        asyncio.get_running_loop().call_soon(block)
        assert (await the_stall(now)).lasted > BLOCK / 2

    prevent(monkeypatch)
    with asyncio.Runner(loop_factory=lambda: new_event_loop("uvloop")) as runner:
        runner.run(see())


def test_it_looks_at_the_thread_the_loop_runs_in_and_gives_all_back() -> None:
    async def be_seen() -> None:
        await at_rest(Loop("uvloop"))
        now = time.monotonic()
        asyncio.get_running_loop().call_later(0.02, block)
        seen.append("in block" in str((await the_stall(now)).place))

    def held() -> list[str]:
        paths = []
        for fd in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                paths.append(str(fd.readlink()))
        return [path for path in paths if path.endswith("/syscall") or "eventfd" in path or "timerfd" in path]

    seen: list[bool] = []
    before = held()
    loop: Any = new_event_loop("uvloop")
    for _ in range(2):
        thread = threading.Thread(target=loop.run_until_complete, args=(be_seen(),))
        thread.start()
        thread.join()
        assert not loop.observation.stalls.rests
    loop.run_until_complete(be_seen())
    loop.close()
    assert seen == [True, True, True]
    assert sorted(held()) == sorted(before)
