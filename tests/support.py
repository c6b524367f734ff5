"""What the tests share: kinds of loops and servers, a lab on ports the system picks, and peers that talk to it.

Nothing in here sleeps: whoever waits, waits for bytes or for an entry of the journal, and for at most `PATIENCE`.
"""

import asyncio
import contextlib
import gc
import os
import random
import selectors
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest.mock import patch

import pytest

from echotui.server import events
from echotui.server.journal import Entry, Journal
from echotui.server.lab import Lab
from echotui.server.loops import LOOP_KINDS, LoopKind, new_event_loop
from echotui.server.naming import address
from echotui.server.observe.events import Complained
from echotui.server.records import Connection
from echotui.server.servers import SERVERS
from echotui.server.servers.books import Desk
from echotui.server.servers.selectors import SelectorsServer
from echotui.server.settings import Settings

#: How long, in seconds, anything may take that should happen at once.
PATIENCE = 10.0

SomeEvent = TypeVar("SomeEvent", bound=events.Event)


@dataclass(frozen=True)
class Loop:
    """A kind of loop that every coroutine test runs on."""

    kind: LoopKind
    eager: bool = False
    """Whether tasks run their first step while they are made, as Textual has it on Python 3.12 and later."""
    debug: bool = False
    """Whether it is in asyncio's debug mode."""

    def __str__(self) -> str:
        return "-".join([self.kind, *(["eager"] if self.eager else []), *(["debug"] if self.debug else [])])

    def make(self) -> asyncio.AbstractEventLoop:
        loop = new_event_loop(self.kind)
        if self.eager:
            loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        return loop

    def runner(self) -> asyncio.Runner:
        return asyncio.Runner(loop_factory=self.make, debug=self.debug)


_EAGER = [False, True] if sys.version_info >= (3, 12) else [False]

#: Every kind of loop there is to test on.
EVERY_LOOP = [Loop(kind, eager, debug) for kind in LOOP_KINDS for eager in _EAGER for debug in (False, True)]

#: Those without eager tasks and debug mode.
PLAIN_LOOPS = [loop for loop in EVERY_LOOP if not loop.eager and not loop.debug]


def loops_for(folder: str) -> list[Loop]:
    """Return what a coroutine test in this folder runs on.

    How a loop is observed is tested on every kind of loop; what is built on it on plain ones, because it would be the
    same test four or eight times. With ECHOTUI_LOOPS=every in the environment everything runs on all, but for the
    screen: what a debug mode adds is not drawn.
    """
    every = folder == "observe" or (os.environ.get("ECHOTUI_LOOPS") == "every" and folder != "ui")
    return EVERY_LOOP if every else PLAIN_LOOPS


@dataclass(frozen=True)
class Flavour:
    """A server, and for `selectors` what it selects with."""

    server: str
    selector: type[selectors.BaseSelector] | None = None

    def __str__(self) -> str:
        return self.server if self.selector is None else f"{self.server}-{self.selector.__name__}"


SELECTORS, SOCKETS = Flavour("selectors"), Flavour("sockets")
STREAMS, PROTOCOL = Flavour("streams"), Flavour("protocol")
POLLING, BLOCKING = Flavour("polling"), Flavour("blocking")
#: The selectors server, also where a thread has to select for it.
SELECTING = [SELECTORS, Flavour("selectors", selectors.SelectSelector), Flavour("selectors", selectors.PollSelector)]

each_flavour = pytest.mark.parametrize("flavour", [*SELECTING, SOCKETS, PROTOCOL, POLLING], ids=str)
#: Those that answer line by line.
each_by_line = pytest.mark.parametrize("flavour", [STREAMS, BLOCKING], ids=str)
each_selecting = pytest.mark.parametrize("flavour", SELECTING, ids=str)
each_server = pytest.mark.parametrize("server", list(SERVERS))


@asynccontextmanager
async def a_lab(
    *flavours: Flavour, journal: Journal | None = None, may_complain: bool = False, **settings: Any
) -> AsyncIterator[Lab]:
    """Run a lab with these servers (or all that start unasked) on ports the system picks, recording every detail.

    It fails at its end if asyncio complained about anything, unless it may.
    """
    changed = {flavour.server: _selecting_with(flavour.selector) for flavour in flavours if flavour.selector}
    names = tuple(dict.fromkeys(flavour.server for flavour in flavours)) or None
    with patch.dict(SERVERS, changed):
        lab = Lab(
            Settings(port=0, servers=names, **{"select_timeout": 0.05, "drain": 0.0, **settings}),
            Journal(detail_rate=None) if journal is None else journal,
        )
    # How fast this machine is today is not what a test is about.
    asyncio.get_running_loop().slow_callback_duration = PATIENCE
    async with lab:
        yield lab
    if not may_complain:
        unexpected = (Complained, events.InstrumentDisabled)
        assert [entry.event for entry in lab.journal.since(0) if isinstance(entry.event, unexpected)] == []


def _selecting_with(selector: Callable[[], selectors.BaseSelector]) -> type[SelectorsServer]:
    class Selecting(SelectorsServer):
        def __init__(self, desk: Desk) -> None:
            super().__init__(desk, selector)

    return Selecting


async def happens(lab: Lab, kind: type[SomeEvent], *, after: int = 0, **fields: object) -> SomeEvent:
    """Return the first event of this kind, with these fields, that is in the journal after `after` or gets there."""
    found: asyncio.Future[SomeEvent] = asyncio.get_running_loop().create_future()

    def look(entry: Entry) -> None:
        event = entry.event
        if found.done() or not isinstance(event, kind):
            return
        if all(getattr(event, name) == value for name, value in fields.items()):
            found.set_result(event)

    for entry in lab.journal.since(after):
        look(entry)
    lab.journal.subscribe(look)
    try:
        return await asyncio.wait_for(found, PATIENCE)
    except TimeoutError:
        story = "\n".join(f"{entry.seq} {entry.event}" for entry in [*lab.journal.since(after)][-30:])
        raise AssertionError(f"no {kind.__name__} with {fields} within {PATIENCE:g} s, but:\n{story}") from None
    finally:
        lab.journal.unsubscribe(look)


def told(lab: Lab, kind: type[SomeEvent]) -> list[SomeEvent]:
    """Return every event of this kind that the journal still has."""
    return [entry.event for entry in lab.journal.since(0) if isinstance(entry.event, kind)]


class Peer:
    """A client of one of the lab's servers, awaited on the test's own loop."""

    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self.sock = sock
        self.name = address(sock.getsockname())
        self.connection = connection
        """What the lab knows of it."""

    async def say(self, data: bytes) -> None:
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.sock, data), PATIENCE)

    async def hear(self, size: int) -> bytes:
        """Return the next `size` bytes; fewer only if the server closes."""
        heard = bytearray()
        async with asyncio.timeout(PATIENCE):
            while len(heard) < size:
                more = await asyncio.get_running_loop().sock_recv(self.sock, min(size - len(heard), 2**16))
                if not more:
                    break
                heard += more
        return bytes(heard)

    async def hear_out(self) -> bytes:
        """Return all that comes until the server closes."""
        return await self.hear(2**62)

    async def echoes(self, data: bytes = b"still here?\r\n") -> bool:
        """Return whether exactly this comes back if it is said."""
        await self.say(data)
        return await self.hear(len(data)) == data

    async def is_stuck(self) -> None:
        """Return once the server has an answer for this peer that it cannot get rid of."""
        async with asyncio.timeout(PATIENCE):
            while not self.connection.unsent:  # noqa: ASYNC110 - a record is plain data and tells nobody
                await asyncio.sleep(0)

    async def gets_stuck(self, text: bytes = b"never read\r\n" * 1000) -> int:
        """Say this over and over, as much as can be said without reading. Returns how many bytes that were."""
        said = turns_in_vain = 0
        while turns_in_vain < 100 or not self.connection.unsent:
            try:
                said += self.sock.send(text[said % len(text) :])
                turns_in_vain = 0
            except BlockingIOError:
                turns_in_vain += 1
            await asyncio.sleep(0)
        return said

    def say_no_more(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        reset(self.sock)


def a_listener_between_free_ports() -> socket.socket:
    """Return a listening socket outside the range the system picks from, so that the next port is free as well."""
    while True:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", random.randrange(20_000, 30_000)))


def reset(sock: socket.socket) -> None:
    """Close a socket so that its peer is sent an RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


async def connected(lab: Lab, server: str, *, receive_buffer: int | None = None) -> socket.socket:
    """Return a socket that is connected to a server, accepted or not yet."""
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", lab.servers[server].record.port))
    except OSError:
        sock.close()
        raise
    return sock


@asynccontextmanager
async def a_peer(lab: Lab, server: str, *, receive_buffer: int | None = None) -> AsyncIterator[Peer]:
    """Connect to a server, wait until it has accepted, and hang up at the end."""
    with await connected(lab, server, receive_buffer=receive_buffer) as sock:
        accepted = await happens(lab, events.Accepted, server=server, peer=address(sock.getsockname()))
        connection = lab.connections.get(accepted.connection)
        assert connection is not None
        yield Peer(sock, connection)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Have nothing collected meanwhile but what nobody refers to."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
