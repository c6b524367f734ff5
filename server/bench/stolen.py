"""What a machine that is a virtual one has to do without: its cores wait while the host runs somebody else.

A message that comes meanwhile is late, watched or not. Who reads a p99 has to know how often that was.
"""

import os
from time import monotonic

import psutil


class Stolen:
    """How much is taken from now on."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._before = _so_far()

    @property
    def share(self) -> float | None:
        """The share of all cores' time that was taken since, by what the system counts in hundredths of a second.

        None where it does not tell.
        """
        now = _so_far()
        if now is None or self._before is None:
            return None
        return (now - self._before) / ((monotonic() - self._began) * (os.cpu_count() or 1))


def _so_far() -> float | None:
    return getattr(psutil.cpu_times(), "steal", None)
