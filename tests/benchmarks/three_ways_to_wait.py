"""What waiting costs, and whom: A3 (blocking), A4 (polling) and A5 (selectors), measured in one run.

    python tests/benchmarks/three_ways_to_wait.py [asyncio|uvloop]

CPU is asked for twice: of the server's own record, and of the system, per thread. Both are shares of one core.
"""

import asyncio
import os
import socket
import sys
import threading
from time import monotonic, process_time

import psutil

from echotui.server import events
from echotui.server.journal import Entry, Journal
from echotui.server.lab import Lab
from echotui.server.loops import LOOP_KINDS, new_event_loop
from echotui.server.naming import address
from echotui.server.settings import Settings

#: For how long each is measured, and the first client of A3 is silent, in seconds.
SECONDS = 2.0


async def main() -> None:
    """Measure, and print."""
    async with Lab(Settings(port=0, drain=0), Journal(detail_rate=0)) as lab:
        print(f"Python {sys.version.split()[0]}, {type(asyncio.get_running_loop()).__module__}, {os.cpu_count()} cores")
        used, own = await _cost(lab, "selectors", threading.main_thread().native_id)
        print(f"A5 selectors, waiting  {own:6.1%} of a core by its record, {used:6.1%} of its thread, the app's own")
        await lab.start_server("polling")
        used, own = await _cost(lab, "polling", _thread("echotui-polling"))
        print(f"A4 polling, waiting    {own:6.1%} of a core by its record, {used:6.1%} of its thread")
        await _stop(lab, "polling")
        await lab.start_server("blocking")
        used, own = await _cost(lab, "blocking", _thread("echotui-blocking"))
        print(f"A3 blocking, waiting   {own:6.1%} of a core by its record, {used:6.1%} of its thread")
        await _second_client(lab)
        await _stop(lab, "blocking", "while it accepts")
        await lab.start_server("blocking")
        with await _connect(lab, "blocking") as client:
            await _accepted(lab, client)
            await _stop(lab, "blocking", "while it receives")


async def _cost(lab: Lab, server: str, thread: int | None) -> tuple[float, float]:
    """Return what a waiting server takes of a core: by the system's account of its thread, and by its own."""
    record, began = lab.servers[server].record, monotonic()
    used, own, before = _cpu_of(thread), record.busy or 0.0, process_time()
    await asyncio.sleep(SECONDS)
    seconds = monotonic() - began
    print(f"   the whole process   {(process_time() - before) / seconds:6.1%}")
    return (_cpu_of(thread) - used) / seconds, ((record.busy or 0.0) - own) / seconds


def _cpu_of(thread: int | None) -> float:
    return next(times.user_time + times.system_time for times in psutil.Process().threads() if times.id == thread)


def _thread(name: str) -> int | None:
    return next(thread.native_id for thread in threading.enumerate() if thread.name == name)


async def _second_client(lab: Lab) -> None:
    """Let a first client be silent, and a second one wait for it."""
    loop = asyncio.get_running_loop()
    with await _connect(lab, "blocking") as first:
        await _accepted(lab, first)
        with await _connect(lab, "blocking") as second:
            since = monotonic()
            await loop.sock_sendall(second, b"me too\r\n")
            await asyncio.sleep(SECONDS)
            first.close()
            silence = monotonic() - since
            await loop.sock_recv(second, 100)
            answered = monotonic() - since
            connection = lab.connections.get(await _accepted(lab, second))
            waited = connection.waited if connection is not None else None
    print(f"A3 second client       answered after {answered:.3f} s; the first was silent for {silence:.3f} s; ", end="")
    print(f"it had waited to be accepted {waited} s, as the system tells")


async def _stop(lab: Lab, server: str, doing: str = "while it spins") -> None:
    began = monotonic()
    await lab.stop_server(server)
    print(f"   {server} stopped {doing}: after {(monotonic() - began) * 1000:.1f} ms")


async def _connect(lab: Lab, server: str) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", lab.servers[server].record.port))
    return sock


async def _accepted(lab: Lab, client: socket.socket) -> int:
    """Return the id of the connection this client has, as soon as it is accepted."""
    found: asyncio.Queue[int] = asyncio.Queue()

    def look(entry: Entry) -> None:
        if isinstance(entry.event, events.Accepted) and entry.event.peer == address(client.getsockname()):
            found.put_nowait(entry.event.connection)

    for entry in lab.journal.since(0):
        look(entry)
    lab.journal.subscribe(look)
    try:
        return await found.get()
    finally:
        lab.journal.unsubscribe(look)


if __name__ == "__main__":
    kind = next((kind for kind in LOOP_KINDS if kind in sys.argv[1:]), LOOP_KINDS[0])
    with asyncio.Runner(loop_factory=lambda: new_event_loop(kind)) as runner:
        runner.run(main())
