"""What faults make of a connection, done by whoever can await: the tasks of `sockets` and `streams`."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from time import monotonic

from ..faults.link import Link
from ..faults.steps import Send, Wait
from ..records import Connection
from .base import EchoServer


async def follow(
    server: EchoServer, link: Link, connection: Connection, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Do what the faults of this connection want, step by step, until no step is left or a boom was said elsewhere.

    Raises:
        Interrupt: if a fault ends the connection.
    """
    while (step := link.next(monotonic())) is not None:
        match step:
            case Send(data):
                await send(data)
            case Wait() if server.has_to_boom(connection):
                return
            case Wait(seconds):
                changed = asyncio.Event()
                link.on_change = changed.set
                try:
                    await wait(changed, seconds)
                finally:
                    link.on_change = None
            case _:
                server.obey(connection, step)
    if link.over and connection.link is link:  # another fault may have made another one
        connection.link = None


def wake(connection: Connection) -> None:
    """Have a handler that a fault holds look at what there is to do."""
    if connection.link is not None and connection.link.on_change is not None:
        connection.link.on_change()


async def wait(event: asyncio.Event, seconds: float | None) -> None:
    """Wait until something has changed, or so many seconds are over; None: as long as it takes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def rest(server: EchoServer, sock: socket.socket) -> None:
    """Let an accepted peer wait as long as a fault wants; less if the gate changes meanwhile."""
    seconds, tell = (0.0, None) if server.gate is None else server.gate.rest()
    if not seconds or tell is None:
        return
    tell()
    changed = asyncio.Event()
    server.on_gate = changed.set
    try:
        await wait(changed, seconds)
    except asyncio.CancelledError:
        sock.close()
        raise
