"""Somebody who presses keys at random: all there are, dangerous ones included, and whole gestures made of them.

What is pressed is decided by the seed alone; when it arrives is up to the machine. One gesture counts as one key. Never
pressed is what leaves the app (q, ctrl+c, ctrl+q), and what writes a file (a screenshot).
"""

import random
import signal
from collections import Counter
from collections.abc import Callable

import psutil
from support_terminal import Terminal

from echotui.server.faults.catalogue import CATALOGUE, Kind

ESC, ENTER, TAB, BACK_TAB, DOWN, UP, PALETTE = "\x1b", "\r", "\t", "\x1b[Z", "\x1b[B", "\x1b[A", "\x10"

#: Keys that only look, and those that change something, each pressed alone.
LOOKING = [*"123456f", *"jjkkgG", DOWN, UP, "\x1b[5~", "\x1b[6~", TAB, BACK_TAB, ENTER, ESC, *"oOu?", " ", "/"]
CHANGING = [*"bbxxnceZz", "r"]

#: What is typed into a filter; some of it is wrong, or not ASCII.
FILTERS = [
    "sockets",
    "id:1",
    "!closed",
    "server:streams !1",
    "colour:red",
    "state:",
    "!",
    "[/b]",
    "ü\x7f界",
    "peer:127.",
]

#: What is asked of the palette. None of it begins a word of a command that leaves, or writes a file.
COMMANDS = ["pause", "view 3", "boom", "errors", "theme", "freeze", "filter", "undo", "client"]

#: The sizes the terminal takes on.
SIZES = [(140, 45), (80, 24), (100, 30), (200, 60), (60, 18), (20, 5), (120, 32)]


class Monkey:
    """Presses keys on a terminal. `pressed` counts what, by name."""

    def __init__(self, terminal: Terminal, seed: str) -> None:
        self._terminal = terminal
        self._chance = random.Random(seed)
        self.pressed: Counter[str] = Counter()
        self._gestures: dict[Callable[[], None], int] = {
            self._look: 52,
            self._change: 16,
            self._filter: 5,
            self._inject: 9,
            self._palette: 4,
            self._start_or_stop: 3,
            self._resize: 4,
            self._click: 4,
            self._signal: 1,
            self._suspend: 1,
        }
        self._mending = 0

    def act(self) -> None:
        """Do one thing. A while after what stops the servers it starts them again."""
        go_on_if_stopped(self._terminal)
        self._mending -= 1
        if self._mending == 0:
            self._press(ESC, ESC, ESC, "1", "r")
            return
        gesture = self._chance.choices([*self._gestures], [*self._gestures.values()])[0]
        self.pressed[gesture.__name__.removeprefix("_")] += 1
        gesture()

    def calm_down(self) -> None:
        """Leave every question, undo every fault, and start what is stopped."""
        go_on_if_stopped(self._terminal)
        self._press(ESC, ESC, ESC, "4")
        self._terminal.watch(0.3)
        self._press("Z")
        self._terminal.watch(0.3)
        self._press("1")
        self._terminal.watch(0.3)
        self._press("r")

    def _press(self, *keys: str) -> None:
        # An escape that something follows at once would be taken for the beginning of another key.
        for key in keys:
            self._terminal.press(key)
            if key == ESC:
                self._terminal.watch(0.12)

    def _look(self) -> None:
        self._press(self._chance.choice(LOOKING))

    def _change(self) -> None:
        self._press(*self._chance.choice([[], ["1"]]), self._chance.choice(CHANGING))

    def _filter(self) -> None:
        words = self._chance.choice(FILTERS)
        self._press("/", *words, self._chance.choice([ENTER, ESC, "\x7f"]))

    def _palette(self) -> None:
        self._press(PALETTE, *self._chance.choice(COMMANDS))
        self._terminal.watch(0.3)
        self._press(self._chance.choice([ENTER, ESC]))
        self._terminal.watch(0.2)
        self._press(ESC)

    def _start_or_stop(self) -> None:
        chance = self._chance
        self._press(ESC, ESC, "1", BACK_TAB, "g", *[DOWN] * chance.randrange(6), "t")
        self._terminal.watch(chance.uniform(0, 0.5))
        self._press("t")

    def _signal(self) -> None:
        self._press(ESC, ESC, "1", "s")
        self._terminal.watch(0.3)
        self._press(*[DOWN] * self._chance.randrange(4), ENTER)
        self._mending = self._chance.randint(3, 12)

    def _inject(self) -> None:
        """Inject a fault: into the first target or another one, mostly for a short time."""
        chance = self._chance
        kind = chance.choice([*CATALOGUE.values()])
        self._press(
            ESC, ESC, "4", "\x1b[<0;10;6M", "\x1b[<0;10;6m", "g", *[DOWN] * [*CATALOGUE].index(kind.name), ENTER
        )
        self._terminal.watch(0.3)
        self._press(*_to_the_target(kind), ENTER)
        self._terminal.watch(0.15)
        self._press(*[DOWN] * chance.randrange(5), ENTER)
        self._terminal.watch(0.15)
        self._press(*[TAB] * (len(kind.parameters) + 1), chance.choice(["", "0.3", "1", "3", "nan", "-1"]), ENTER)
        self.pressed[f"inject {kind.name}"] += 1
        if chance.random() < 0.3:
            self._press(ESC, "Z")

    def _resize(self) -> None:
        self._terminal.resize(*self._chance.choice(SIZES))

    def _click(self) -> None:
        """Click, twice perhaps, or turn the wheel, somewhere."""
        chance = self._chance
        at = f"{chance.randint(1, 140)};{chance.randint(1, 44)}"
        button = chance.choice([0, 0, 0, 2, 64, 65])
        for _ in range(chance.randint(1, 2)):
            self._press(f"\x1b[<{button};{at}M", *([f"\x1b[<{button};{at}m"] if button < 64 else []))

    def _suspend(self) -> None:
        """Suspend the app, and let it go on; SIGCONT may also come alone."""
        self._press("\x1a")
        self._terminal.watch(self._chance.uniform(0.1, 1))
        self._terminal.process.send_signal(signal.SIGCONT)


def go_on_if_stopped(terminal: Terminal) -> None:
    """Let the app go on: a suspension may have come late, after the sign to go on."""
    if terminal.process.poll() is None and psutil.Process(terminal.process.pid).status() == psutil.STATUS_STOPPED:
        terminal.process.send_signal(signal.SIGCONT)


def _to_the_target(kind: Kind) -> list[str]:
    """Return the keys from where a fault's form begins to the choice of its target."""
    if kind.parameters:
        return [BACK_TAB]
    return [BACK_TAB] * (4 if kind.dangerous else 5)


assert "q" not in "".join([*LOOKING, *CHANGING, *FILTERS, *COMMANDS])
