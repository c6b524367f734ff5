"""A built-in client: it connects to one of our own servers and chats, and checks every byte that comes back.

It lives on the same loop as the servers, so that a server can be looked at without a second terminal.
Its connections are marked as built-in wherever they are shown.
"""

import asyncio
import socket

from . import events
from .naming import address, describe, family_of, own_address
from .servers.base import EchoServer
from .servers.books import Desk

#: Seconds between two lines of a chat.
PAUSE = 1.0

#: How long an answer may take, in seconds, before the client gives up.
PATIENCE = 30.0


class BuiltInClient:
    """One chatting client. `task` runs until the server hangs up, an echo is wrong, or it is cancelled."""

    def __init__(self, desk: Desk, server: EchoServer) -> None:
        self._desk = desk
        self._server = server.record
        self._answer_to = server.answer_to
        self.task = asyncio.get_running_loop().create_task(self._chat(), name=f"client-of-{server.name}")

    async def _chat(self) -> None:
        peer, reason = "", "hung up"
        try:
            with socket.socket(family_of(self._server.host), socket.SOCK_STREAM) as sock:
                sock.setblocking(False)
                # Bound before it connects, so that its address is known when the server accepts it.
                sock.bind((own_address(self._server.host), 0))
                peer = address(sock.getsockname())
                self._desk.built_in_peers.add(peer)
                reason = await self._converse(sock, peer)
        except TimeoutError:
            reason = f"no answer for {PATIENCE:g} s"
        except OSError as error:
            reason = describe(error)
        finally:
            self._desk.built_in_peers.discard(peer)
            self._desk.journal.record(events.ClientEnded(self._server.name, peer, reason))

    async def _converse(self, sock: socket.socket, peer: str) -> str:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (self._server.host, self._server.port))
        self._desk.journal.record(events.ClientStarted(self._server.name, peer))
        number = 0
        while True:
            number += 1
            line = f"hello {number}\r\n".encode()
            await loop.sock_sendall(sock, line)
            answer = b""
            async with asyncio.timeout(PATIENCE):
                while len(answer) < len(line):
                    more = await loop.sock_recv(sock, len(line) - len(answer))
                    if not more:
                        return "the server hung up"
                    answer += more
            if answer != self._answer_to(line):
                return f"sent {line!r}, but {answer!r} came back"
            unasked = await self._pause(sock)
            if unasked is not None:
                return f"{unasked!r} came unasked" if unasked else "the server hung up"

    async def _pause(self, sock: socket.socket) -> bytes | None:
        """Wait for `PAUSE` seconds; return what came meanwhile: None, or empty if the server hung up.

        It sleeps, and looks afterwards: waiting for the socket under a timeout would be one more cancellation a
        second for whoever watches the loop.
        """
        await asyncio.sleep(PAUSE)
        try:
            return sock.recv(100)
        except BlockingIOError:
            return None
