"""Makes the README's pictures: the app itself, over a real lab, with real clients. Run it from the top folder.

python tests/pictures.py
"""

import asyncio
import contextlib
import random
import socket
from pathlib import Path

from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.loops import new_event_loop
from echotui.server.records import Treatment
from echotui.server.settings import Settings
from echotui.tui.app import EchoApp
from echotui.tui.run import describe_loop

PICTURES = Path(__file__).parent.parent / "tui" / "pictures"

#: For how many seconds the clients talk before the picture is taken.
SECONDS = 14


async def chatter(port: int, seed: int) -> None:
    """Say something now and then, and read what comes back."""
    chance = random.Random(seed)
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = 0
        while True:
            number += 1
            line = f"line {number} of client {seed}\r\n".encode() * chance.randint(1, 4)
            writer.write(line)
            await reader.readexactly(len(line))
            await asyncio.sleep(chance.random() * 0.2 / (1 + number % 7))


async def deaf(port: int) -> None:
    """Say much, and never read."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(sock, b"does anybody hear me? I do not listen\r\n" * 100)


async def say(port: int, words: bytes) -> None:
    """Say one thing and wait for the end."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(words)
        await reader.read()
        writer.close()


async def live() -> None:
    """Take the picture of the Live view."""
    async with Lab(Settings(), Journal(detail_rate=12)) as lab:
        app = EchoApp(lab, describe_loop())
        async with app.run_test(size=(132, 38)) as pilot:
            clients = asyncio.TaskGroup()
            async with clients:
                running = [clients.create_task(chatter(8000 + seed % 2, seed)) for seed in range(9)]
                running.append(clients.create_task(deaf(8000)))
                lab.chat("sockets")
                lab.treat(Treatment.UNRETRIEVED)
                await asyncio.sleep(SECONDS - 0.6)
                running += [
                    clients.create_task(say(8001, b"all is well\r\nboom\r\n")),
                    clients.create_task(
                        say(8000, b"\x1b]0;owned\x07\x1b[2J[/b] hostile text is only text\r\nboom\r\n")
                    ),
                ]
                await asyncio.sleep(0.6)
                app.live.repaint()
                app.live.connections.table.select(10)
                await pilot.pause()
                (PICTURES / "live.svg").write_text(app.export_screenshot(title="echotui"))
                for client in running:
                    client.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=lambda: new_event_loop("asyncio")) as runner:
        runner.run(live())
