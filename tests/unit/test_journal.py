"""The journal counts exactly, keeps the newest, and survives whoever listens to it."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotui.server import events
from echotui.server.journal import Entry, Journal

STOPPED = events.ServerStopped("selectors")
TIMEOUT = events.SelectTimeout("selectors", 1.0)


@given(size=st.integers(1, 20), recorded=st.integers(0, 60), since=st.integers(-5, 70))
def test_it_keeps_the_newest_and_counts_the_rest(size: int, recorded: int, since: int) -> None:
    journal = Journal(size)
    for _ in range(recorded):
        journal.record(STOPPED)
    kept = min(size, recorded)
    assert (len(journal), journal.recorded, journal.overwritten) == (kept, recorded, recorded - kept)
    assert journal.counts[STOPPED.kind] == recorded
    oldest = max(since + 1, journal.first_seq)
    assert [entry.seq for entry in journal.since(since)] == list(range(oldest, recorded + 1))
    for seq in range(journal.first_seq, recorded + 1):
        assert journal[seq].seq == seq
    for seq in (journal.first_seq - 1, recorded + 1):
        with pytest.raises(KeyError):
            journal[seq]


def test_it_keeps_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Journal(0)


def test_entries_are_stamped_with_the_time_they_were_recorded_at() -> None:
    now = iter([3.0, 4.5])
    journal = Journal(clock=lambda: next(now))
    assert [journal.record(STOPPED).time, journal.record(STOPPED).time] == [3.0, 4.5]


def test_a_sink_hears_everything_in_order_until_it_is_unsubscribed() -> None:
    journal, heard = Journal(), list[Entry]()
    journal.subscribe(heard.append)
    recorded = [journal.record(STOPPED) for _ in range(3)]
    journal.unsubscribe(heard.append)
    journal.unsubscribe(heard.append)
    journal.record(STOPPED)
    assert heard == recorded


def raises(_: Entry) -> None:
    raise ZeroDivisionError("of its own")


@pytest.mark.parametrize("first", [True, False])
def test_a_sink_that_raises_is_switched_off_and_told_and_the_others_hear_all_in_order(*, first: bool) -> None:
    journal, heard = Journal(), list[Entry]()
    for sink in (raises, heard.append) if first else (heard.append, raises):
        journal.subscribe(sink)
    journal.record(STOPPED)
    journal.record(STOPPED)
    disabled = events.InstrumentDisabled("raises", "ZeroDivisionError('of its own')")
    assert [entry.event for entry in journal.since(0)] == [STOPPED, disabled, STOPPED]
    assert heard == list(journal.since(0))


def test_a_sink_that_records_something_for_all_that_it_hears_is_switched_off() -> None:
    journal = Journal()

    def answers(_: Entry) -> None:
        journal.record(STOPPED)

    journal.subscribe(answers)
    journal.record(STOPPED)
    before = journal.counts["server_stopped"]
    journal.record(STOPPED)
    assert journal.counts == {"server_stopped": before + 1, "instrument_disabled": 1}


class Telling:
    """Garbage that tells the journal of its end, as soon as it is collected."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.itself = journal, self

    def __del__(self) -> None:
        self.journal.record(TIMEOUT)


@pytest.mark.parametrize("size", [100, 10_000])
def test_what_is_recorded_while_something_is_recorded_comes_after_it_and_is_told_after_it(size: int) -> None:
    journal, heard = Journal(size, detail_rate=None), list[Entry]()
    for _ in range(3):  # the garbage may be collected while one of them is told
        journal.subscribe(heard.append)
    before = gc.get_threshold()
    gc.set_threshold(3)
    try:
        for _ in range(1_000):
            Telling(journal)
            journal.record(STOPPED)
    finally:
        gc.set_threshold(*before)
        gc.collect()
    assert journal.counts == {"server_stopped": 1_000, "select_timeout": 1_000}
    assert [entry.seq for entry in journal.since(0)] == [*range(journal.first_seq, 2_001)]
    assert [entry.seq for entry in heard] == [seq for seq in range(1, 2_001) for _ in range(3)]


def test_sinks_that_all_raise_are_all_told() -> None:
    journal = Journal()
    for _ in range(3):
        journal.subscribe(raises)
    journal.record(STOPPED)
    journal.record(STOPPED)
    assert journal.counts == {"server_stopped": 2, "instrument_disabled": 3}


def test_details_are_recorded_up_to_the_rate_and_the_rest_is_told() -> None:
    journal = Journal(detail_rate=10)
    for _ in range(25):
        if journal.details_open:
            journal.record(TIMEOUT)
        else:
            journal.details_skipped += 1
    assert (journal.counts["select_timeout"], journal.details_skipped) == (10, 15)
    journal.allow_details(0.5)
    assert journal[journal.recorded].event == events.DetailsSkipped(15)
    for _ in range(25):
        if journal.details_open:
            journal.record(TIMEOUT)
    assert journal.counts["select_timeout"] == 15
    journal.allow_details(0.5)
    journal.allow_details(0.5)
    assert journal.counts["details_skipped"] == 1


def test_of_a_crowd_of_details_nobody_can_follow_only_a_few_are_recorded() -> None:
    journal = Journal(detail_rate=100)

    def second_of(details: int) -> int:
        before = journal.counts["select_timeout"]
        for _ in range(details):
            if journal.details_open:
                journal.record(TIMEOUT)
            else:
                journal.details_skipped += 1
        journal.allow_details(1.0)
        return journal.counts["select_timeout"] - before

    assert [second_of(details) for details in (1_100, 1_100, 1_101, 2_000, 900, 900, 50)] == [
        100,
        100,
        100,
        10,
        10,
        100,
        50,
    ]


def test_lifecycles_are_recorded_whatever_the_budget() -> None:
    journal = Journal(detail_rate=1)
    journal.record(TIMEOUT)
    assert not journal.details_open
    for _ in range(100):
        journal.record(STOPPED)
    assert journal.counts["server_stopped"] == 100


@pytest.mark.parametrize(("rate", "is_open"), [(0, False), (None, True)])
def test_no_details_or_all_of_them_stays_so(rate: int | None, *, is_open: bool) -> None:
    journal = Journal(detail_rate=rate)
    for _ in range(1000):
        assert journal.details_open is is_open
        if is_open:
            journal.record(TIMEOUT)
        journal.allow_details(0.001)
        assert journal.details_open is is_open


def test_what_is_told_late_has_the_time_when_it_happened_and_the_order_in_which_it_was_told() -> None:
    journal = Journal(clock=lambda: 1000.0)
    journal.record(events.LabClosed())
    journal.record(events.LabClosed(), ago=2.5)
    assert [(entry.seq, entry.time) for entry in journal.since(0)] == [(1, 1000.0), (2, 997.5)]
