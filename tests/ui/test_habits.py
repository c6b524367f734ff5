"""What people who know other terminal apps press, and expect to see, over a real lab."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support import SELECTORS, SOCKETS, a_lab, happens
from textual.pilot import Pilot

from echotui.server import events
from echotui.server.lab import Lab
from echotui.server.records import ServerState
from echotui.tui.app import EchoApp
from echotui.tui.keys import Keymap
from echotui.tui.widgets.keys import Keys


@asynccontextmanager
async def a_screen(
    lab: Lab, size: tuple[int, int] = (140, 45), **options: Any
) -> AsyncIterator[tuple[Pilot[int], EchoApp]]:
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


def said(app: EchoApp) -> list[str]:
    """Return what the app has said in notifications."""
    return [note.message for note in app._notifications]


async def test_r_says_what_starts_what_somebody_has_stopped_and_starts_what_a_signal_has() -> None:
    async with a_lab(SOCKETS, SELECTORS) as lab, a_screen(lab) as (pilot, app):
        await lab.stop_server("sockets")
        await pilot.press("r")
        assert said(app) == ["there is nothing to start again; t starts sockets"]
        await lab.stop(drain=0)
        before = lab.journal.recorded
        await pilot.press("r")
        await happens(lab, events.Listening, after=before, server="selectors")
        assert lab.servers["sockets"].record.state is ServerState.STOPPED


async def test_with_every_server_stopped_by_hand_the_header_names_the_key_that_starts_one() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app):
        await lab.stop_server("sockets")
        app.view.repaint()
        assert "t starts one" in app.view.header.render_line(0).text


async def test_undoing_all_faults_where_there_are_none_says_so() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await pilot.press("4", "Z")
        assert said(app) == ["no fault is active"]


async def test_the_footer_names_an_action_once_however_many_keys_it_has() -> None:
    keymap = Keymap({"app.boom": ("f5", "B")})
    async with a_lab(SOCKETS) as lab, a_screen(lab, keymap=keymap) as (pilot, app):
        await pilot.pause()
        footer = app.screen.query_one(Keys)
        footer.repaint()
        assert footer.render_line(0).text.count("boom") == 1
        assert "f5 boom" in footer.render_line(0).text
