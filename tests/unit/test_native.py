"""What the compiled modules have of C is what it is in Python."""

import inspect
import threading
import time
import weakref
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from echotui.server import native


def test_the_clock_is_the_one_of_time_monotonic() -> None:
    before = time.monotonic()
    now = native.clock()
    assert type(now) is float
    assert before <= now <= time.monotonic()


def test_a_thread_has_the_number_that_threading_gives_it() -> None:
    numbers: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: numbers.append((native.this_thread(), threading.get_ident())))
    thread.start()
    thread.join()
    assert native.this_thread() == threading.get_ident()
    assert numbers[0][0] == numbers[0][1] != threading.get_ident()


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
