"""The conversation of the `selectors` server with one peer: what it does when that one's socket is ready.

This runs for every message: compiled where that is possible, as ``five_steps.py`` is.
"""

import functools
import math
import socket
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING

from ..conversation import Boom, Conversation
from ..counting import Tally
from ..faults.link import Link
from ..faults.steps import Send, Wait
from ..records import Connection, ConnectionState
from .base import RECEIVE_SIZE
from .outcomes import Idle, Interrupt, outcome_of

if TYPE_CHECKING:
    from .selectors import SelectorsServer


class Talk:
    """Holds the conversation with one peer."""

    __slots__ = ("connection", "conversation", "interrupt", "rests_until", "server", "sock", "tally", "unsent")

    def __init__(self, server: "SelectorsServer", sock: socket.socket, connection: Connection) -> None:
        self.server = server
        self.sock = sock
        self.connection = connection
        self.tally: Tally = server.tally
        self.conversation = Conversation()
        self.unsent: memoryview | None = None
        self.interrupt: Exception | None = None
        self.rests_until: float | None = None
        """Until when a fault lets it do nothing; it is not registered meanwhile. None while it does not rest."""

    @property
    def whose(self) -> str:
        """Whose socket it is, for people."""
        return f"connection {self.connection.id}"

    def on_ready(self) -> None:
        """Its socket is ready, or it is to have its turn for another reason.

        Raises:
            Interrupt: if it is to end.
            Boom: if its peer says so.
            OSError: if its peer has reset, or cannot be reached any more.
        """
        if self.interrupt is not None:
            raise self.interrupt
        link = self.connection.link
        if link is not None:
            self._follow(link)
        elif self.unsent is None:
            self._receive()
        else:
            self._send(self.unsent)
        if self.conversation.boomed and self.unsent is None and self.rests_until is None:
            raise Boom

    def _receive(self) -> None:
        server, connection = self.server, self.connection
        try:
            data = self.sock.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return
        if not data:
            server.part(connection, server.half_closed(connection))
            return
        self.tally.received(connection, data)
        answer = self.conversation.receive(data)
        if answer:
            if connection.link is None:
                self._send(answer)
            else:
                connection.link.answer(answer)

    def _follow(self, link: Link) -> None:
        """Do what the faults of this connection want, step by step; read when there is no step left."""
        if self.connection.state is not ConnectionState.OPEN:
            return  # it was ready twice in one turn, and ended the first time
        if self.unsent is not None:
            self._send(self.unsent)
        if self._has_followed(link):
            if not self.conversation.boomed:
                self._receive()
            if self.connection.state is ConnectionState.OPEN:
                self._has_followed(link)

    def _has_followed(self, link: Link) -> bool:
        """Do the steps that can be done now; return whether none is left."""
        while self.unsent is None:
            step = link.next(self.server.steps.now)
            if isinstance(step, Wait):
                self._rest(link, step.seconds)
                return False
            self._rest_no_more(link)
            if step is None:
                if link.over:
                    self.connection.link = None
                return True
            if isinstance(step, Send):
                self._send(step.data)
            else:
                self.server.obey(self.connection, step)
        return False

    def _rest(self, link: Link, seconds: float | None) -> None:
        until = math.inf if seconds is None else self.server.steps.now + seconds
        if self.rests_until is None:
            self.server.selector.unregister(self.sock)
            link.on_change = functools.partial(self.server.look_at, self)
        if seconds is not None and (self.rests_until is None or self.rests_until != until):
            self.server.steps.call_at(until, _Alarm(self))
        self.rests_until = until

    def _rest_no_more(self, link: Link) -> None:
        if self.rests_until is not None:
            self.rests_until = link.on_change = None
            self.server.selector.register(self.sock, EVENT_READ, self)

    def _send(self, answer: bytes | memoryview) -> None:
        server, connection = self.server, self.connection
        try:
            sent = self.sock.send(answer)
        except BlockingIOError:
            sent = 0
        unsent = len(answer) - sent
        self.tally.sent(connection, sent, unsent)
        if unsent:
            if self.unsent is None:
                server.selector.modify(self.sock, EVENT_WRITE, self)
            self.unsent = memoryview(answer)[sent:]
        elif self.unsent is not None:
            self.unsent = None
            server.selector.modify(self.sock, EVENT_READ, self)

    def on_failed(self, error: Exception) -> None:
        """End the connection: its handler has raised."""
        server, connection = self.server, self.connection
        if connection.state is not ConnectionState.OPEN:
            return  # it was ready twice in one turn, and ended the first time
        outcome = outcome_of(error)
        if not isinstance(error, Interrupt | OSError):
            server.handler_failed(connection, error, outcome)
        server.part(connection, outcome)

    def on_deadline(self) -> None:
        """It may have been idle for too long."""
        limit = self.server.desk.settings.idle_timeout
        if limit is None or self.connection.state is not ConnectionState.OPEN:
            return
        due = (self.connection.last_in_at or self.connection.opened_at) + limit
        if due > self.server.steps.now:
            self.server.steps.call_at(due, self)  # it has spoken since: this is when it may be idle at the earliest
        else:
            self.server.idle(self.connection, limit)
            self.on_failed(Idle(limit))


class _Alarm:
    """Wakes a talk that rests, when it has rested long enough."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def on_deadline(self) -> None:
        """Let the talk have its turn."""
        if self._talk.connection.state is ConnectionState.OPEN:
            self._talk.server.look_at(self._talk)
