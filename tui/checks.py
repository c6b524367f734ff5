"""What the command line accepts: each takes what was typed, and returns the value or says in one line what is allowed.

Every function raises `argparse.ArgumentTypeError` for what it does not accept.
"""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from .text import quoted

if TYPE_CHECKING:
    from echotui.server.faults.script import Script


def port(text: str) -> int:
    """Return a base port."""
    from echotui.server.settings import MAX_PORT, SERVER_NAMES

    highest = MAX_PORT - len(SERVER_NAMES) + 1
    if not _is_number(text, highest):
        raise argparse.ArgumentTypeError(
            f"{quoted(text)} is not a base port: 1 to {highest}, or 0 to let the system pick"
        )
    return int(text)


def script(text: str) -> "Script":
    """Return the fault script in a file."""
    from echotui.server.faults.script import BadScript, load

    try:
        return load(Path(text))
    except BadScript as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def seed(text: str) -> int:
    """Return a seed."""
    from echotui.server.faults.script import MOST_SEED

    if not _is_number(text, MOST_SEED):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a seed: a whole number, 0 to {MOST_SEED}")
    return int(text)


def servers(text: str) -> tuple[str, ...]:
    """Return servers, by name and in their order."""
    from echotui.server.settings import SERVER_NAMES

    return some_of(text, SERVER_NAMES, "server")


def host(text: str) -> str:
    """Return an address, or the name of one. No address at all would be every one there is."""
    if not text or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address: 127.0.0.1 is this machine only, 0.0.0.0 all networks"
        )
    return text


def events(text: str) -> str:
    """Return which events are told."""
    if text not in ("lifecycle", "all"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither lifecycle nor all")
    return text


def loop(text: str) -> str:
    """Return a kind of loop that is there."""
    from echotui.server.loops import LOOP_KINDS

    if text not in LOOP_KINDS:
        raise argparse.ArgumentTypeError(f"there is no loop {text!r}: choose {' or '.join(LOOP_KINDS)}")
    if text == "uvloop":
        from importlib.util import find_spec

        if find_spec("uvloop") is None:
            raise argparse.ArgumentTypeError("uvloop is not installed here: choose asyncio")
    return text


def count(text: str, most: int = 1_000_000) -> int:
    """Return a number from 1 on."""
    if not _is_number(text, most) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a number from 1 to {most}")
    return int(text)


def _is_number(text: str, most: int) -> bool:
    """Return whether this is a whole number from 0 to the most. Python refuses to look at one of too many digits."""
    return text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most


def some_of(text: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Return some of what is known, in its order."""
    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no {what} {name!r}: choose from {', '.join(known)}")
    return tuple(name for name in known if name in asked)


def loops(text: str) -> tuple[str, ...]:
    """Return kinds of loops."""
    return tuple(dict.fromkeys(loop(name.strip()) for name in text.split(",")))


def connections(text: str) -> tuple[int, ...]:
    """Return numbers of connections."""
    from echotui.server.bench.order import MOST_CONNECTIONS

    return tuple(dict.fromkeys(count(number.strip(), MOST_CONNECTIONS) for number in text.split(",")))


def rate(text: str) -> float:
    """Return messages a second."""
    from echotui.server.bench.order import MOST_RATE

    return between(text, 0.1, MOST_RATE, "a rate", "messages a second")


def load_seconds(text: str) -> float:
    """Return for how many seconds to load."""
    from echotui.server.bench.order import MOST_SECONDS

    return between(text, 0.1, MOST_SECONDS, "a duration", "seconds")


def between(text: str, least: float, most: float, what: str, unit: str) -> float:
    """Return a number within limits."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}: {least:g} to {most:.0f} {unit}")
    return number


def number(text: str, what: str) -> float:
    """Return a number of seconds, of a day at most."""
    return between(text, 0, 86_400, what, "seconds")


def seconds(text: str) -> float:
    """Return seconds to wait."""
    seconds = number(text, "a time to wait")
    if seconds < 0.001:
        raise argparse.ArgumentTypeError(f"{text!r} is too short to wait: at least 0.001 s")
    return seconds


def seconds_or_none_at_all(text: str) -> float:
    """Return seconds, or none at all."""
    return number(text, "a time limit")


def idle(text: str) -> float | None:
    """Return an idle time in seconds; None for never."""
    return number(text, "an idle time") or None


def refresh(text: str) -> float:
    """Return frames a second."""
    return between(text, 0.1, 60, "a frame rate", "a second")
