"""The traffic itself: what each connection says and when, and whether what comes back is right, and how late it is.

This runs for every message of a load, and has to cost less than what it measures: a client that is busy makes its own
messages wait, and tells of that as if it were the server's. Compiled where that is possible: see ``compiled.py``.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..native import clock, give, receive
from .histogram import Histogram

if TYPE_CHECKING:
    import socket

    from .polling import Poller

#: Seconds between two reports of how far it is.
TELL_EVERY = 0.25

IN, OUT = 1, 4  # EPOLLIN and EPOLLOUT
_OUT = OUT  # the same, as a number of C

_NANOSECONDS = 1e9


class Caller:
    """One connection, and what is on its way on it."""

    __slots__ = ("due", "fd", "heard", "in_flight", "left", "next_due", "said", "sent_at", "sock")

    def __init__(self, sock: "socket.socket", number: int, start: int) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.said = self.heard = start
        """Where on the tape the next bytes to be sent, and to be heard, stand."""
        self.left = 0
        """Bytes that should be sent and have not been taken by the socket."""
        self.in_flight = 0
        """Bytes that have not come back, those that are not sent yet included."""
        self.sent_at: deque[float] = deque()
        """When each message on its way was due, or sent, by `time.monotonic`, in seconds."""
        self.next_due = number
        """With a rate: the number of its next message, of all messages of all callers."""
        self.due = 0
        """With a rate: how many messages are due, but have to wait for answers."""


class Calling:
    """All connections of one client, and what has come back on them.

    Args:
        poller: tells which are ready.
        tape: what they say, one message after the other, over and over.
        expected: what comes back for it.
        period: after how many bytes both begin again.
        size: bytes of each message.
        pipelining: how many messages of a connection may be on their way.
    """

    __slots__ = (
        "callers",
        "expected",
        "latencies",
        "messages",
        "owed",
        "period",
        "pipelining",
        "poller",
        "size",
        "spin",
        "spun",
        "stop_at",
        "stopped",
        "tape",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - what it needs
        self, poller: "Poller", tape: bytes, expected: bytes, period: int, size: int, pipelining: int
    ) -> None:
        self.poller = poller
        self.tape = tape
        self.expected = expected
        self.period = period
        self.size = size
        self.pipelining = pipelining
        self.callers: dict[int, Caller] = {}
        """By their descriptor."""
        self.messages = 0
        """How many came back, every byte right."""
        self.latencies = Histogram()
        """How late each came, in nanoseconds."""
        self.owed = 0
        """Bytes that have not come back on any connection."""
        self.spin = 0.0
        """For how many seconds it spins, rather than sleeps: before a message is due, or flat out, after an answer."""
        self.spun = 0.0
        """For how long nothing was done but to look at the clock, in seconds."""
        self.stop_at = -1
        """The descriptor of whoever has started it: what can be read there means that they have had enough."""
        self.stopped = False
        """Whether whoever has started it has had enough."""

    def unexpected(self, caller: Caller, data: bytes) -> None:
        """Give up a connection on which something else came back than was expected."""
        raise NotImplementedError

    def failed(self, error: OSError, caller: Caller | None) -> None:
        """Note what the system has said, and give the connection up that it was about."""
        raise NotImplementedError


def flat_out(calling: Calling, end: float, tell: Callable[[int], None]) -> float:
    """Answer every answer with the next message, until a time. Return when it ended.

    `tell` is called now and then with how many messages came back.
    """
    ready: Any = calling.poller.ready
    now = clock()
    for caller in list(calling.callers.values()):
        say(calling, caller, now, calling.pipelining)
    tell_at = heard_at = now
    while now < end and calling.callers and not calling.stopped:
        spins = now - heard_at < calling.spin
        found = ready(0 if spins else min(TELL_EVERY, end - now))
        for fd, mask in found:
            heard = hear(calling, fd, mask)
            if heard is not None:
                room = calling.pipelining - len(heard.sent_at)
                if room > 0:
                    say(calling, heard, clock(), room)
        before, now = now, clock()
        if found:
            heard_at = now
        elif spins:
            calling.spun += now - before
        if now >= tell_at:
            tell(calling.messages)
            tell_at = now + TELL_EVERY
    return now


def by_the_clock(  # noqa: C901 - a call would be made for each message
    calling: Calling, began: float, end: float, interval: float, tell: Callable[[int], None]
) -> float:
    """Send each message when it is due, as far as pipelining allows; the others wait, and their clock runs.

    Return when it ended. The first one is due when it `began`; `tell` is called now and then with how many messages
    came back.
    """
    poller, everybody = calling.poller, list(calling.callers.values())
    ready: Any = poller.ready
    callers, many, most = calling.callers, len(everybody), calling.pipelining
    number, tell_at, now = 0, began, clock()
    while now < end and callers and not calling.stopped:
        due = int((now - began) / interval)
        while number <= due:
            caller = everybody[number % many]
            if caller.fd in callers:
                if caller.due or len(caller.sent_at) >= most:
                    caller.due += 1
                else:
                    caller.next_due += many
                    say(calling, caller, began + number * interval, 1)
            number += 1
        found = ready(0)
        if not found:
            before, now = now, clock()
            left = began + number * interval - now
            if left > calling.spin:
                poller.wait(max(min(TELL_EVERY, left - calling.spin, end - now), 0.0))
            elif left > 0:
                calling.spun += now - before
        for fd, mask in found:
            heard = hear(calling, fd, mask)
            while heard is not None and heard.due and len(heard.sent_at) < most and fd in callers:
                heard.due -= 1
                say(calling, heard, began + heard.next_due * interval, 1)
                heard.next_due += many
        now = clock()
        if now >= tell_at:
            tell(calling.messages)
            tell_at = now + TELL_EVERY
    return now


def say(calling: Calling, caller: Caller, when: float, messages: int) -> None:
    """Send the next messages; `when` is what their latency counts from."""
    size = messages * calling.size
    for _ in range(messages):
        caller.sent_at.append(when)
    caller.in_flight += size
    calling.owed += size
    waits = caller.left > 0
    caller.left += size
    if not waits:
        _send(calling, caller)


def _send(calling: Calling, caller: Caller) -> None:
    """Give the socket what it takes of what is left; the rest waits for room."""
    try:
        sent = give(caller.fd, calling.tape, caller.said, caller.left)
    except OSError as error:
        calling.failed(error, caller)
        return
    at = caller.said + sent
    caller.said = at if at < calling.period else at % calling.period
    caller.left -= sent
    if caller.left:
        calling.poller.want_room(caller.fd, True)


def hear(calling: Calling, fd: int, mask: int) -> Caller | None:
    """Hear what has come on a connection. Return whose it is; None if it is no more."""
    caller = calling.callers.get(fd)
    if caller is None:  # whoever started us, or one that has ended: a kqueue tells of one descriptor twice
        calling.stopped = calling.stopped or fd == calling.stop_at
        return None
    if mask & _OUT:
        calling.poller.want_room(fd, False)
        _send(calling, caller)
        if fd not in calling.callers:
            return None
    try:
        data = receive(fd)
    except OSError as error:
        calling.failed(error, caller)
        return None
    if data is None:
        return caller
    now = clock()
    size = len(data)
    if size > caller.in_flight or not size or not calling.expected.startswith(data, caller.heard):
        calling.unexpected(caller, data)
        return None
    at = caller.heard + size
    caller.heard = at if at < calling.period else at % calling.period
    calling.owed -= size
    caller.in_flight -= size
    waiting = (caller.in_flight + calling.size - 1) // calling.size
    while len(caller.sent_at) > waiting:
        calling.latencies.record(int((now - caller.sent_at.popleft()) * _NANOSECONDS))
        calling.messages += 1
    return caller
