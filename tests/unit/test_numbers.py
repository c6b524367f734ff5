"""Numbers on the screen are short, have a unit, and do not lie about zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echotui.tui import numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (77_000, "77 kB"), (3_400_000, "3.4 MB"), (5e15, "5,000.0 TB")],
)
def test_sizes_have_two_or_three_digits_and_a_unit(number: float, text: str) -> None:
    assert numbers.size(number) == text


@pytest.mark.parametrize(
    ("fraction", "text"), [(0, "0.0%"), (0.00001, "<0.1%"), (0.031, "3.1%"), (0.9999, "100%"), (2.5, "250%")]
)
def test_a_share_that_is_there_is_never_shown_as_zero(fraction: float, text: str) -> None:
    assert numbers.share(fraction) == text


def test_one_of_something_is_not_called_as_several_are() -> None:
    assert [numbers.counted(many, "boom") for many in (0, 1, 1_204)] == ["0 booms", "1 boom", "1,204 booms"]
    assert [numbers.counted(many, "echo", "echoes") for many in (1, 2)] == ["1 echo", "2 echoes"]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (192, "3m12"), (7500, "2h05")])
def test_how_long_ago_is_in_whole_units(seconds: float, text: str) -> None:
    assert numbers.ago(seconds) == text


def test_the_clock_counts_hours() -> None:
    assert numbers.clock(3 * 3600 + 12 * 60 + 7) == "3:12:07"


@given(st.lists(st.integers(0, 10**9), max_size=40), st.integers(0, 30))
def test_a_spark_has_a_bar_for_each_of_the_newest_values_and_the_largest_is_the_highest(
    values: list[int], width: int
) -> None:
    bars = numbers.spark(values, width)
    newest = values[-width:] if width else []
    assert len(bars) == len(newest)
    if any(newest):
        assert bars[newest.index(max(newest))] == "█"
        assert all(bar == "▁" for value, bar in zip(newest, bars, strict=True) if value == 0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119.9, "119 s"), (120, "2m"), (3599, "59m"), (7500, "2h05")]
)
def test_an_age_in_a_column_is_in_whole_minutes_from_two_on(seconds: float, text: str) -> None:
    assert numbers.age(seconds) == text
