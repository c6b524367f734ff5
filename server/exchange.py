"""The conversation with one peer, and the counting of it, in one: for the servers whose every message costs.

Compiled where that is possible, as ``counting.py`` is.
"""

from typing import TYPE_CHECKING

from .conversation import Conversation
from .counting import Tally

if TYPE_CHECKING:
    from .records import Connection

#: After how many answers in a row who serves a connection lets the others run: who awaits data that is there, or room
#: that is there, is not suspended, so a fast peer would have the loop for itself.
FAIR_SHARE = 16
_FAIR_SHARE = FAIR_SHARE  # the same, as a number of C


class Exchange(Conversation):
    """A conversation whose reads and answers are counted.

    Args:
        tally: counts them.
        connection: whose they are.
        upper: whether the answers are in upper case.
        awaits: whether who serves it awaits that an answer is sent: until then it is unsent.
    """

    __slots__ = ("_reads_then", "_times", "answer", "awaits", "connection", "tally", "upper")

    def __init__(self, tally: Tally, connection: "Connection", *, upper: bool = False, awaits: bool = True) -> None:
        super().__init__()
        self.tally = tally
        self.connection = connection
        self.upper = upper
        self.awaits = awaits
        self.answer = b""
        """The latest answer, where it was not returned to be sent at once."""
        self._times = 0
        self._reads_then = tally.totals.reads

    def take(self, data: bytes) -> bytes:
        """Count what was read. Return what is to be sent at once; nothing if a fault has a say in that."""
        self.tally.received(self.connection, data)
        return self.converse(data)

    def converse(self, data: bytes) -> bytes:
        """Return the same for what is counted already."""
        connection = self.connection
        self._times += 1
        answer = self.receive(data)
        if self.upper:
            answer = answer.upper()
        if connection.link is not None or connection.has_to_boom:
            self.answer = answer
            return b""
        self.answer = b""
        if self.awaits:
            connection.unsent = len(answer)
        return answer

    def settle(self) -> bool:
        """Count as sent what `take` or `converse` has returned, unless it was cut off meanwhile, and counted.

        Return whether there is more to do before the next read: for a fault or a boom, or it may be time for others.
        """
        connection = self.connection
        if connection.unsent:
            self.tally.sent(connection, connection.unsent)
        return connection.link is not None or self.boomed or connection.has_to_boom or self._times % _FAIR_SHARE == 0

    def is_sent(self, size: int) -> bool:
        """Count what was written as sent, unless some of it is unsent.

        Return whether there is no more to do: all is sent, and its peer has not said boom.
        """
        if self.connection.unsent:
            return False
        self.tally.sent(self.connection, size)
        return not self.boomed

    def has_had_its_share(self, reads: int) -> bool:
        """Whether it is time for others.

        After every `FAIR_SHARE` answers, if the server has read just so many times meanwhile: nobody else had a turn.
        """
        if self._times % _FAIR_SHARE:
            return False
        then, self._reads_then = self._reads_then, self.tally.totals.reads
        return self._reads_then - then == reads
