"""The `protocol` server: nobody waits. The loop calls, and what it calls has to return at once.

Each connection has an `asyncio.Protocol`: the loop reads from the socket and hands over what came in
(`data_received`), a transport writes and keeps what the socket does not take yet.

What is promised:

* What arrives is echoed as it arrives.
* At most one read is held for a peer that does not read. The transport says `pause_writing` as soon as it has to keep
  anything, and we stop reading from that peer until it says `resume_writing`.
* All answers are sent before a connection is closed, after a half-close and after a boom too. An interrupt, and a boom
  by keyboard, end it at once.

For who accepts see ``accepting.py``.
"""

import asyncio
import socket
from time import monotonic
from typing import cast

from ..conversation import Boom, Conversation
from ..records import Connection, ConnectionState
from .accepting import AcceptingServer
from .base import Desk, Idle, Interrupt, KeyboardBoom, describe, outcome_of


class ProtocolServer(AcceptingServer):
    """Waits by being called."""

    name = "protocol"
    waits_by = "data_received()"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._talks: dict[int, _Talk] = {}

    async def _handle(self, connection: Connection, sock: socket.socket) -> None:
        """Give the socket to a transport. From then on there is no task: the loop calls."""
        talk = self._talks[connection.id] = _Talk(self, connection)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: talk, sock)
        except OSError as error:
            self.part(connection, describe(error))

    def part(self, connection: Connection, outcome: str) -> None:
        """Close a connection whose transport is gone."""
        if self._talks.pop(connection.id, None) is not None and connection.state is ConnectionState.OPEN:
            self.close(connection, outcome)

    def boom(self, connection: Connection) -> None:
        talk = self._talks.get(connection.id)
        if talk is not None:
            talk.end(KeyboardBoom())

    def interrupt(self, connection: Connection, why: str) -> None:
        talk = self._talks.get(connection.id)
        if talk is not None:
            talk.end(Interrupt(why))
        elif connection.id in self._tasks:
            self._tasks[connection.id].cancel(why)


class _Talk(asyncio.Protocol):
    """Holds the conversation with one peer. Every method but `end` is called by the loop."""

    transport: asyncio.Transport | None = None
    ended_by: Exception | None = None
    """What ended it, where that was not its peer."""
    deadline: asyncio.TimerHandle | None = None

    def __init__(self, server: ProtocolServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.conversation = Conversation()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=0)
        limit = self.server.desk.settings.idle_timeout
        if self.ended_by is not None:
            self.transport.abort()
        elif limit is not None:
            self._look_again_in(limit, limit)

    def data_received(self, data: bytes) -> None:
        if self.transport is None or self.ended_by is not None:
            return
        self.server.received(self.connection, data)
        try:
            self._echo(data, self.transport)
        except Exception as error:  # noqa: BLE001 - left to the loop it would be logged, and unsent answers dropped
            self.end(error)

    def _echo(self, data: bytes, transport: asyncio.Transport) -> None:
        answer = self.conversation.receive(data)
        if answer:
            transport.write(answer)
            self.server.sent(self.connection, len(answer), self.connection.unsent)
        if self.conversation.boomed:
            raise Boom

    def pause_writing(self) -> None:
        """The transport has to keep a part of an answer: read no more until it is rid of it."""
        if self.transport is not None:
            self.connection.unsent = self.transport.get_write_buffer_size()
            if not self.transport.is_closing():
                self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The socket has taken everything: read on."""
        self.connection.unsent = 0
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def eof_received(self) -> None:
        """The peer will send no more. Not returning True lets the transport send what it has, and close."""

    def connection_lost(self, error: Exception | None) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
        if self.ended_by is not None:
            outcome = outcome_of(self.ended_by)
        elif error is not None:
            outcome = describe(error)
        else:
            outcome = "closed by peer"
            self.server.half_closed(self.connection)
        self.server.part(self.connection, outcome)

    def end(self, error: Exception) -> None:
        """End the conversation: its handler raised, or somebody outside wants it to end."""
        if self.ended_by is None:
            self.ended_by = error
            if not isinstance(error, Interrupt):
                self.server.handler_failed(self.connection, error, outcome_of(error))
        if self.transport is not None:
            if isinstance(error, Interrupt | KeyboardBoom):
                self.transport.abort()
            else:
                self.transport.close()  # what came before is answered first

    def _look_again_in(self, seconds: float, limit: float) -> None:
        self.deadline = asyncio.get_running_loop().call_later(seconds, self._still_there, limit)

    def _still_there(self, limit: float) -> None:
        left = (self.connection.last_in_at or self.connection.opened_at) + limit - monotonic()
        if left > 0:
            self._look_again_in(left, limit)
        else:
            self.server.idle(self.connection, limit)
            self.end(Idle(limit))
