"""The conversation of the `protocol` server with one peer: what the loop calls.

This runs for every message: compiled where that is possible, see ``compiled.py``.
"""

import asyncio
import functools
from time import monotonic
from typing import TYPE_CHECKING, cast

from ..conversation import Boom
from ..exchange import Exchange
from ..faults.link import Link
from ..faults.steps import Send, Wait
from ..naming import describe
from ..records import Connection
from .outcomes import Idle, Interrupt, outcome_of

if TYPE_CHECKING:
    from .protocol import ProtocolServer


class Answering:
    """Holds the conversation with one peer. The loop calls every method but `end`, as those of an `asyncio.Protocol`.

    It is none by descent: what is compiled is no subclass of what is not.
    """

    __slots__ = (
        "alarm",
        "buffered",
        "connection",
        "deadline",
        "ended_by",
        "exchange",
        "peer_has_ended",
        "rests",
        "server",
        "transport",
    )

    def __init__(self, server: "ProtocolServer", connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.exchange = Exchange(server.tally, connection, awaits=False)
        self.transport: asyncio.Transport | None = None
        self.ended_by: Exception | None = None
        """What ended it, where that was not its peer."""
        self.deadline: asyncio.TimerHandle | None = None
        self.alarm: asyncio.TimerHandle | None = None
        """Wakes it when a fault has let it wait long enough."""
        self.rests = False
        """Whether a fault lets it wait, and nothing is read."""
        self.peer_has_ended = False
        self.buffered = 0
        """Bytes of an answer that the transport still had when it was looked at last; they are not counted as sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=0)
        limit = self.server.desk.settings.idle_timeout
        if self.ended_by is not None:
            self.transport.abort()
        elif limit is not None:
            self._look_again_in(limit, limit)

    def data_received(self, data: bytes) -> None:
        """Echo what came in."""
        transport = self.transport
        if transport is None or self.ended_by is not None:
            return
        exchange = self.exchange
        try:
            if answer := exchange.take(data):
                transport.write(answer)
                if exchange.is_sent(len(answer)):
                    return
                if self.connection.unsent:
                    self._count_written(len(answer), transport)
            elif (link := self.connection.link) is not None:
                if exchange.answer:
                    link.answer(exchange.answer)
                    exchange.answer = b""
                self._follow(link)
                return
        except Exception as error:  # noqa: BLE001 - left to the loop it would be logged, and unsent answers dropped
            self.end(error)
        else:
            if exchange.boomed:
                self.end(Boom())

    def _count_written(self, size: int, transport: asyncio.Transport) -> None:
        """Count what was sent since this was called last, of what was left then and `size` bytes written since."""
        had, self.buffered = self.buffered + size, transport.get_write_buffer_size()
        self.server.sent(self.connection, had - self.buffered, self.buffered)

    def _follow(self, link: Link) -> None:
        """Do what the faults of this connection want, until it has to wait: for them, or for the peer to read."""
        transport = self.transport
        if transport is None or self.ended_by is not None:
            return
        try:
            # What is written to a connection that is lost would be counted as sent.
            while not self.connection.unsent and not transport.is_closing():
                step = link.next(monotonic())
                if isinstance(step, Wait):
                    self._rest(link, transport, step.seconds)
                    return
                self._rest_no_more(link, transport)
                match step:
                    case None:
                        if link.over:
                            self.connection.link = None
                        self._all_is_sent()
                        return
                    case Send(data):
                        transport.write(data)
                        self._count_written(len(data), transport)
                    case _:
                        self.server.obey(self.connection, step)
        except Exception as error:  # noqa: BLE001 - whatever is raised ends the conversation, as in data_received
            self.end(error)

    def _all_is_sent(self) -> None:
        """End the conversation if its peer has said so, and a fault has held its last answer.

        Raises:
            Boom: if that is what its peer has said.
        """
        if self.exchange.boomed:
            raise Boom
        if self.peer_has_ended and self.transport is not None:
            self.transport.close()

    def _rest(self, link: Link, transport: asyncio.Transport, seconds: float | None) -> None:
        """Read nothing, and look at the link again when the wait is over, or its faults have changed."""
        self._wake_no_more()
        link.on_change = functools.partial(self._follow, link)
        if seconds is not None:
            self.alarm = asyncio.get_running_loop().call_later(seconds, self._follow, link)
        if not self.rests:
            self.rests = True
            transport.pause_reading()

    def _rest_no_more(self, link: Link, transport: asyncio.Transport) -> None:
        self._wake_no_more()
        link.on_change = None
        if self.rests:
            self.rests = False
            if not transport.is_closing():
                transport.resume_reading()

    def _wake_no_more(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None

    def pause_writing(self) -> None:
        """The transport has to keep a part of an answer: read no more until it is rid of it."""
        if self.transport is not None:
            self.connection.unsent = self.transport.get_write_buffer_size()
            if not self.transport.is_closing():
                self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The socket has taken everything: read on."""
        link, transport = self.connection.link, self.transport
        if transport is None:
            return
        self._count_written(0, transport)
        if not transport.is_closing() and not self.rests:
            transport.resume_reading()
        if link is not None or self.exchange.boomed or self.peer_has_ended:
            # Not now: a transport that is closed while it says this says twice that it is lost (asyncio).
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Do what comes after an answer, now that it is sent."""
        link, transport = self.connection.link, self.transport
        if link is not None:
            self._follow(link)
        elif self.ended_by is None and transport is not None and not transport.is_closing():
            try:
                self._all_is_sent()
            except Boom as boom:
                self.end(boom)

    def eof_received(self) -> bool:
        """The peer will send no more. Not returning True lets the transport send what it has, and close."""
        self.peer_has_ended = True
        link = self.connection.link
        if link is None or (link.holding is None and not link.held):
            return False
        self._follow(link)  # so that it is told when the fault lets go
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._wake_no_more()
        if self.deadline is not None:
            self.deadline.cancel()
        if error is not None:
            self.server.correct_sent(self.connection)
        elif self.buffered:
            self._count_written(0, cast(asyncio.Transport, self.transport))
        if self.ended_by is not None:
            outcome = outcome_of(self.ended_by)
        elif error is not None:
            outcome = describe(error)
        else:
            outcome = self.server.half_closed(self.connection)
        self.server.part(self.connection, outcome)

    def end(self, error: Exception, *, at_once: bool = False) -> None:
        """End the conversation: its handler raised, or somebody outside wants it to end."""
        if self.ended_by is None:
            self.ended_by = error
            if not isinstance(error, Interrupt | OSError):
                self.server.handler_failed(self.connection, error, outcome_of(error))
        if self.transport is not None:
            if at_once or isinstance(error, Interrupt):
                if self.buffered:
                    self._count_written(0, self.transport)
                    self.buffered = 0  # that is lost
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
