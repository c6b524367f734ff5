"""What the system knows of a TCP connection, where it tells (Linux: ``getsockopt(TCP_INFO)``); how to reset one."""

import contextlib
import socket
import struct
import sys

from .value import value

#: The names of the states, by their number in ``linux/tcp_states.h``.
_STATES = {
    1: "ESTABLISHED",
    2: "SYN-SENT",
    3: "SYN-RECV",
    4: "FIN-WAIT-1",
    5: "FIN-WAIT-2",
    6: "TIME-WAIT",
    7: "CLOSED",
    8: "CLOSE-WAIT",
    9: "LAST-ACK",
    10: "LISTEN",
    11: "CLOSING",
}

#: Where fields stand in ``struct tcp_info``: after 8 bytes of flags come numbers of 32 bits.
_UNACKED_AT = 8 + 4 * 4
_LAST_DATA_SENT_AT = 8 + 9 * 4
_RTT_AT = 8 + 15 * 4

#: Where ``tcpi_bytes_acked`` stands, of 64 bits: after 24 numbers of 32 bits and two of 64.
_ACKED_AT = 8 + 24 * 4 + 2 * 8

#: How often it is tried to read two numbers that belong together.
_TRIES = 10

_LISTEN = 10

#: Closing a socket that lingers for no time at all resets the connection.
_NO_LINGER = struct.pack("ii", 1, 0)


@value
class TcpInfo:
    """One connection, as the system sees it."""

    state: str
    rtt: float
    """Smoothed round-trip time, in seconds."""
    unread: int
    """Bytes that have come in and that nobody has read."""


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Return what the system knows of this connection; None where it does not tell, or the socket is closed."""
    raw = _raw(sock)
    if raw is None:
        return None
    try:
        unread = _unread(sock)
    except (OSError, ValueError):  # it was closed meanwhile, by the thread that serves it
        return None
    return TcpInfo(_STATES.get(raw[0], f"state {raw[0]}"), _field(raw, _RTT_AT) / 1e6, unread)


def waited_in_queue(sock: socket.socket) -> float | None:
    """Return how many seconds a socket that was accepted just now had waited for it; None where nobody knows.

    The system notes when it last sent data, and begins that note when the connection is made. A server that has not
    said anything yet reads from it how long ago that was, in milliseconds, to a tick of the system's clock.
    """
    raw = _raw(sock)
    return None if raw is None else _field(raw, _LAST_DATA_SENT_AT) / 1e3


def bytes_taken(sock: socket.socket) -> int | None:
    """Return how many bytes the system has taken from an accepted socket to send, ever; None where nobody knows.

    Those its peer has acknowledged, and those that still wait for that. Only as long as the socket was not shut down:
    what ends the stream counts as a byte.
    """
    with contextlib.suppress(OSError, ValueError):
        for _ in range(_TRIES):  # an acknowledgement may come in between
            acked = bytes_arrived(sock)
            if acked is None:
                return None
            waiting = _unsent(sock)
            if bytes_arrived(sock) == acked:
                return acked + waiting
    return None


def queue_length(listener: socket.socket) -> int | None:
    """Return how many peers wait to be accepted by this listening socket; None where the system does not tell."""
    raw = _raw(listener)
    # For a listening socket the system puts the length of its queue where a connection has its unacknowledged data.
    return _field(raw, _UNACKED_AT) if raw is not None and raw[0] == _LISTEN else None


def bytes_arrived(sock: socket.socket) -> int | None:
    """Return how many bytes its peer's system has acknowledged, ever; None where nobody knows.

    Only as long as the socket was not shut down: what ends the stream counts as a byte.
    """
    raw = _raw(sock, _ACKED_AT + 8)
    if raw is None or len(raw) < _ACKED_AT + 8:
        return None
    (value,) = struct.unpack_from("=Q", raw, _ACKED_AT)
    return int(value)


def _unread(sock: socket.socket) -> int:
    from termios import FIONREAD

    return _asked(sock, FIONREAD)


def _unsent(sock: socket.socket) -> int:
    from termios import TIOCOUTQ

    return _asked(sock, TIOCOUTQ)


def _asked(sock: socket.socket, what: int) -> int:
    # Not on every system, as what is asked with it, and so not at the top.
    from fcntl import ioctl

    (size,) = struct.unpack("=i", ioctl(sock, what, bytes(4)))
    return int(size)


def _raw(sock: socket.socket, size: int = _RTT_AT + 4) -> bytes | None:
    option = getattr(socket, "TCP_INFO", None)
    if option is None or sys.platform != "linux":
        return None
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, option, size)
    except OSError:
        return None
    return raw if len(raw) >= _RTT_AT + 4 else None


def _field(raw: bytes, at: int) -> int:
    (value,) = struct.unpack_from("=I", raw, at)
    return int(value)


def reset_when_closed(sock: socket.socket) -> None:
    """Have the peer get an RST once this socket is closed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def close_with_reset(sock: socket.socket) -> None:
    """Close a socket so that its peer gets an RST."""
    reset_when_closed(sock)
    sock.close()
