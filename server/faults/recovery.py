"""Whether everything serves again: found out by asking, with a connection to every server that should."""

import asyncio
import socket
from collections.abc import Iterable
from time import monotonic

from ..naming import address, family_of, own_address
from ..records import ServerRecord
from ..servers.books import Desk

#: How long one probe may take, in seconds.
PROBE_TIME = 1.0

#: How long to wait before the next probe of a server that has not answered, in seconds.
PAUSE = 0.05

#: After how many seconds a server is given up.
PATIENCE = 30.0

#: What a probe says. The streams server answers in upper case, and blocking ones line by line.
LINE = b"ARE YOU THERE?\r\n"


async def until_all_answer(desk: Desk, servers: Iterable[ServerRecord]) -> tuple[float, list[str]]:
    """Probe servers until each has answered, or `PATIENCE` is over.

    Returns:
        After how many seconds the last one answered, and the names of those that have not.
    """
    loop = asyncio.get_running_loop()
    began = monotonic()
    waiting = list(servers)
    while waiting:
        probes = [loop.create_task(_answers(desk, server), name=f"probe-of-{server.name}") for server in waiting]
        answered = await asyncio.gather(*probes)
        took = monotonic() - began
        waiting = [server for server, yes in zip(waiting, answered, strict=True) if not yes]
        if not waiting or took > PATIENCE:
            return took, [server.name for server in waiting]
        await asyncio.sleep(PAUSE)
    return monotonic() - began, []


async def _answers(desk: Desk, server: ServerRecord) -> bool:
    """Whether a server answers a line within `PROBE_TIME`."""
    loop = asyncio.get_running_loop()
    peer = ""
    try:
        with socket.socket(family_of(server.host), socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            sock.bind((own_address(server.host), 0))
            peer = address(sock.getsockname())
            desk.built_in_peers.add(peer)
            async with asyncio.timeout(PROBE_TIME):
                await loop.sock_connect(sock, (server.host, server.port))
                await loop.sock_sendall(sock, LINE)
                heard = b""
                while len(heard) < len(LINE):
                    more = await loop.sock_recv(sock, len(LINE) - len(heard))
                    if not more:
                        return False
                    heard += more
            return heard == LINE
    except OSError:  # also the timeout: whatever it is, the server does not answer
        return False
    finally:
        desk.built_in_peers.discard(peer)
