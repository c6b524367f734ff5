"""A bar is some whole seconds, keeps them while it moves, and nothing that was measured is left out."""

from hypothesis import given
from hypothesis import strategies as st

from echotui.tui.widgets.chart import bars, seconds_a_bar


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.integers(0, 10_000), st.integers(3, 200))
def test_all_that_was_measured_fits_and_the_highest_is_among_the_bars(
    values: list[float], before: int, width: int
) -> None:
    heights = bars(values, before + len(values), seconds_a_bar(len(values), width))
    assert len(heights) <= width - 1 or width <= 3
    assert max(heights) == max(values)


def test_a_bar_keeps_its_seconds_when_another_second_has_passed() -> None:
    values = [float(number) for number in range(20)]
    before, after = bars(values[:19], 19, 5), bars(values, 20, 5)
    assert before == [4.0, 9.0, 14.0, 18.0]
    assert after == [4.0, 9.0, 14.0, 19.0]


def test_bars_are_one_second_each_as_long_as_there_is_room() -> None:
    assert seconds_a_bar(30, 66) == 1
    assert seconds_a_bar(300, 66) == 5
