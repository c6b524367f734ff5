"""The histogram of latencies, against the exact order of the values."""

import math

from hypothesis import given
from hypothesis import strategies as st

from echotui.server.bench.histogram import PRECISION, Histogram

#: From nothing to eleven days, in nanoseconds: as many small values as large ones.
latencies = st.integers(0, 50).flatmap(lambda bits: st.integers(0, 2**bits))
percents = st.sampled_from([0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0]) | st.floats(0, 100)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(st.lists(latencies, min_size=1), percents)
def test_a_percentile_is_the_exact_one_or_at_most_its_precision_above(values: list[int], percent: float) -> None:
    exact = sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]
    found = histogram_of(values).percentile(percent)
    assert found is not None
    assert exact <= found <= exact + exact * PRECISION


@given(st.lists(latencies), st.lists(latencies), percents)
def test_two_histograms_add_up_to_that_of_all_their_values(one: list[int], other: list[int], percent: float) -> None:
    both = histogram_of(one)
    both.add(histogram_of(other))
    assert both.total == len(one) + len(other)
    assert both.percentile(percent) == histogram_of([*one, *other]).percentile(percent)


@given(st.lists(latencies, min_size=1))
def test_it_stays_small_however_many_values_come(values: list[int]) -> None:
    assert len(histogram_of(values).counts) <= 51 / PRECISION


def test_without_values_there_is_no_percentile() -> None:
    assert Histogram().percentile(50) is None
