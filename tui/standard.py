"""Standard output, when nobody reads it any more."""

import os
import sys


def point_to_nothing() -> None:
    """Let what is still to be written to stdout and stderr go nowhere.

    Else Python complains, on its way out, that it cannot flush into a closed pipe or terminal, and exits with 120.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
