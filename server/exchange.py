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


class Exchange(Conversation):
    """A conversation whose reads and answers are counted.

    Args:
        tally: counts them.
        connection: whose they are.
        upper: whether the answers are in upper case.
    """

    __slots__ = ("_reads_then", "_times", "answer", "connection", "tally", "upper")

    def __init__(self, tally: Tally, connection: "Connection", *, upper: bool = False) -> None:
        super().__init__()
        self.tally = tally
        self.connection = connection
        self.upper = upper
        self.answer = b""
        """The latest answer, until it is sent."""
        self._times = 0
        self._reads_then = 0

    def take(self, data: bytes) -> bool:
        """Count what was read and find the answer. Return whether it is to be sent at once: no fault bears on it."""
        self.tally.received(self.connection, data)
        return self.converse(data)

    def converse(self, data: bytes) -> bool:
        """Do the same for what is counted already."""
        self._times += 1
        answer = self.receive(data)
        self.answer = answer.upper() if self.upper else answer
        return len(answer) > 0 and self.connection.link is None

    def begin_to_send(self) -> bytes:
        """Note that the answer is being sent, and return it."""
        self.connection.unsent = len(self.answer)
        return self.answer

    def is_sent(self) -> None:
        """Count that it is; no error if it was cut off meanwhile, and counted."""
        if self.connection.unsent:
            self.tally.sent(self.connection, len(self.answer))
        self.answer = b""

    @property
    def unusual(self) -> bool:
        """Whether there is more to do before the next read: for a fault or a boom, or it may be time for others."""
        return self.connection.link is not None or self.boomed or self._times % FAIR_SHARE == 0

    def has_had_its_share(self, reads: int) -> bool:
        """Whether it is time for others.

        After every `FAIR_SHARE` answers, if the server has read just so many times meanwhile: nobody else had a turn.
        """
        if self._times % FAIR_SHARE:
            return False
        then, self._reads_then = self._reads_then, self.tally.totals.reads
        return self._reads_then - then == reads
