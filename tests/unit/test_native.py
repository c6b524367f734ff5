"""What the compiled modules have of C is what it is in Python."""

import asyncio
import contextlib
import ctypes
import errno
import inspect
import os
import select
import socket
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import PATIENCE

from echotui.server import native
from echotui.server.observe.alarm import KernelAlarm


def test_the_clock_is_the_one_of_time_monotonic() -> None:
    assert type(native.clock()) is float
    for _ in range(1000):
        before = time.monotonic()
        now = native.clock()
        assert before <= now <= time.monotonic()


def test_a_thread_has_the_number_that_threading_gives_it() -> None:
    numbers: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: numbers.append((native.this_thread(), threading.get_ident())))
    thread.start()
    thread.join()
    assert native.this_thread() == threading.get_ident()
    assert numbers[0][0] == numbers[0][1] != threading.get_ident()


@given(st.binary(max_size=2 * native.BRIEF))
@example(b"\0\xff\0")
@example(b"x" * (native.BRIEF + 1))
def test_what_is_kept_in_brief_is_the_beginning(data: bytes) -> None:
    assert native.in_full(native.brief(data)) == data[: native.BRIEF]


def test_a_threads_times_are_its_own_and_lie_between_two_of_the_clock() -> None:
    before, ran_before = time.monotonic(), time.thread_time()
    asked, answered, ran, starved = native.thread_times(-1)
    assert before <= asked <= answered <= time.monotonic()
    assert ran_before <= ran <= time.thread_time()
    assert starved is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells for how long a thread had no core")
def test_how_long_a_thread_had_no_core_is_what_the_system_says_of_the_thread_that_opened_its_file() -> None:
    with Path("/proc/thread-self/schedstat").open("rb", buffering=0) as file:
        _, before, _ = map(int, file.read().split())
        starved = native.thread_times(file.fileno())[3]
        file.seek(0)
        _, after, _ = map(int, file.read().split())
    if starved is None:
        pytest.skip("this system does not tell for how long a thread had no core")
    assert before / 1e9 <= starved <= after / 1e9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has clocks of other threads")
def test_another_threads_times_are_that_threads() -> None:
    timepiece = time.pthread_getcpuclockid(threading.get_ident())
    found: list[tuple[float, ...]] = []
    before = time.thread_time()
    thread = threading.Thread(target=lambda: found.append(native.thread_times(-1, timepiece)[2:3]))
    thread.start()
    thread.join()
    assert before <= found[0][0] <= time.thread_time()


@contextlib.contextmanager
def a_vigil() -> Iterator[tuple[native.Vigil, Callable[[], None]]]:
    """A vigil over a thread that sleeps, as many looks as one likes, and what wakes the thread."""

    def sleep() -> None:
        with select.epoll() as sleeping:
            sleeping.register(waking)
            beds.append(sleeping.fileno())
            sleeping.poll()
        up.set()
        going.wait(PATIENCE)

    waking, wake = os.pipe()
    bell = os.eventfd(0, os.EFD_NONBLOCK)
    alarm = KernelAlarm()
    beds: list[int] = []
    up, going = threading.Event(), threading.Event()
    thread = threading.Thread(target=sleep)
    thread.start()
    said = os.open(f"/proc/self/task/{thread.native_id}/syscall", os.O_RDONLY)
    try:
        until = time.monotonic() + PATIENCE
        while not (beds and os.pread(said, 80, 0).split()[1:2] == [b"0x%x" % beds[0]]):
            assert time.monotonic() < until
        number, bed, *_ = os.pread(said, 80, 0).split()
        vigil = native.Vigil(alarm.timer, bell, number + b" " + bed + b" ")
        vigil.said = said

        def wake_it() -> None:
            os.write(wake, b"!")
            assert up.wait(PATIENCE)

        yield vigil, wake_it
    finally:
        going.set()
        os.write(wake, b"!")
        thread.join()
        alarm.close()
        for descriptor in (waking, wake, bell, said):
            os.close(descriptor)


NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says in which call a thread is")


def put_on(vigil: native.Vigil) -> threading.Thread:
    """Have a thread look, which ends when it was found awake."""
    looking = threading.Thread(target=vigil.wait)
    looking.start()
    until = time.monotonic() + PATIENCE
    while not vigil.begin(0.001):
        assert time.monotonic() < until
    native.set_timer(vigil.timer, 0.05)
    return looking


def ended(looking: threading.Thread) -> bool:
    looking.join(PATIENCE)
    return not looking.is_alive()


@NEEDS_LINUX
def test_a_vigil_begins_only_where_somebody_looks() -> None:
    with a_vigil() as (vigil, _):
        assert not vigil.begin(0.001)
        assert not vigil.on
        looking = threading.Thread(target=vigil.wait)
        looking.start()
        native.set_timer(vigil.timer, 1e-6)  # it is off: the timer is all it waits for
        assert ended(looking)
        assert not vigil.begin(0.001)
        with pytest.raises(BlockingIOError):
            os.eventfd_read(vigil.bell)


@NEEDS_LINUX
def test_a_vigil_rings_once_when_it_finds_the_thread_awake_and_not_before() -> None:
    with a_vigil() as (vigil, wake):
        looking = put_on(vigil)
        looking.join(0.2)  # it looks a hundred times meanwhile
        assert looking.is_alive()
        assert vigil.found_at == 0.0
        with pytest.raises(BlockingIOError):
            os.eventfd_read(vigil.bell)
        before = time.monotonic()
        wake()
        assert ended(looking)
        assert not vigil.on
        assert before <= vigil.found_at == vigil.times()[0] <= time.monotonic()
        assert os.eventfd_read(vigil.bell) == 1


@NEEDS_LINUX
def test_a_vigil_that_is_asked_rings_wherever_the_thread_is() -> None:
    with a_vigil() as (vigil, _):
        looking = put_on(vigil)
        vigil.asked = True
        assert ended(looking)
        assert not vigil.on
        assert os.eventfd_read(vigil.bell) == 1


@NEEDS_LINUX
@pytest.mark.skipif(not native.NEEDS_NO_LOCK, reason="in Python it needs the lock")
def test_a_vigil_rings_while_somebody_holds_the_interpreters_lock() -> None:
    with a_vigil() as (vigil, wake):
        looking = put_on(vigil)
        wake()
        began = time.monotonic()
        native.set_timer(vigil.timer, 0.05)
        ctypes.PyDLL(None).usleep(300_000)
        done = time.monotonic()
        assert ended(looking)
        assert vigil.found_at <= done - 0.1
        assert vigil.found_at >= began - 1.0
        assert os.eventfd_read(vigil.bell) == 1


@pytest.mark.parametrize("said", [b"", b"1 2", b"0 0 0", b"words\n", b"x" * 200, b"7 3000000000 5\n"])
def test_what_no_system_says_of_a_thread_is_not_taken_for_it(said: bytes) -> None:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(said)
        assert native.thread_times(file.fileno())[3] == (3.0 if said.startswith(b"7") else None)
    inside, outside = os.pipe()
    os.write(outside, said)
    assert native.thread_times(inside)[3] is None  # it cannot be read from the beginning
    os.close(inside)
    os.close(outside)
    assert native.thread_times(inside)[3] is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has timer descriptors")
def test_a_timer_descriptor_is_readable_when_it_is_due_unless_it_is_put_off() -> None:
    alarm = KernelAlarm()
    try:
        for seconds in (3600.0, 0.0, 1e-6):
            native.set_timer(alarm.timer, seconds)
            ready, _, _ = select.select([alarm.timer], [], [], PATIENCE if 0 < seconds < 1 else 0.0)
            assert ready == ([alarm.timer] if 0 < seconds < 1 else [])
        native.set_timer(alarm.timer, 3600.0)
        assert select.select([alarm.timer], [], [], 0.0)[0] == []
    finally:
        alarm.close()


def test_an_address_is_what_id_says() -> None:
    thing = object()
    assert native.address(thing) == id(thing)
    assert native.address(None) == id(None)


def test_a_weak_reference_is_one_of_weakrefs_and_does_not_hold_what_it_is_to() -> None:
    class Thing:
        pass

    thing = Thing()
    reference = native.weak(thing)
    assert type(reference) is weakref.ref
    assert reference() is thing
    del thing
    assert reference() is None


def test_a_bound_method_tells_its_function_and_nothing_else_does() -> None:
    class Thing:
        def method(self) -> None:
            pass

    thing = Thing()
    assert native.function_of(thing.method) is Thing.method
    others: list[Any] = [Thing.method, len, [].append, thing, None]
    for other in others:
        assert native.function_of(other) is None


def test_a_builtin_method_tells_what_it_is_bound_to_and_nothing_else_does() -> None:
    things: list[int] = []
    assert native.self_of(things.append) is things
    others: list[Any] = [list.append, native, lambda: None, things, None]
    for other in others:
        assert native.self_of(other) is None


class Slotted:
    __slots__ = ("empty", "thing")


class Grandchild(Slotted):
    __slots__ = ("other",)


class Unslotted:
    thing = "of the class"


@pytest.mark.parametrize("first", [Slotted, Grandchild, Unslotted, asyncio.Future])
def test_an_attribute_is_what_getattr_returns_of_the_first_it_is_asked_of_and_of_any_other(first: type) -> None:
    loop = asyncio.new_event_loop()
    things: list[Any] = [Slotted(), Grandchild(), Unslotted(), asyncio.Future(loop=loop)]
    for slotted in things[:2]:
        slotted.thing = object()
    things.sort(key=lambda thing: type(thing) is not first)
    attributes = {
        name: native.Attribute(name) for name in ("thing", "empty", "other", "_callbacks", "_state", "__doc__")
    }
    for name, attribute in attributes.items():
        for thing in things * 2:
            missing = object()
            expected = getattr(thing, name, missing)
            if expected is missing:
                with pytest.raises(AttributeError):
                    attribute.of(thing)
            else:
                assert attribute.of(thing) == expected
    things[0].thing = changed = object()
    assert attributes["thing"].of(things[0]) is changed
    loop.close()


class Foreign:
    __slots__ = ("x",)
    thing = Slotted.__dict__["thing"]
    _callbacks = asyncio.Future.__dict__["_callbacks"]


class Intercepting(Slotted):
    def __getattribute__(self, name: str) -> str:
        return f"intercepted {name}"


def test_what_is_not_the_classs_own_is_asked_for_as_getattr_asks() -> None:
    for name in ("thing", "_callbacks"):
        attribute = native.Attribute(name)
        for _ in range(2):
            with pytest.raises(TypeError):
                attribute.of(Foreign())
    assert native.Attribute("thing").of(Intercepting()) == "intercepted thing"


def test_what_an_attribute_raises_is_raised() -> None:
    class Broken:
        @property
        def thing(self) -> int:
            raise ZeroDivisionError("thing")

    with pytest.raises(ZeroDivisionError, match="thing"):
        native.Attribute("thing").of(Broken())


def test_a_question_is_answered_as_the_method_answers_it() -> None:
    loop = asyncio.new_event_loop()
    future: asyncio.Future[None] = asyncio.Future(loop=loop)
    done, result = native.Question(asyncio.Future.done), native.Question(asyncio.Future.result)
    assert done.of(future) is False
    with pytest.raises(asyncio.InvalidStateError):
        result.of(future)
    future.set_result(None)
    assert done.of(future) is True
    assert result.of(future) is None
    others: list[Any] = [None, object(), loop]
    for other in others:
        with pytest.raises(TypeError):
            done.of(other)
    assert native.Question(len).of([1, 2]) == 2
    assert native.Question(lambda thing: thing + 1).of(1) == 2
    loop.close()


def test_a_call_hands_over_what_it_is_given_and_raises_what_it_raises() -> None:
    def function(first: int, *, second: int) -> tuple[int, int]:
        if not second:
            raise ZeroDivisionError("second")
        return first, second

    assert native.call(function, (1,), {"second": 2}) == (1, 2)
    with pytest.raises(ZeroDivisionError, match="second"):
        native.call(function, (1,), {"second": 0})


def test_of_a_frame_there_is_what_its_attributes_say() -> None:
    frame: Any = inspect.currentframe()
    assert native.code_of(frame) is frame.f_code
    assert native.globals_of(frame) is frame.f_globals
    assert native.back_of(frame) is frame.f_back
    outermost = frame
    while outermost.f_back is not None:
        outermost = outermost.f_back
    assert native.back_of(outermost) is None

    for accessor in (native.code_of, native.globals_of, native.back_of, native.offset_of):
        with pytest.raises((AttributeError, TypeError)):
            accessor(None)

    def suspended() -> Any:
        yield inspect.currentframe()

    generator = suspended()
    asleep: FrameType = next(generator)
    assert native.offset_of(asleep) == asleep.f_lasti
    generator.close()


@given(
    data=st.binary(max_size=40) | st.text("bom\n", max_size=40).map(str.encode), word=st.binary(min_size=1, max_size=4)
)
@example(data=b"bboom", word=b"boom")
@example(data=b"boo", word=b"boom")
@example(data=b"", word=b"boom")
@example(data=b"a\0boom", word=b"boom")
def test_a_word_is_held_where_python_finds_it(data: bytes, word: bytes) -> None:
    assert native.holds(data, word) is (word in data)
    assert native.holds(data, b"boom") is (b"boom" in data)
    assert native.holds(data + word, word)


def test_bytes_are_written_and_read_as_the_system_does_it() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        assert native.receive(there.fileno()) is None
        assert native.give(here.fileno(), b"0123456789", 2, 5) == 5
        assert native.receive(there.fileno()) == b"23456"
        assert native.give(here.fileno(), b"", 0, 0) == 0
        here.close()
        assert native.receive(there.fileno()) == b""


def test_what_finds_no_room_is_not_written_and_nothing_is_lost() -> None:
    here, there = socket.socketpair()
    data = bytes(range(256)) * 4096
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        given, heard = 0, b""
        while taken := native.give(here.fileno(), data, given, len(data) - given):
            given += taken
        assert 0 < given < len(data)
        while more := native.receive(there.fileno()):
            assert len(more) <= 64 * 1024
            heard += more
        assert heard == data[:given]


@pytest.mark.parametrize(("at", "size"), [(-1, 1), (0, -1), (0, 11), (10, 1), (11, 0)])
def test_what_is_not_there_is_not_written(at: int, size: int) -> None:
    with pytest.raises(ValueError, match="a part of them"):
        native.give(-1, b"0123456789", at, size)


def test_an_error_of_the_system_is_raised_as_what_it_is() -> None:
    here, there = socket.socketpair()
    there.close()
    with here:
        with pytest.raises(BrokenPipeError):
            native.give(here.fileno(), b"a", 0, 1)
        number = here.fileno()
    for call in (lambda: native.receive(number), lambda: native.give(number, b"a", 0, 1)):
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            call()
