"""Links: what faults make of answers, as steps; no byte is lost, doubled or reordered on the way."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotui.server.faults.link import Link
from echotui.server.faults.steps import Close, HalfClose, Reset, Send, Step, Wait
from echotui.server.faults.toxics import (
    Bandwidth,
    Corrupt,
    HalfClosePeer,
    Latency,
    LimitData,
    Part,
    ResetPeer,
    Slicer,
    SlowClose,
    StopReading,
    Toxic,
)


def part(fault: int = 1, seed: int = 0, told: list[str] | None = None) -> Part:
    return Part(fault, Random(seed), (told if told is not None else []).append)


def all_steps(link: Link, now: float = 0.0) -> list[Step]:
    """Return what a link wants to be done, waiting as long as it says; stop where it waits for ever."""
    steps: list[Step] = []
    while (step := link.next(now)) is not None:
        steps.append(step)
        if isinstance(step, Wait):
            if step.seconds is None:
                break
            now += step.seconds
    return steps


def sent(steps: list[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Send))


#: Toxics that may change when bytes are sent and in which pieces, but no byte.
harmless = st.one_of(
    st.builds(Latency, st.just(part()), st.floats(0, 10), st.floats(0, 10)),
    st.builds(Bandwidth, st.just(part()), st.integers(1, 10_000)),
    st.builds(Slicer, st.just(part()), st.integers(1, 50), st.integers(0, 60), st.floats(0, 1)),
    st.builds(SlowClose, st.just(part()), st.floats(0.001, 10)),
)
answers = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(st.lists(harmless, max_size=4), answers)
def test_latency_bandwidth_slices_and_slow_close_change_no_byte(toxics: list[Toxic], said: list[bytes]) -> None:
    link = Link()
    for toxic in toxics:
        link.add(toxic)
    for data in said:
        link.answer(data)
    assert sent(all_steps(link)) == b"".join(said)
    assert link.next(0) is None


@given(st.lists(harmless, min_size=1, max_size=4), answers, st.integers(0, 30))
def test_taking_faults_away_at_any_moment_loses_no_byte_and_ends_every_wait(
    toxics: list[Toxic], said: list[bytes], done: int
) -> None:
    link, now, heard = Link(), 0.0, b""
    for toxic in toxics:
        link.add(toxic)
    for data in said:
        link.answer(data)
    for _ in range(done):
        step = link.next(now)
        if isinstance(step, Wait):
            assert step.seconds is not None
            now += step.seconds / 2  # in the midst of a wait
        elif isinstance(step, Send):
            heard += step.data
    link.remove(1)
    rest = all_steps(link, now)
    assert all(isinstance(step, Send) for step in rest)
    assert heard + sent(rest) == b"".join(said)
    assert link.over


@given(st.binary(min_size=1, max_size=300), st.integers(0, 2**32))
def test_corrupt_changes_exactly_one_byte_and_says_which(data: bytes, seed: int) -> None:
    told: list[str] = []
    link = Link()
    link.add(Corrupt(part(seed=seed, told=told), answers=1))
    link.answer(data)
    link.answer(data)
    first, second = all_steps(link)
    assert isinstance(first, Send)
    changed = [at for at, (before, after) in enumerate(zip(data, first.data, strict=True)) if before != after]
    assert len(changed) == 1
    at = changed[0]
    assert told == [f"byte {at + 1} of an answer of {len(data)} B is {first.data[at]:#04x} in place of {data[at]:#04x}"]
    assert second == Send(data)


@pytest.mark.parametrize(("toxic", "end"), [(LimitData, Close), (ResetPeer, Reset), (HalfClosePeer, HalfClose)])
@given(said=answers, limit=st.integers(0, 500))
def test_an_end_comes_after_exactly_so_many_bytes(
    toxic: type[LimitData | ResetPeer | HalfClosePeer], end: type[Step], said: list[bytes], limit: int
) -> None:
    whole = b"".join(said)
    link = Link()
    link.add(toxic(part(), limit))
    for data in said:
        link.answer(data)
    steps = all_steps(link)
    ends = [at for at, step in enumerate(steps) if isinstance(step, end)]
    if not said or len(whole) < limit:
        assert ends == []
        assert sent(steps) == whole
    else:
        assert len(ends) == 1
        assert sent(steps[: ends[0]]) == whole[:limit]


@given(answers.filter(bool))
def test_taking_a_limit_away_before_it_closes_loses_no_byte(said: list[bytes]) -> None:
    link = Link()
    link.add(LimitData(part(), 1))
    for data in said:
        link.answer(data)
    link.remove(1)
    assert all_steps(link) == [Send(piece) for piece in (said[0][:1], said[0][1:], *said[1:]) if piece]


def test_nothing_is_sent_after_a_half_close() -> None:
    link = Link()
    link.add(HalfClosePeer(part(), 3))
    link.answer(b"hello")
    assert all_steps(link) == [Send(b"hel"), HalfClose(1)]
    link.remove(1)
    link.answer(b"again")
    assert all_steps(link) == []
    assert not link.over


def test_who_stops_reading_waits_until_the_fault_goes_and_then_answers_what_it_had_read() -> None:
    link, changes = Link(), []
    link.on_change = lambda: changes.append(1)
    link.add(StopReading(part()))
    assert link.next(0) == Wait(None, 1)
    link.answer(b"read before the fault came")
    assert all_steps(link) == [Wait(None, 1)]
    assert link.holding == 1
    assert link.held == 26
    link.remove(1)
    assert all_steps(link) == [Send(b"read before the fault came")]
    assert len(changes) == 2


def test_a_wait_is_handed_out_with_what_is_left_of_it() -> None:
    link = Link()
    link.add(Latency(part(), 2.0, 0.0))
    link.answer(b"x")
    assert [link.next(10.0), link.next(10.5), link.next(12.0), link.next(12.0)] == [
        Wait(2.0, 1),
        Wait(1.5, 1),
        Send(b"x"),
        None,
    ]


def test_many_segments_without_a_pause_let_the_others_have_their_turn() -> None:
    link = Link()
    link.add(Slicer(part(), 1, 0, 0.0))
    link.answer(b"x" * 40)
    steps = [link.next(10.0) for _ in range(43)]
    assert [at for at, step in enumerate(steps) if step == Wait(0.0, 1)] == [16, 33]
    assert steps.count(Send(b"x")) == 40
    assert steps[-1] is None


def test_faults_work_one_after_the_other_and_only_the_one_taken_away_stops() -> None:
    link = Link()
    link.add(Slicer(part(1), 2, 0, 0.0))
    link.add(Latency(part(2), 1.0, 0.0))
    link.answer(b"abcd")
    link.remove(2)
    link.answer(b"efgh")
    assert all_steps(link) == [Send(b"ab"), Send(b"cd"), Send(b"ef"), Send(b"gh")]
    link.remove(1)
    assert link.over


@given(st.integers(0, 2**32), answers.filter(bool))
def test_the_same_seed_makes_the_same_steps(seed: int, said: list[bytes]) -> None:
    def steps() -> list[Step]:
        link = Link()
        link.add(Slicer(part(1, seed), 10, 9, 0.1))
        link.add(Latency(part(2, seed), 1.0, 1.0))
        for data in said:
            link.answer(data)
        return all_steps(link)

    assert steps() == steps()
