"""What people who know other terminal apps press, and expect to see, over a real lab."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support import a_lab
from textual.pilot import Pilot

from echotui.server.lab import Lab
from echotui.tui.app import EchoApp


@asynccontextmanager
async def a_screen(lab: Lab, size: tuple[int, int] = (140, 45), **options: Any) -> AsyncIterator[tuple[Pilot[int], EchoApp]]:
    """Run the app over a lab, without a terminal."""
    app = EchoApp(lab, "a loop", **options)
    async with app.run_test(size=size) as pilot:
        app.view.repaint()
        yield pilot, app


async def test_the_palette_offers_nothing_that_no_key_takes_back() -> None:
    async with a_lab() as lab, a_screen(lab) as (_, app):
        offered = [command.title for command in app.get_system_commands(app.screen)]
        assert {"Quit", "Theme"} < set(offered)
        assert not {"Maximize", "Minimize", "Keys", "Screenshot"} & set(offered)
        assert len(offered) == len(set(offered))
        await app.run_action("screen.maximize")
        assert app.screen.maximized is None
