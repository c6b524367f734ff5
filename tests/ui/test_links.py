"""From one thing to those it is connected with, and back, over a real lab on a loop that is really observed."""

from contextlib import AsyncExitStack
from typing import Any

from support import PROTOCOL, SOCKETS, Peer, a_lab, a_peer, happens
from support_screen import a_screen, look_at, said, until
from textual.pilot import Pilot

from echotui.server import events
from echotui.server.observe.events import Complained
from echotui.server.records import Treatment
from echotui.tui.app import EchoApp
from echotui.tui.chooser import Chooser
from echotui.tui.filter import parse
from echotui.tui.links import MOST, Kind, Thing, links_of
from echotui.tui.navigator import KEPT
from echotui.tui.place import SourceLines
from echotui.tui.views.faults import FaultsView
from echotui.tui.views.loop import LoopView
from echotui.tui.views.problems import ProblemsView
from echotui.tui.views.tasks import TasksView


async def follow(pilot: Pilot[int], role: str, kind: str) -> None:
    """Press enter, and in the list that comes up the key of the link with this role to a thing of this kind."""
    app = pilot.app
    assert isinstance(app, EchoApp)
    await app.action_choose()
    await until(lambda: isinstance(app.screen, Chooser) and app.screen.is_mounted)
    chooser = app.screen
    assert isinstance(chooser, Chooser)
    offered = [(link.role, link.thing.kind.value) for link, _ in chooser._links]
    assert (role, kind) in offered
    trail = len(app.navigator._trail)
    await pilot.press("123456789abcdef"[offered.index((role, kind))])
    if kind == "place":
        await until(lambda: isinstance(app.screen, SourceLines) and bool(app.screen.query(".line")))
    else:
        await until(lambda: app.screen is app.view and len(app.navigator._trail) > trail)


async def back(pilot: Pilot[int], key: str = "escape") -> None:
    """Go back by a key."""
    app = pilot.app
    assert isinstance(app, EchoApp)
    trail = len(app.navigator._trail)
    await pilot.press(key)
    await until(lambda: app.screen is app.view and len(app.navigator._trail) < trail)


async def to_task(pilot: Pilot[int], app: EchoApp, peer: Peer) -> TasksView:
    """Go from a connection to its task."""
    app.live.repaint()
    app.live.connections.table.select(peer.connection.id)
    await follow(pilot, "its task", "task")
    view = app.view
    assert isinstance(view, TasksView)
    return view


async def test_a_connection_leads_to_its_task_and_back_to_where_one_was() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as one:
        async with a_peer(lab, "sockets"):
            app.live.connections.filter = parse("sockets", app.live.connections.fields)
            view = await to_task(pilot, app, one)
            assert view.tasks.table.selected.name == f"echo-{one.connection.id}"
            assert view.tasks.table.has_focus
            assert view.header.trail == ("Live",)
            await back(pilot, "backspace")
            assert app.view is app.live
            assert app.live.connections.table.selected is one.connection
            assert app.live.connections.table.has_focus
            assert app.live.connections.filter.text == "sockets"


async def test_a_task_leads_to_its_connection_to_who_made_it_and_to_its_lines() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        view = await to_task(pilot, app, peer)
        await follow(pilot, "made by", "task")
        assert view.tasks.table.selected.name == "sockets-listener"
        await back(pilot)
        assert view.tasks.table.selected.name == f"echo-{peer.connection.id}"
        await follow(pilot, "made at", "place")
        source = pilot.app.screen
        assert isinstance(source, SourceLines)
        shown = [str(line.render()) for line in source.query(".line")]
        assert any(line.startswith("▸") and "create_task(" in line for line in shown)
        await pilot.press("escape")
        await until(lambda: app.screen is app.view)
        await follow(pilot, "its connection", "connection")
        assert app.view is app.live
        assert app.live.connections.table.selected is peer.connection


async def test_a_timer_is_reached_from_its_connection_and_leads_on_to_its_task() -> None:
    async with a_lab(SOCKETS, idle_timeout=60.0) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        assert await peer.echoes()  # so that it has begun to wait
        app.live.repaint()
        await follow(pilot, "its timer", "timer")
        view = app.view
        assert isinstance(view, LoopView)
        assert view.timers.table.selected.task_id == peer.connection.task
        await follow(pilot, "its task", "task")
        assert app.view.name_ == "Tasks"
        assert app.view.header.trail == ("Live", "Loop")
        await back(pilot)
        await back(pilot)
        assert app.view is app.live


async def test_a_timer_of_a_connection_without_a_task_is_known_by_its_connection() -> None:
    async with (
        a_lab(PROTOCOL, idle_timeout=60.0) as lab,
        a_screen(lab) as (pilot, app),
        a_peer(lab, "protocol") as peer,
    ):
        assert await peer.echoes()  # so that it has begun to wait
        app.live.repaint()
        await follow(pilot, "its timer", "timer")
        assert app.view.name_ == "Loop"
        await follow(pilot, "its connection", "connection")
        assert app.live.connections.table.selected is peer.connection


async def test_the_events_of_a_connection_are_its_own_and_of_no_other_with_a_longer_number() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as first:
        for _ in range(10):
            async with a_peer(lab, "sockets"):
                pass
        await happens(lab, events.Closed, connection=11)
        app.live.repaint()
        app.live.connections.table.select(first.connection.id)
        await follow(pilot, "its events", "events")
        shown = app.live.events.table
        assert shown.has_focus
        assert {lab.journal[seq].event.about_connection for seq in shown.rows} == {1}
        await back(pilot)
        assert not app.live.events.filter
        assert app.live.connections.table.has_focus


async def test_an_event_leads_to_what_it_is_about_at_once_if_that_is_one_thing() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        app.live.set_focus(app.live.events.table)
        app.live.events.filter = parse("kind:listening", app.live.events.fields)
        app.live.repaint()
        await pilot.press("enter")
        await until(lambda: len(app.navigator._trail) == 1)
        assert app.live.servers.table.has_focus
        assert app.live.servers.table.selected.name == "sockets"


async def test_a_fault_leads_to_what_it_has_hit_and_that_leads_to_the_fault() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        fault = lab.faults.inject("latency", "sockets", {"ms": 1.0})
        assert await peer.echoes()
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)
        view.set_focus(view.injected.table)
        view.repaint()
        await follow(pilot, "has hit", "connection")
        assert app.live.connections.table.selected is peer.connection
        await follow(pilot, "hit by", "fault")
        assert view.injected.table.selected is fault
        assert view.injected.table.has_focus


async def test_a_problem_leads_to_the_task_that_had_it() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab) as (pilot, app):
        lab.treat(Treatment.UNRETRIEVED)
        async with a_peer(lab, "sockets") as peer:
            await peer.say(b"boom\n")
            await happens(lab, Complained, about="never retrieved")
        view = await look_at(pilot, app, "6")
        assert isinstance(view, ProblemsView)
        row = next(row for row in view.problems.table.rows if row.kind == "never retrieved")
        view.problems.table.select((row.kind, row.place))
        await follow(pilot, "its task", "task")
        tasks = app.view
        assert isinstance(tasks, TasksView)
        assert tasks.tasks.table.selected.id == peer.connection.task
        await follow(pilot, "its problem", "problem")
        assert app.view is view
        assert view.problems.table.selected.kind == "never retrieved"


async def test_what_is_gone_is_said_to_be_and_one_is_brought_to_where_it_was_last_seen() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        fault = lab.faults.inject("latency", "sockets", {"ms": 1.0})
        async with a_peer(lab, "sockets") as peer:
            assert await peer.echoes()
        await happens(lab, events.Closed)
        lab.connections.ended.clear()  # as 500 other connections would have done
        view = await look_at(pilot, app, "4")
        view.set_focus(view.injected.table)
        view.injected.table.select(fault.id)
        await follow(pilot, "has hit", "connection")
        assert any("connection 1 is gone; last seen at" in said and "closed after" in said for said in said(app))
        assert app.view is app.live
        seq = app.live.events.table.selected
        assert seq is not None
        assert isinstance(lab.journal[seq].event, events.Closed)
        await back(pilot)
        assert app.view is view


async def test_what_a_filter_hides_is_shown_when_one_goes_there_and_the_filter_is_back_when_one_returns() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        tasks: Any = app.views["3"]
        tasks.tasks.filter = parse("listener", tasks.tasks.fields)
        view = await to_task(pilot, app, peer)
        assert view.tasks.table.selected.id == peer.connection.task
        assert not view.tasks.filter


async def test_a_filter_typed_at_the_end_of_a_link_is_cleared_before_one_goes_back() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        view = await to_task(pilot, app, peer)
        await pilot.press("slash", *"echo", "enter", "escape")
        assert app.view is view
        assert not view.tasks.filter
        await back(pilot)
        assert app.view is app.live


async def test_who_goes_elsewhere_by_key_has_no_way_back_to_return_to_by_mistake() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        await to_task(pilot, app, peer)
        await look_at(pilot, app, "2")
        await pilot.press("escape", "backspace")
        assert app.view.name_ == "Loop"
        assert app.view.header.trail == ()


async def test_the_way_back_is_bounded() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app):
        for _ in range(KEPT + 10):
            await app.navigator.go(Thing(Kind.SERVER, "sockets"))
        assert len(app.navigator._trail) == KEPT


async def test_on_a_small_screen_enter_shows_the_detail_first_and_then_follows() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (80, 24)) as (pilot, app), a_peer(lab, "sockets"):
        app.live.repaint()
        assert not app.live.detail.display
        await pilot.press("enter")
        await until(lambda: app.live.detail.display)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, Chooser))
        await pilot.press("escape")
        await until(lambda: app.screen is app.live)
        assert app.live.detail.display
        await pilot.press("escape")
        await until(lambda: not app.live.detail.display)


async def test_a_frozen_view_can_be_walked_through_as_well() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        async with a_peer(lab, "sockets") as peer:
            app.live.repaint()
            await pilot.press("space")
        await happens(lab, events.Closed)
        view = await to_task(pilot, app, peer)
        assert view.picture.frozen
        assert view.tasks.table.selected.state.value == "waiting"
        await follow(pilot, "its connection", "connection")
        assert app.live.connections.table.selected.is_open


async def test_a_dialog_has_its_keys_for_itself() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        before = lab.journal.recorded
        await pilot.press("s", "b", "n", "e", "t", "3")
        assert app.view is app.live
        assert not [one for one in lab.journal.since(before) if one.event.kind in ("client_started", "server_stopped")]
        await pilot.press("q")
        assert app.screen is app.live
        assert app.return_code is None


async def test_every_event_leads_to_what_it_is_about() -> None:
    async with a_lab() as lab, a_screen(lab) as (_, app):
        lab.chat("streams")
        await happens(lab, events.ClientStarted)
        lab.faults.inject("latency", "selectors", {"ms": 1.0})
        async with a_peer(lab, "selectors") as peer:
            assert await peer.echoes()
            await lab.stop()
        picture = app.live.picture
        leads = {entry.seq: links_of(Kind.EVENT, entry, picture) for entry in lab.journal.since(0)}
        nowhere = {lab.journal[seq].event.kind for seq, links in leads.items() if not links}
        assert nowhere <= {"details_skipped", "resumed", "instrument_disabled", "closed_down"}
        stopped = next(entry for entry in lab.journal.since(0) if isinstance(entry.event, events.Stopped))
        assert Thing(Kind.SHUTDOWN, 1) in [link.thing for link in leads[stopped.seq]]


async def test_a_signal_leads_to_the_shutdown_it_began() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app):
        entry = lab.journal.record(events.SignalReceived("SIGTERM", "outside"))
        await lab.stop(cause="SIGTERM from outside")
        assert [link.thing for link in links_of(Kind.EVENT, entry, app.live.picture)] == [Thing(Kind.SHUTDOWN, 1)]
        await app.navigator.go(Thing(Kind.SHUTDOWN, 1))
        assert app.view.name_ == "Shutdown"


async def test_on_the_smallest_screen_enter_in_the_detail_follows_its_links() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (60, 12)) as (pilot, app), a_peer(lab, "sockets") as peer:
        app.live.repaint()
        await pilot.press("enter")
        assert app.focused is app.live.detail
        await follow(pilot, "its task", "task")
        assert app.view.name_ == "Tasks"
        await back(pilot)
        assert app.focused is app.live.detail
        assert app.live.detail.connection is peer.connection
        await pilot.press("escape")
        assert app.focused is app.live.connections.table


async def test_a_link_to_a_pane_that_is_laid_out_away_brings_it_to_the_screen() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (80, 24)) as (pilot, app), a_peer(lab, "sockets"):
        loop = app.views["2"]
        assert isinstance(loop, LoopView)
        await look_at(pilot, app, "2")
        await pilot.press("c")
        assert not loop.timers.table.has_focus
        await look_at(pilot, app, "1")
        if loop.picture.watched is None or loop.picture.watched.why_no_ticks is not None:
            return
        await pilot.press("enter")
        await follow(pilot, "its descriptor", "descriptor")
        assert app.view is loop
        assert loop.registrations.table.has_focus
        assert loop.registrations.table.region.height > 0
        assert not [said for said in said(app) if "larger terminal" in said]
        await back(pilot)
        assert app.view is app.live


async def test_a_link_to_a_pane_there_is_no_room_for_says_so() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (60, 12)) as (_, app):
        await app.navigator.go(Thing(Kind.SERVER, "sockets"))
        await until(lambda: bool(said(app)))
        assert said(app)[-1] == "server sockets is selected, but its pane needs a larger terminal"
        assert app.live.connections.table.has_focus


async def test_esc_clears_a_filter_that_was_there_before_a_link_was_followed() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        app.live.connections.filter = parse("sockets", app.live.connections.fields)
        await to_task(pilot, app, peer)
        await back(pilot)
        assert app.live.connections.filter
        await pilot.press("escape")
        assert not app.live.connections.filter


async def test_of_all_that_a_task_has_made_only_some_are_offered() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), AsyncExitStack() as stack:
        for _ in range(MOST + 2):
            await stack.enter_async_context(a_peer(lab, "sockets"))
        view = await look_at(pilot, app, "3")
        assert isinstance(view, TasksView)
        row = next(row for row in view.tasks.table.rows if row.name == "sockets-listener")
        assert len([one for one in view.tasks.table.rows if one.creator_id == row.id]) == MOST + 2
        offered = [link.role for link in links_of(Kind.TASK, row, view.picture)]
        assert offered.count("has made") == MOST <= 9  # each has a key of one digit
