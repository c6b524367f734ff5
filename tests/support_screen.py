"""The app without a terminal, driven with Textual's Pilot over a real lab."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from support import PATIENCE
from textual.pilot import Pilot

from echotui.server.lab import Lab
from echotui.tui.app import EchoApp
from echotui.tui.widgets.lines import LiveLines


@asynccontextmanager
async def a_screen(
    lab: Lab, size: tuple[int, int] = (140, 45), **options: Any
) -> AsyncIterator[tuple[Pilot[int], EchoApp]]:
    """Run the app over a lab, without a terminal."""
    app = EchoApp(lab, "a loop", **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        app.view.repaint()
        yield pilot, app


async def until(what: Callable[[], bool]) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - the screen tells nobody
            await asyncio.sleep(0)


async def look_at(pilot: Pilot[int], app: EchoApp, key: str) -> Any:
    """Go to a view by its key, and draw it."""
    await pilot.press(key)
    view = app.views[key]
    await until(lambda: app.screen_stack[-1:] == [view] and view.is_mounted)
    view.repaint()
    await pilot.pause()
    return view


def text_of(lines: LiveLines) -> str:
    """Return what stands in a widget."""
    width, height = lines.content_size
    return "\n".join(strip.text for strip in lines.lines(width, height))


def said(app: EchoApp) -> list[str]:
    """Return what the app has said in notifications."""
    return [note.message for note in app._notifications]
