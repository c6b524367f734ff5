"""The conversation every server holds, without any I/O.

Bytes in, bytes out. This file imports no socket, no loop and no screen: the servers beside it differ
only in how they *wait* for the bytes they hand in here.

What is promised:

* Whatever arrives is answered at once with the same bytes; nothing is held back until a line is whole.
* A line that is exactly ``boom``, ended by CRLF or LF, in one segment or split over several, makes the
  conversation `boomed`: the server's handler then raises `Boom`. What came before that line in the same
  segment is answered first; the rest of the line, and all that follows it, is not answered.
* Six bytes are remembered, however long a line gets.

A server that answers line by line hands in whole lines, with their ends: from a stream's ``readline``, or from
`Lines`. What has no end when the peer closes is answered too.
"""

import re
from collections.abc import Iterator

from .native import holds

#: An ended line that holds nothing but the word. The newline before it is part of the pattern:
#: `Conversation` starts as if one had just been read.
_BOOM_LINE = re.compile(rb"\nboom\r?\n")

#: What is remembered of a peer that has just ended a line: this very object, so that who asks need not compare.
_NEW_LINE = b"\n"
_END = _NEW_LINE[0]

_WORD = b"boom"

#: The longest unfinished text that may still become a `_BOOM_LINE`: ``\nboom\r``.
_LONGEST_START = len(b"\nboom\r")

#: The longest line that a server answers that answers line by line, in bytes, without its end.
LONGEST_LINE = 64 * 1024


class Boom(Exception):
    """What a handler raises when its peer says *boom*, or the person at the keyboard says it for the peer."""

    def __init__(self) -> None:
        super().__init__("Unexpected network error")


class LineTooLong(Exception):
    """A line has become longer than a server keeps."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"line too long: more than {limit:,} B without an end")


class Lines:
    """Makes whole lines of pieces, for a server that answers line by line.

    Args:
        limit: how many bytes of an unfinished line are kept.
    """

    __slots__ = ("_limit", "_unfinished")

    def __init__(self, limit: int = LONGEST_LINE) -> None:
        self._limit = limit
        self._unfinished = bytearray()

    def receive(self, piece: bytes) -> Iterator[bytes]:
        """Yield the lines that this piece makes whole, with their ends.

        Raises:
            LineTooLong: once a line is longer than the limit, whole or not.
        """
        *ends, begin = piece.split(b"\n")
        for end in ends:
            self._add(end)
            line = bytes(self._unfinished) + b"\n"
            self._unfinished.clear()
            yield line
        self._add(begin)

    def finish(self) -> bytes:
        """Return what was left without an end when the peer closed."""
        return bytes(self._unfinished)

    def _add(self, text: bytes) -> None:
        self._unfinished += text
        if len(self._unfinished) > self._limit:
            raise LineTooLong(self._limit)


class Conversation:
    """One peer's conversation: an echo that fails at the word *boom*."""

    __slots__ = ("_recent", "boomed")

    def __init__(self) -> None:
        self.boomed = False
        """Whether the peer has said boom. It stays true: a conversation does not recover."""
        self._recent = _NEW_LINE

    def receive(self, data: bytes) -> bytes:
        """Take the bytes of one read; return the bytes to send back, in order.

        Look at `boomed` afterwards: if it is true the answer is the last one, and the handler has to
        raise `Boom` once the answer is sent. After that nothing is answered any more.
        """
        recent = self._recent
        # The common case first: a segment that ends its line and does not hold the word cannot end a
        # boom line, unless the word began in an earlier segment.
        if recent is _NEW_LINE and data and data[-1] == _END and not holds(data, _WORD):
            return data
        if self.boomed:
            return b""
        stream = recent + data
        found = _BOOM_LINE.search(stream)
        if found is None:
            self._recent = _NEW_LINE if stream[-1:] == b"\n" else stream[-_LONGEST_START:]
            return data
        self.boomed = True
        self._recent = b""
        line_starts_at = found.start() + 1 - len(recent)
        return data[: max(line_starts_at, 0)]
