"""What the system knows of a TCP connection, where it tells: Linux, by ``getsockopt(TCP_INFO)``."""

import socket
import struct
from dataclasses import dataclass

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

#: Where ``tcpi_rtt`` stands in ``struct tcp_info``: after 8 bytes of flags, 15 numbers of 32 bits come before it.
_RTT_AT = 8 + 15 * 4


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """One connection, as the system sees it."""

    state: str
    rtt: float
    """Smoothed round-trip time, in seconds."""


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Return what the system knows of this connection; None where it does not tell, or the socket is closed."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        return None
    try:
        raw = sock.getsockopt(socket.IPPROTO_TCP, option, 104)
    except OSError:
        return None
    if len(raw) < _RTT_AT + 4:
        return None
    (rtt,) = struct.unpack_from("=I", raw, _RTT_AT)
    return TcpInfo(_STATES.get(raw[0], f"state {raw[0]}"), rtt / 1e6)
