"""Makes the README's pictures: the app itself, over a real lab, with real clients. Run it from the top folder.

python tests/pictures.py
"""

import asyncio
import contextlib
import random
import signal
import socket
from pathlib import Path

from textual.pilot import Pilot

from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.loops import new_event_loop
from echotui.server.records import Treatment
from echotui.server.settings import Settings
from echotui.tui.app import EchoApp
from echotui.tui.run import describe_loop
from echotui.tui.views.tasks import TasksView

PICTURES = Path(__file__).parent.parent / "tui" / "pictures"

#: For how many seconds the clients talk before the picture is taken.
SECONDS = 14


async def chatter(port: int, seed: int) -> None:
    """Say something now and then, and read what comes back."""
    chance = random.Random(seed)
    with contextlib.suppress(OSError, EOFError):
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
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(sock, b"does anybody hear me? I do not listen\r\n" * 100)


async def say(port: int, words: bytes) -> None:
    """Say one thing and wait for the end."""
    with contextlib.suppress(OSError, EOFError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(words)
        await reader.read()
        writer.close()


async def pictures() -> None:
    """Take a picture of every view."""
    async with Lab(Settings(drain=2.0), Journal(detail_rate=12), signals=True) as lab:
        app = EchoApp(lab, describe_loop())
        async with app.run_test(size=(132, 40)) as pilot, asyncio.TaskGroup() as clients:
            running = [clients.create_task(chatter(8000 + (0, 1, 3)[seed % 3], seed)) for seed in range(9)]
            running.append(clients.create_task(deaf(8000)))
            lab.chat("streams")
            lab.treat(Treatment.UNRETRIEVED)
            await asyncio.sleep(SECONDS - 0.6)
            running += [
                clients.create_task(say(8001, b"all is well\r\nboom\r\n")),
                clients.create_task(say(8000, b"\x1b]0;owned\x07\x1b[2J[/b] hostile text is only text\r\nboom\r\n")),
            ]
            app.simulate_key("1")  # not by the pilot: that waits by tasks that it cancels, and they would be seen
            await asyncio.sleep(0.6)
            keep(app, "live")
            await take(app, pilot, "2", "loop")
            lab.interrupt(next(one.id for one in lab.connections.open.values() if one.server == "sockets"))
            lab.faults.inject("latency", "sockets", {"ms": 40.0}, toxicity=0.5)
            lab.faults.inject("block", None, {"ms": 300.0})
            await asyncio.sleep(2)
            await take(app, pilot, "4", "faults")
            await take(app, pilot, "6", "problems")
            app.view.repaint()
            await pilot.press("3", "slash", *"owner:server", "enter")
            tasks = app.views["3"]
            assert isinstance(tasks, TasksView)
            tasks.tasks.table.select(next(row.id for row in tasks.tasks.table.rows if row.cancellations))
            await take(app, pilot, "3", "tasks")
            lab.send_signal(signal.SIGTERM)
            await asyncio.sleep(3)
            await take(app, pilot, "5", "shutdown", "l", *["down"] * 6)
            for client in running:
                client.cancel()


async def take(app: EchoApp, pilot: Pilot[int], key: str, name: str, *then: str) -> None:
    """Look at a view, press some keys there, and keep what it shows."""
    await pilot.press(key)
    await pilot.pause()
    await pilot.press(*then)
    app.view.repaint()
    await pilot.pause()
    keep(app, name)


def keep(app: EchoApp, name: str) -> None:
    """Keep what is on the screen."""
    (PICTURES / f"{name}.svg").write_text(app.export_screenshot(title=f"echotui · {name}"))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=lambda: new_event_loop("asyncio")) as runner:
        runner.run(pictures())
