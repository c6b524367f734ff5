"""The `protocol` server: nobody waits. The loop calls, and what it calls has to return at once.

Each connection has what the loop takes for an `asyncio.Protocol` (``answering.py``): the loop reads from the socket and
hands over what came in (`data_received`), a transport writes and keeps what the socket does not take yet.

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
from collections.abc import Mapping
from typing import Any, ClassVar

from ..naming import describe
from ..records import Connection, ConnectionState
from .accepting import AcceptingServer
from .answering import Answering
from .books import Desk
from .outcomes import Interrupt


class ProtocolServer(AcceptingServer):
    """Waits by being called."""

    name = "protocol"
    task_name = "protocol"
    waits_by = "data_received()"
    cannot: ClassVar[Mapping[str, str]] = {"slow-close": "its transport closes the socket: use sockets"}

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._talks: dict[int, Answering] = {}

    async def _handle(self, connection: Connection, sock: socket.socket) -> None:
        """Give the socket to a transport. From then on there is no task: the loop calls."""
        talk = self._talks[connection.id] = Answering(self, connection)
        protocol: Any = talk
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, sock)
        except OSError as error:
            self.part(connection, describe(error))

    def part(self, connection: Connection, outcome: str) -> None:
        """Close a connection whose transport is gone."""
        if self._talks.pop(connection.id, None) is not None and connection.state is ConnectionState.OPEN:
            self.close(connection, outcome)

    def boom(self, connection: Connection, error: Exception) -> None:
        talk = self._talks.get(connection.id)
        if talk is not None:
            talk.end(error, at_once=True)

    def interrupt(self, connection: Connection, why: str) -> None:
        talk = self._talks.get(connection.id)
        if talk is not None:
            talk.end(Interrupt(why))
        elif connection.id in self._tasks:
            self._tasks[connection.id].cancel(why)
