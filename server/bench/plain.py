"""The servers to compare with: each way to wait as one would write it by hand, and nothing watched.

``python -m echotui.server.bench.plain SERVER [asyncio|uvloop] [debug]`` serves on a port the system picks until it is
killed. Honest, not strawmen: the best code known to us for each, with the socket options and read sizes of ours; no
byte is lost where a send is partial, and a peer that resets ends nobody else's conversation.
"""

import asyncio
import contextlib
import selectors
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from ..loops import LoopKind
from ..servers.base import BACKLOG, RECEIVE_SIZE


def serve_selectors(listener: socket.socket) -> NoReturn:
    """Wait by ``selector.select()``, in a loop of one's own."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        serve_ready(selector, listener)


def serve_ready(selector: selectors.BaseSelector, listener: socket.socket) -> None:
    """Wait for whoever is ready, and serve them: one turn of the loop."""
    for key, _ in selector.select():
        if key.fileobj is listener:
            _accept(selector, listener)
            continue
        try:
            _echo(selector, key.fileobj, key.data)
        except OSError:
            selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]


def _accept(selector: selectors.BaseSelector, listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer, _ = listener.accept()
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(peer, selectors.EVENT_READ)


def _echo(selector: selectors.BaseSelector, peer: Any, unsent: bytes | None) -> None:
    data = unsent or peer.recv(RECEIVE_SIZE)
    try:
        sent = peer.send(data)
    except BlockingIOError:
        sent = 0
    if sent < len(data):
        selector.modify(peer, selectors.EVENT_WRITE, data[sent:])
    elif unsent is not None:
        selector.modify(peer, selectors.EVENT_READ)
    elif not data:
        raise ConnectionResetError


async def serve_sockets(listener: socket.socket) -> None:
    """Wait by ``await loop.sock_recv``, one task a connection."""
    loop = asyncio.get_running_loop()

    async def echo(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            while data := await loop.sock_recv(peer, RECEIVE_SIZE):
                await loop.sock_sendall(peer, data)

    await serve_each(listener, echo)


async def serve_each(listener: socket.socket, handle: Callable[[socket.socket], Coroutine[None, None, None]]) -> None:
    """Accept whoever comes by ``await loop.sock_accept``, and have each handled in a task."""
    loop = asyncio.get_running_loop()
    tasks = set()
    while True:
        peer, _ = await loop.sock_accept(listener)
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = loop.create_task(handle(peer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def serve_streams(listener: socket.socket) -> None:
    """Wait by ``await reader.readline()``, and answer in upper case."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(line.upper())
                await writer.drain()

    await (await asyncio.start_server(echo, sock=listener, limit=RECEIVE_SIZE)).serve_forever()


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]

    def pause_writing(self) -> None:
        self.transport.pause_reading()  # type: ignore[attr-defined]

    def resume_writing(self) -> None:
        self.transport.resume_reading()  # type: ignore[attr-defined]


async def serve_protocol(listener: socket.socket) -> None:
    """Be called back by a transport: ``asyncio.Protocol``."""
    server = await asyncio.get_running_loop().create_server(_Echo, sock=listener)
    await server.serve_forever()


#: The plain servers that live on asyncio's loop, by the name of ours they are compared with.
ON_LOOP: dict[str, Callable[[socket.socket], Coroutine[None, None, None]]] = {
    "sockets": serve_sockets,
    "streams": serve_streams,
    "protocol": serve_protocol,
}

#: Every plain server there is.
PLAIN = ("selectors", *ON_LOOP)


def _bare_loop(kind: LoopKind) -> asyncio.AbstractEventLoop:
    """Return a loop that nobody observes."""
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()


def main(server: str, loop: LoopKind = "asyncio", debug: str = "") -> None:
    """Serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    if server not in ON_LOOP:
        serve_selectors(listener)
    with asyncio.Runner(loop_factory=lambda: _bare_loop(loop), debug=bool(debug)) as runner:
        runner.run(ON_LOOP[server](listener))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
