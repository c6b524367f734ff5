"""The conversation answers everything, and booms at the word and at nothing else."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from echotui.server.conversation import Boom, Conversation

#: Text made of the word's own pieces, so that near misses are the rule.
pieces = [b"b", b"o", b"bo", b"om", b"boom", b"\r", b"\n", b"\r\n", b"x"]
near_boom = st.lists(st.sampled_from(pieces), max_size=30).map(b"".join)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if end > start]


def talk(segments: list[bytes]) -> tuple[bytes, bool]:
    conversation = Conversation()
    answers = b"".join(conversation.receive(segment) for segment in segments)
    return answers, conversation.boomed


@pytest.mark.parametrize("line", [b"boom\r\n", b"boom\n", b"hello\r\nboom\r\n", b"\nboom\n", b"\r\nboom\n"])
def test_a_line_that_is_exactly_boom_booms(line: bytes) -> None:
    assert talk([line])[1]


@pytest.mark.parametrize(
    "line",
    [
        *(b"boom", b"boom\r", b"boomerang\r\n", b"xboom\r\n", b" boom\n", b"boom \n"),
        *(b"BOOM\n", b"boom\r\r\n", b"bo\nom\n", b""),
    ],
)
def test_what_only_looks_like_boom_is_echoed(line: bytes) -> None:
    assert talk([line] if line else []) == (line, False)


def test_what_came_before_boom_in_the_same_segment_is_answered_and_nothing_after_it() -> None:
    assert talk([b"one\r\ntwo\r\nboom\r\nthree\r\n"]) == (b"one\r\ntwo\r\n", True)


def test_the_start_of_a_split_boom_was_echoed_before_anyone_could_know() -> None:
    assert talk([b"bo", b"om\r\n"]) == (b"bo", True)


def test_nothing_is_answered_after_boom() -> None:
    assert talk([b"boom\n", b"hello\n"]) == (b"", True)


@given(near_boom, st.lists(st.integers(0, 100)))
@example(b"x\nboom\r\n", [3, 5, 7])
def test_where_a_stream_is_cut_does_not_change_whether_it_booms(data: bytes, cuts: list[int]) -> None:
    said = re.search(rb"(?:\A|\n)(boom\r?\n)", data)
    answers, boomed = talk(split(data, cuts))
    assert boomed == (said is not None)
    if said is None:
        assert answers == data
    else:
        # All before the line is answered; of the line at most what came in an earlier segment.
        assert data[: said.start(1)] == answers[: said.start(1)]
        assert data.startswith(answers)
        assert len(answers) < said.end(1)


@given(st.lists(st.binary(min_size=1, max_size=200).filter(lambda data: b"boom" not in data), max_size=20))
def test_any_bytes_come_back_in_order(segments: list[bytes]) -> None:
    whole = b"".join(segments)
    if re.search(rb"(?:\A|\n)boom\r?\n", whole):
        return
    assert talk(segments) == (whole, False)


def test_an_endless_line_is_not_remembered() -> None:
    conversation = Conversation()
    for _ in range(8):
        assert len(conversation.receive(b"x" * 2**20)) == 2**20
    assert len(conversation._recent) <= 6


def test_boom_says_what_the_subject_says() -> None:
    assert str(Boom()) == "Unexpected network error"
