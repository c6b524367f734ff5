"""The selector of an observed loop does what the standard library's does, whatever it is asked."""

import os
import selectors
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.platform != "linux":
    pytest.skip("epoll is Linux's", allow_module_level=True)

from echotui.server.observe.loop import AsyncioLoop
from echotui.server.observe.selecting import EpollSelector

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

#: What is asked of a selector: a method, of which pipe's which end, for which events, with which data.
ASKED = st.tuples(
    st.sampled_from(["register", "unregister", "modify", "get_key", "select", "drop"]),
    st.integers(-1, 4),
    st.sampled_from([0, READ, WRITE, READ | WRITE, 4]),
    st.sampled_from(["a", "b"]),
)


def answer(selector: selectors.BaseSelector, pipes: list[int], asked: tuple[str, int, int, str]) -> object:
    """Ask; return the answer, or the kind of exception that was raised."""
    method, at, events, data = asked
    fd = pipes[at] if 0 <= at < len(pipes) else at
    try:
        match method:
            case "register" | "modify":
                return getattr(selector, method)(fd, events, data)
            case "unregister" | "get_key":
                return getattr(selector, method)(fd)
            case "select":
                return sorted(selector.select(0))
            case _:
                return dict(selector.get_map())
    except (KeyError, ValueError, OSError) as error:
        return type(error)


@settings(deadline=None)
@given(st.lists(ASKED, max_size=30))
def test_it_answers_as_the_standard_librarys_does(questions: list[tuple[str, int, int, str]]) -> None:
    (a, b), (c, d) = os.pipe(), os.pipe()
    os.write(b, b"x")
    try:
        with EpollSelector() as ours, selectors.EpollSelector() as theirs:
            for asked in questions:
                pipes = [a, b, c, d]
                assert answer(ours, pipes, asked) == answer(theirs, pipes, asked), asked
            assert dict(ours.get_map()) == dict(theirs.get_map())
    finally:
        for fd in (a, b, c, d):
            os.close(fd)


def test_a_descriptor_that_was_closed_can_be_unregistered() -> None:
    a, b = os.pipe()
    with EpollSelector() as selector:
        key = selector.register(a, READ, "data")
        os.close(a)
        assert selector.unregister(a) == key
        assert not selector.get_map()
    os.close(b)


def test_a_closed_one_says_so() -> None:
    selector = EpollSelector()
    selector.close()
    with pytest.raises(RuntimeError):
        selector.get_key(0)


def test_whoever_gives_a_loop_a_selector_keeps_it() -> None:
    given_one: Any = selectors.PollSelector()
    loop: Any = AsyncioLoop(given_one)
    try:
        assert loop._selector is given_one
    finally:
        loop.close()
