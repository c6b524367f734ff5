"""What a lab is told at its start: which servers, where, and their time limits. All times are in seconds."""

from dataclasses import dataclass

#: The servers by name, in the order of their ports: a server listens on the base port plus its index.
SERVER_NAMES = ("selectors", "sockets", "streams", "protocol", "polling", "blocking")

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

#: The highest port there is.
MAX_PORT = 65_535


def port_of(server: str, base: int) -> int:
    """Return the port of a server; 0, which lets the system pick one, stays 0.

    Raises:
        ValueError: if there is no server of that name.
    """
    return base and base + SERVER_NAMES.index(server)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a lab is told at its start."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    """The base port; 0 lets the system pick each."""
    servers: tuple[str, ...] | None = None
    """Which servers there are, all of them started; None for every one there is, and those that take a thread of
    their own are not started before somebody asks for them."""
    select_timeout: float = 1.0
    """How long the `selectors` server waits before it says "no events"."""
    idle_timeout: float | None = None
    """After how long without a word a connection is closed; None for never."""
    drain: float = 5.0
    """How long open connections have to finish when the servers stop."""
    blocking_receive: int = 2
    """How many bytes the `blocking` server asks for in one read."""
    blocking_clients: int | None = None
    """After how many clients, one after the other, the `blocking` server is done; None for never."""
