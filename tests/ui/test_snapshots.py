"""Every view as a picture, wide, small and smallest, from data that stand still."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support import PATIENCE
from support_picture import a_picture
from textual.pilot import Pilot

from echotui.server.lab import Lab
from echotui.server.records import ServerState
from echotui.server.settings import Settings
from echotui.tui.app import EchoApp
from echotui.tui.links import Kind, Thing
from echotui.tui.views.tasks import TasksView
from echotui.tui.widgets.lines import LiveLines

sizes = pytest.mark.parametrize("size", [(140, 45), (80, 24), (60, 20)], ids=["wide", "small", "smallest"])


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def drawn(pilot: Pilot[Any], pane: LiveLines) -> None:
    """Wait until a pane that may have been hidden is laid out, and its lines and its frame are drawn."""
    async with asyncio.timeout(PATIENCE):
        while not (pane.content_size and pane._lines):
            await pilot.pause()
    app = pilot.app
    assert isinstance(app, EchoApp)
    app.view.repaint()  # what stands in the frames of those that had to make room
    await pilot.pause()


def an_app(**picture: int) -> EchoApp:
    return EchoApp(Lab(Settings()), "asyncio · epoll", picture=a_picture(**picture))


@sizes
def test_live(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(an_app(), terminal_size=size)


@sizes
def test_live_with_ten_thousand_connections(snap_compare: Any, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, EchoApp)
        await drawn(pilot, app.live.connections.table)  # how much a page is depends on it
        await pilot.press("pagedown")
        await drawn(pilot, app.live.connections.table)

    assert snap_compare(an_app(connections=10_000), run_before=look, terminal_size=size)


@sizes
def test_live_with_the_connection_that_does_not_read(snap_compare: Any, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, EchoApp)
        await pilot.pause()
        app.live.connections.table.select(2)
        if size[0] < 100:
            await pilot.press("enter")  # where there is room its detail is there already
        await drawn(pilot, app.live.detail)

    assert snap_compare(an_app(), run_before=look, terminal_size=size)


@sizes
def test_live_filtered(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(an_app(), press=["slash", *"sockets"], terminal_size=size)


@sizes
def test_live_paused(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(an_app(), press=["space"], terminal_size=size)


@sizes
def test_help(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(an_app(), press=["question_mark"], terminal_size=size)


@sizes
def test_the_question_before_a_signal(snap_compare: Any, size: tuple[int, int]) -> None:
    app = an_app()
    app.lab.records[0].state = ServerState.SERVING  # it is that of the picture that serves
    assert snap_compare(app, press=["s"], terminal_size=size)


@sizes
@pytest.mark.parametrize("key", ["2", "3", "4", "5", "6"])
def test_the_other_views(snap_compare: Any, size: tuple[int, int], key: str) -> None:
    assert snap_compare(an_app(), press=[key], terminal_size=size)


@sizes
def test_a_cancelled_task_in_detail(snap_compare: Any, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, EchoApp)
        # Where there is room the detail is there already, and enter would follow the task's links.
        await pilot.press("3", "down", *(["enter"] if size[0] < 100 else []))
        view = app.view
        assert isinstance(view, TasksView)
        await drawn(pilot, view.detail)

    assert snap_compare(an_app(), run_before=look, terminal_size=size)


@sizes
def test_the_form_that_injects_a_fault(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(an_app(), press=["4", *["down"] * 10, "enter"], terminal_size=size)


@sizes
@pytest.mark.parametrize("key", ["1", "2"])
def test_the_charts(snap_compare: Any, size: tuple[int, int], key: str) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        await pilot.press(key, "c")
        await pilot.pause()
        app = pilot.app
        assert isinstance(app, EchoApp)
        app.view.repaint()

    assert snap_compare(an_app(), run_before=look, terminal_size=size)


@sizes
def test_where_a_connection_leads(snap_compare: Any, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, EchoApp)
        await pilot.pause()
        app.live.connections.table.select(5)
        await pilot.press("enter")
        if size[0] < 100:
            await pilot.press("enter")  # the first has shown the detail

    assert snap_compare(an_app(), run_before=look, terminal_size=size)


@sizes
def test_a_task_that_was_reached_by_a_link(snap_compare: Any, size: tuple[int, int]) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, EchoApp)
        await pilot.pause()
        await app.navigator.go(Thing(Kind.TASK, 3))

    assert snap_compare(an_app(), run_before=look, terminal_size=size)
