"""A crowd of clients with wills of their own, in a process of its own: ``python tests/support_crowd.py ORDER``.

Each opens a connection, talks, and ends it in one of several ways; then another takes its place. The crowd keeps books:
of each connection how many bytes were said and heard, whether all that was owed has come back, and how it ended. They
are its last words on stdout, when its time is over.

It connects from `SOURCE`, so that whoever reads the servers' books can tell it from the app's own clients and probes.
"""

import asyncio
import contextlib
import dataclasses
import errno
import json
import random
import select
import socket
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import Any, Self

#: Where the crowd comes from: an address of this very machine that is not the one the app uses for its own clients.
SOURCE = "127.0.0.2"

#: How long a client waits for an answer, or for its words to be taken, before it gives up, in seconds.
PATIENCE = 4.0

#: What the streams server says to whom it drops.
DROPPED = b"Connection dropped!\r\n"

#: The servers that answer in upper case.
UPPER = frozenset({"streams"})

#: How a client ends its conversation, and how often in comparison.
ENDINGS = {"closes": 5, "half-closes": 2, "resets": 1, "tears": 1, "booms": 2}

_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Visit:
    """One connection, as its client saw it."""

    server: str
    port: int
    """The client's own port."""
    at: float
    """When it began to connect, in seconds since the epoch."""
    sent: int = 0
    """Bytes the socket has taken."""
    heard: int = 0
    owed: int = 0
    """Bytes that should come back for what was sent."""
    boom: bool = False
    """Whether the word was sent, whole."""
    wrong: bool = False
    """Whether other bytes came back than were owed."""
    dropped: bool = False
    """Whether the server has said that it drops the connection; these bytes are among `heard`."""
    end: str = ""
    """How it ended: one of `ENDINGS`, ``hung up`` by the server, ``gave up`` waiting, or ``refused`` at once."""


@dataclass
class Order:
    """What crowd is wanted."""

    ports: dict[str, int]
    connections: int
    seconds: float
    seed: str
    pause: float = 1.0
    """The mean of the pauses between two words of a client, in seconds."""


@dataclass
class Books:
    """What came of it."""

    visits: list[Visit] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Connections that never were: why, and how often."""

    def add(self, other: "Books") -> None:
        self.visits += other.visits
        self.refused.update(other.refused)


class _HungUp(Exception):
    """The server has closed, or reset."""


class _Client:
    """One connection's client."""

    def __init__(self, sock: socket.socket, visit: Visit, chance: random.Random, pause: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._visit = visit
        self._chance = chance
        self._pause = pause
        self._expected = bytearray()

    async def live(self, until: float) -> None:
        """Talk for a while, and end."""
        chance, visit = self._chance, self._visit
        ending = chance.choices([*ENDINGS], [*ENDINGS.values()])[0]
        try:
            for _ in range(chance.randint(1, 12)):
                for _ in range(chance.choice((1, 1, 1, 3))):
                    await self._say(self._line())
                await self._hear()
                if monotonic() > until:
                    break
                await asyncio.sleep(min(chance.expovariate(1 / self._pause), max(until - monotonic(), 0)))
            await self._end(ending)
            visit.end = visit.end or ending
        except _HungUp:
            visit.end = "hung up"
        except TimeoutError:
            visit.end = "gave up"
        self._sock.close()

    async def _end(self, ending: str) -> None:
        match ending:
            case "half-closes":
                await self._say(self._line())
                try:
                    self._sock.shutdown(socket.SHUT_WR)
                except OSError:
                    raise _HungUp from None
                await self._hear()
                await self._hear_the_end()
            case "tears":
                await self._say(self._line())
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            case "resets":
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            case "booms":
                await self._say(b"boom\r\n", owed=0)
                self._visit.boom = True
                await self._hear_the_end()

    def _line(self) -> bytes:
        chance = self._chance
        size = chance.choice((1, 16, 64, 64, 256, 1500, 20_000))
        return b"%x " % chance.getrandbits(40) + b"abcdefgh" * (size // 8) + chance.choice((b"\n", b"\r\n"))

    async def _say(self, words: bytes, owed: int | None = None) -> None:
        visit = self._visit
        if owed is None:
            owed = len(words)
            self._expected += words.upper() if visit.server in UPPER else words
        left = memoryview(words)
        while left:
            try:
                sent = self._sock.send(left)
            except BlockingIOError:
                # Hear meanwhile: where both sides only speak, neither would ever go on.
                await self._ready(or_room=True)
                self._hear_what_is_there()
                continue
            except OSError:
                raise _HungUp from None
            visit.sent += sent
            visit.owed += min(sent, owed)
            left = left[sent:]

    async def _ready(self, *, or_room: bool = False) -> None:
        """Wait until there is something to hear, or room for more words if that is wanted, too."""
        ready = self._loop.create_future()

        def come() -> None:
            if not ready.done():
                ready.set_result(None)

        self._loop.add_reader(self._sock, come)
        if or_room:
            self._loop.add_writer(self._sock, come)
        try:
            async with asyncio.timeout(PATIENCE):
                await ready
        finally:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)

    async def _hear(self) -> None:
        """Hear all that is owed."""
        while self._expected:
            await self._ready()
            self._hear_what_is_there()

    async def _hear_the_end(self) -> None:
        """Hear what still comes, until the server closes."""
        with contextlib.suppress(_HungUp):
            while True:
                await self._ready()
                self._hear_what_is_there()

    def _hear_what_is_there(self) -> None:
        try:
            heard = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            raise _HungUp from None
        if not heard:
            raise _HungUp
        visit = self._visit
        visit.heard += len(heard)
        if heard.endswith(DROPPED) and not self._expected.startswith(heard):
            visit.dropped = True
            heard = heard.removesuffix(DROPPED)
        if not self._expected.startswith(heard):
            visit.wrong = True
        del self._expected[: len(heard)]


class _Crowd:
    """Keeps so many connections open."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self.books = Books()

    async def run(self) -> Books:
        until = monotonic() + self._order.seconds
        async with asyncio.TaskGroup() as group:
            for number in range(self._order.connections):
                group.create_task(self._places(number, until), name=f"client-{number}")
        return self.books

    async def _places(self, number: int, until: float) -> None:
        """Be one client after the other."""
        chance = random.Random(f"{self._order.seed}/{number}")
        await asyncio.sleep(chance.uniform(0, min(self._order.seconds / 4, 5)))
        while monotonic() < until:
            server = chance.choice([*self._order.ports])
            with socket.socket() as sock:
                sock.setblocking(False)
                begun = time()  # before it is taken in: how much later we hear of that is our own affair
                why = await self._connect(sock, self._order.ports[server])
                visit = Visit(server, sock.getsockname()[1], begun)
                if why is None:
                    self.books.visits.append(visit)
                    await _Client(sock, visit, chance, self._order.pause).live(until)
                    continue
                if why.errno != errno.ECONNREFUSED:
                    # It was reset before we looked whether it is there: somebody may have accepted it.
                    visit.end = "refused"
                    self.books.visits.append(visit)
            self.books.refused[why.strerror or repr(why)] += 1
            await asyncio.sleep(chance.uniform(0.1, 0.5))

    async def _connect(self, sock: socket.socket, port: int) -> OSError | None:
        """Connect; return why not, or None."""
        try:
            sock.bind((SOURCE, 0))
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError as error:
            return error
        return None


class Crowd:
    """A crowd in processes of its own. Use it as a context manager: no process outlives it.

    Args:
        order: what crowd is wanted.
        processes: how many processes share it.
    """

    def __init__(self, order: Order, processes: int = 1) -> None:
        self._orders = [
            dataclasses.replace(order, connections=order.connections // processes, seed=f"{order.seed}/{number}")
            for number in range(processes)
        ]
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for order in self._orders:
            command = [sys.executable, str(Path(__file__)), json.dumps(dataclasses.asdict(order))]
            self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def is_over(self) -> bool:
        """Return whether a process has come to its last words, or to its end."""
        return any(process.poll() is not None or _is_readable(process) for process in self._processes)

    def books(self) -> Books:
        """Return what they have counted, once their time is over."""
        together = Books()
        for process in self._processes:
            words, _ = process.communicate()
            if process.returncode:
                raise AssertionError(f"a process of the crowd has ended with {process.returncode}")
            row: dict[str, Any] = json.loads(words)
            together.add(Books([Visit(**visit) for visit in row["visits"]], Counter(row["refused"])))
        return together


def _is_readable(process: subprocess.Popen[bytes]) -> bool:
    return process.stdout is not None and bool(select.select([process.stdout], [], [], 0)[0])


def main() -> None:
    books = asyncio.run(_Crowd(Order(**json.loads(sys.argv[1]))).run())
    json.dump({"visits": [dataclasses.asdict(visit) for visit in books.visits], "refused": books.refused}, sys.stdout)


if __name__ == "__main__":
    main()
