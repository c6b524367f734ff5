"""One run of the app among many connections, while somebody presses random keys; see ``benchmarks/survive.py``."""

import random
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic

import psutil
from support_books import Verdict, compare, rows_of
from support_crowd import Crowd, Order
from support_monkey import Monkey, go_on_if_stopped
from support_terminal import Terminal

#: How long the app may take to leave, in seconds.
LEAVE = 30.0

#: The servers that the crowd goes to; those that take a thread each are only switched on and off.
SERVERS = ("selectors", "sockets", "streams", "protocol")


def base_port() -> int:
    """Return a port that is free with the five after it."""
    while True:
        base = random.randrange(20_000, 30_000)
        try:
            for port in range(base, base + 6):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return base


class Survival:
    """One run. `run` returns what does not hold, and `verdict` is what the books have come to."""

    def __init__(  # noqa: PLR0913 - what one can choose
        self, seed: str, *, loop: str, seconds: float, connections: int, keys: int, processes: int = 2, pause: float = 1
    ) -> None:
        base = base_port()
        ports = {server: base + number for number, server in enumerate(SERVERS)}
        self._order = Order(ports, connections, seconds, seed, pause)
        self._processes = processes
        self._options = ("--port", str(base), "--loop", loop, "--drain", "1")
        self._seed = seed
        self._keys = keys
        self.verdict = Verdict()
        self.refused: Counter[str] = Counter()
        """Why clients could not connect, and how often."""
        self.summary = ""
        self.pressed: Counter[str] = Counter()
        self.in_the_crowd = 0
        """How many keys were pressed while the crowd was there."""
        self.left_after = 0.0
        """How long it took to leave, in seconds."""
        self.memory: list[float] = []
        """MiB, about once a second."""

    def run(self) -> list[str]:
        folder = Path(tempfile.mkdtemp(prefix="echotui-survive-"))
        witness = Path(__file__).with_name("support_witness.py")
        ledger = folder / "ledger.jsonl"
        with Terminal(sys.executable, "-X", "faulthandler", witness, ledger, *self._options) as terminal:
            terminal.shows("selectors", "sockets", "● serving")
            with Crowd(self._order, self._processes) as crowd:
                self._press(terminal, crowd)
                terminal.wait(crowd.is_over, "the end of the crowd", self._order.seconds + 60)
                books = crowd.books()
            wrong = self._leave(terminal)
        self.verdict = compare(rows_of(ledger), books, self.summary)
        self.refused = books.refused
        wrong += self.verdict.wrong
        if wrong:
            (folder / "drawn").write_bytes(terminal.raw)
            wrong.append(f"what it has written and drawn is in {folder}")
        else:
            shutil.rmtree(folder)
        return wrong

    def _press(self, terminal: Terminal, crowd: Crowd) -> None:
        monkey = Monkey(terminal, self._seed)
        process = psutil.Process(terminal.process.pid)
        began = monotonic()
        interval = max(self._order.seconds - 5, 1) / self._keys
        for number in range(self._keys):
            while (early := began + number * interval - monotonic()) > 0:
                terminal.watch(min(early, 0.05))
            if terminal.process.poll() is not None:
                break
            # On a slow machine the last keys come when the crowd has gone.
            self.in_the_crowd += not crowd.is_over()
            if monotonic() - began > len(self.memory):
                self.memory.append(process.memory_info().rss / 2**20)
            monkey.act()
        self.pressed = monkey.pressed
        if terminal.process.poll() is None:
            monkey.calm_down()

    def _leave(self, terminal: Terminal) -> list[str]:
        """Press the key that leaves; return what is wrong with that."""
        wrong = []
        if terminal.process.poll() is not None:
            wrong.append(f"it has ended early, with {terminal.process.returncode}")
        terminal.resize(200, 60)
        began = monotonic()
        try:
            terminal.wait(lambda: self._has_left(terminal), "waiting for the exit", LEAVE)
        except AssertionError as error:
            # It says on its terminal where each of its tasks waits, and each of its threads.
            terminal.process.send_signal(signal.SIGUSR1)
            terminal.watch(1)
            terminal.process.send_signal(signal.SIGABRT)
            terminal.watch(1)
            return [*wrong, str(error)]
        self.left_after = monotonic() - began
        status = terminal.status()
        if status:
            wrong.append(f"its exit status is {status}")
        if b"Traceback (most recent call last)" in terminal.raw:
            wrong.append("it has drawn a traceback")
        if terminal.modes != terminal.modes_before:
            wrong.append("it has left the terminal in another mode")
        self.summary = "\n".join(
            line for line in terminal.raw.decode(errors="replace").rpartition("echotui: up")[2].splitlines()
        )
        if wrong:
            wrong.append(terminal.text)
        return wrong

    @staticmethod
    def _has_left(terminal: Terminal) -> bool:
        """Press the key that leaves, once what is asked is answered: an earlier key may open a question late."""
        go_on_if_stopped(terminal)
        for key in ("\x1b", "\x1b", "q"):
            if terminal.process.poll() is None:
                terminal.press(key)
                terminal.watch(0.2)
        return terminal.process.poll() is not None
