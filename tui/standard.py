"""Standard output, where it does not take everything: what it has no characters for, and when nobody reads it."""

import codecs
import io
import os
import sys
from collections.abc import Callable


def never_refuse() -> None:
    """Let stdout write what its encoding does not know escaped, as stderr does, instead of raising an error.

    Where the program was started without one of them, nothing takes its place.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Its descriptor is free, and the lowest that is, so it is the one that is opened.
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as the program runs
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    if isinstance(sys.stdout, io.TextIOWrapper) and (
        sys.stdout.errors == "strict"
        # As in the C locale. In UTF-8 it gives back what came from bytes that are none, and nothing else is unknown.
        or (sys.stdout.errors == "surrogateescape" and codecs.lookup(sys.stdout.encoding).name != "utf-8")
    ):
        sys.stdout.reconfigure(errors="backslashreplace")


def speaking(prog: str, speak: Callable[[], int]) -> int:
    """Do what prints to stdout, and return its exit status; another one if stdout does not take it.

    That is 141 when nobody reads it any more, as a shell says of who died of SIGPIPE, and 1 where it cannot be written.
    """
    try:
        status = speak()
        sys.stdout.flush()
    except BrokenPipeError:
        point_to_nothing()
        return 141
    except OSError as error:
        from echotui.server.naming import describe

        print(f"{prog}: stdout: {describe(error)}", file=sys.stderr, flush=True)
        point_to_nothing()
        return 1
    return status


def say(prog: str, text: str, end: str = "\n") -> int:
    """Print this; return the exit status of having done so, as `speaking` has it."""

    def speak() -> int:
        print(text, end=end)
        return 0

    return speaking(prog, speak)


def point_to_nothing() -> None:
    """Let what is still to be written to stdout and stderr go nowhere.

    Else Python complains, on its way out, that it cannot flush into a closed pipe or terminal, and exits with 120.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
