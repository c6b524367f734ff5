"""Standard output, where it does not take everything: what it has no characters for, and when nobody reads it."""

import io
import os
import sys


def never_refuse() -> None:
    """Let stdout write what its encoding does not know escaped, as stderr does, instead of raising an error."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def point_to_nothing() -> None:
    """Let what is still to be written to stdout and stderr go nowhere.

    Else Python complains, on its way out, that it cannot flush into a closed pipe or terminal, and exits with 120.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
