"""A histogram of latencies with a bounded *relative* error, whatever their range: the idea of HdrHistogram.

A value is counted in a bucket whose width is at most `PRECISION` of the value, so that a p99.9 of 40 µs and one of
4 s are known equally well, in memory that does not grow with the number of values. Histograms add up exactly.

It counts every message of a load: compiled where that is possible, as ``calling.py`` is.
"""

import math
from collections import Counter
from collections.abc import Mapping

#: How many leading bits of a value are kept.
_BITS = 9
_DISTINCT = 2**_BITS

#: By how much, as a share of itself, a value that is read from a histogram may be above the one that was counted.
PRECISION = 2 ** (1 - _BITS)


class Histogram:
    """How often each latency came, in nanoseconds."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: Counter[int] = Counter(counts or {})
        """How many values by the number of their bucket."""

    def record(self, value: int) -> None:
        """Count a value of 0 or more."""
        shift = 0
        while value >> shift >= _DISTINCT:
            shift += 1
        self.counts[(value >> shift) + shift * _DISTINCT] += 1

    def add(self, other: "Histogram") -> None:
        """Count everything that the other has counted."""
        self.counts.update(other.counts)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return self.counts.total()

    def percentile(self, percent: float) -> int | None:
        """Return the least value that at least `percent` of all values do not exceed; None where there are none.

        It is never below the exact one, and above it by at most `PRECISION`. 100 is the greatest value.
        """
        wanted = max(1, math.ceil(self.total * percent / 100))
        so_far = 0
        for bucket in sorted(self.counts):
            so_far += self.counts[bucket]
            if so_far >= wanted:
                return _highest_in(bucket)
        return None


def _highest_in(bucket: int) -> int:
    """Return the greatest value that is counted in this bucket."""
    shift = bucket >> _BITS
    return ((bucket & ((1 << _BITS) - 1)) + 1 << shift) - 1
