"""Views 2 to 6, driven with Textual's Pilot over a real lab, on a loop that is really observed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from support import PATIENCE, SOCKETS, a_lab, a_peer, happens
from support_screen import text_of
from textual.pilot import Pilot
from textual.widgets import Input, Static

from echotui.server import events
from echotui.server.lab import Lab
from echotui.server.observe.events import Complained
from echotui.server.records import ServerState, Treatment
from echotui.tui.app import EchoApp
from echotui.tui.fault_form import FaultForm
from echotui.tui.links import Kind, Thing, links_of
from echotui.tui.views.faults import FaultsView
from echotui.tui.views.loop import LoopView
from echotui.tui.views.problems import Problem, ProblemsView
from echotui.tui.views.shutdown import ShutdownView
from echotui.tui.views.tasks import TasksView
from echotui.tui.views.view import View

SomeView = TypeVar("SomeView", bound=View)


@asynccontextmanager
async def at(lab: Lab, kind: type[SomeView], key: str) -> AsyncIterator[tuple[Pilot[int], SomeView]]:
    """Run the app over a lab, and go to a view by its key."""
    app = EchoApp(lab, "a loop")
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press(key)
        view = app.view
        assert isinstance(view, kind)
        view.repaint()
        yield pilot, view


async def test_tasks_say_what_they_wait_for_and_who_made_them() -> None:
    async with a_lab(SOCKETS) as lab, at(lab, TasksView, "3") as (_, view), a_peer(lab, "sockets") as peer:
        view.repaint()
        row = next(row for row in view.tasks.table.rows if row.name == f"echo-{peer.connection.id}")
        view.tasks.table.select(row.id)
        view.repaint()
        said = text_of(view.detail)
        assert "SocketsServer._handle" in said
        assert "made at  servers/accepting.py" in said
        assert "awaits" in said
        assert not any(row.owner == "ui" for row in view.tasks.table.rows)


async def test_textuals_own_tasks_are_hidden_until_one_asks() -> None:
    async with a_lab(SOCKETS) as lab, at(lab, TasksView, "3") as (pilot, view):
        await pilot.press("u")
        assert any(row.owner == "ui" for row in view.tasks.table.rows)
        await pilot.press("u")
        assert not any(row.owner == "ui" for row in view.tasks.table.rows)


async def test_a_cancelled_task_shows_its_life_line() -> None:
    async with a_lab(SOCKETS) as lab, at(lab, TasksView, "3") as (_, view):
        async with a_peer(lab, "sockets") as peer:
            assert await peer.echoes()
            lab.interrupt(peer.connection.id)
            await happens(lab, events.Closed, connection=peer.connection.id)
        view.repaint()
        row = next(row for row in view.tasks.table.rows if row.name == f"echo-{peer.connection.id}")
        view.tasks.table.select(row.id)
        view.repaint()
        said = text_of(view.detail)
        assert "obeyed" in said
        assert "cancel()" in said
        assert "saying  cancelled by the keyboard" in " ".join(said.split("\n"))
        assert "delivered" in said


async def test_the_loop_shows_its_ticks_or_says_why_it_cannot() -> None:
    async with a_lab(SOCKETS) as lab, at(lab, LoopView, "2") as (_, view):
        steps = text_of(view.tick_steps)
        if view.picture.watched is not None and view.picture.watched.why_no_ticks is None:
            for number, step in enumerate(("run what is ready", "register", "calculate", "select", "turn events"), 1):
                assert f"{number} {step}" in steps
            assert "sockets-listener" in " ".join(row.whose for row in view.registrations.table.rows)
        else:
            assert "not observable: libuv owns the selector" in steps
            assert "lag is measured instead" in text_of(view.ticks)
        assert any("Pulse._beat" in row.callback for row in view.timers.table.rows)


async def test_a_problem_comes_with_what_it_means_and_how_to_mend_it() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, at(lab, ProblemsView, "6") as (_, view):
        assert "never retrieved" not in text_of(view.problems.table)
        lab.treat(Treatment.UNRETRIEVED)
        for _ in range(2):
            async with a_peer(lab, "sockets") as peer:
                await peer.say(b"boom\n")
                await happens(lab, Complained, task=f"echo-{peer.connection.id}")
        view.repaint()
        row = next(row for row in view.problems.table.rows if row.kind == "never retrieved")
        assert row.count == 2
        view.problems.table.select((row.kind, row.place))
        view.repaint()
        said = " ".join(text_of(view.detail).split())
        assert "Task exception was never retrieved" in said
        assert "dropped before anyone asked for its result" in said
        assert "put it into a TaskGroup" in said


async def test_a_failed_task_that_somebody_keeps_is_a_problem_until_it_is_dropped() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, at(lab, ProblemsView, "6") as (_, view):
        lab.treat(Treatment.RETAINED)
        async with a_peer(lab, "sockets") as peer:
            await peer.say(b"boom\n")
            silent = await happens(lab, events.FailedSilently, connection=peer.connection.id)
            row = await shown(view, "failed silently")
        assert row.who == f"echo-{peer.connection.id}"
        assert row.place.startswith("servers/sockets.py:")
        entry = next(entry for entry in lab.journal.since(0) if entry.event is silent)
        problem = Thing(Kind.PROBLEM, (row.kind, row.place))
        for kind, what in ((Kind.EVENT, entry), (Kind.CONNECTION, peer.connection)):
            assert problem in [link.thing for link in links_of(kind, what, view.picture)]
        view.problems.table.select((row.kind, row.place))
        view.repaint()
        said = " ".join(text_of(view.detail).split())
        assert "somebody keeps it" in said
        assert "Boom: Unexpected network error" in said
        assert "put it into a TaskGroup" in said
        await lab.stop_server("sockets")
        await shown(view, "never retrieved")
        assert "failed silently" not in text_of(view.problems.table)


async def shown(view: ProblemsView, kind: str) -> Problem:
    """Return the first problem of a kind, once there is one."""
    async with asyncio.timeout(PATIENCE):
        while True:
            view.repaint()
            for row in view.problems.table.rows:
                if row.kind == kind:
                    return row
            await asyncio.sleep(0.01)


async def test_a_fault_is_injected_by_form_and_undone_by_key() -> None:
    async with a_lab(SOCKETS) as lab, at(lab, FaultsView, "4") as (pilot, view), a_peer(lab, "sockets") as peer:
        view.catalogue.table.select("latency")
        await pilot.press("enter")
        form = pilot.app.screen
        assert isinstance(form, FaultForm)
        form.query_one("#field-ms", Input).value = "much"
        await pilot.press("enter")
        assert "ms = 'much' is not possible" in str(form.query_one("#form-wrong", Static).content)
        form.query_one("#field-ms", Input).value = "1"
        for field, typed in (("seed", "nan"), ("seed", "1e999"), ("duration", "inf"), ("toxicity", "-nan")):
            form.query_one(f"#field-{field}", Input).value = typed
            await pilot.press("enter")
            assert f"{field} = '{typed}' is not possible" in str(form.query_one("#form-wrong", Static).content)
            form.query_one(f"#field-{field}", Input).value = ""
        await pilot.press("enter")
        assert pilot.app.screen is view
        (fault,) = lab.faults.active.values()
        assert view.injected.table.selected is fault
        assert await peer.echoes()
        view.repaint()
        assert f"connection {peer.connection.id}" in text_of(view.radius)
        view.injected.table.focus()
        await pilot.press("z")
        assert not lab.faults.active


async def test_a_fault_is_undone_while_the_view_is_paused_even_if_it_was_over_before() -> None:
    async with a_lab(SOCKETS) as lab, at(lab, FaultsView, "4") as (pilot, view):
        over, active = (lab.faults.inject("latency", "sockets", {"ms": 1}) for _ in range(2))
        view.repaint()
        view.injected.table.focus()
        await pilot.press("space")
        over.undo()
        for fault in (over, active):
            view.injected.table.select(fault.id)
            await pilot.press("z")
        assert not lab.faults.active
        assert not active.active
        assert {fault.id for fault in lab.faults.ended} == {over.id, active.id}


async def test_a_shutdown_is_a_waterfall_of_all_its_steps() -> None:
    async with a_lab(SOCKETS) as lab, at(lab, ShutdownView, "5") as (_, view):
        assert "nothing was shut down yet" in text_of(view.waterfall.table)
        async with a_peer(lab, "sockets") as peer:
            await lab.stop(drain=0)
            assert await peer.hear_out() == b""
        view.repaint()
        steps = [(step.what.value, step.outcome) for step in view.waterfall.table.rows]
        assert ("listener", "closed") in steps
        assert ("connection", "cancelled, and ended") in steps
        assert ("server", "stopped") in steps


async def test_a_server_that_waits_for_a_key_is_started_and_stopped_by_it() -> None:
    async with a_lab() as lab:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(140, 45)) as pilot:
            app.live.repaint()
            app.live.servers.table.select("polling")
            record = lab.servers["polling"].record
            await pilot.press("t")
            await happens(lab, events.Listening, server="polling")
            assert record.state is ServerState.SERVING
            async with a_peer(lab, "polling") as peer:
                assert await peer.echoes()
            await pilot.press("t")
            await happens(lab, events.ServerStopped, server="polling")
            assert record.state.value == "stopped"


async def test_views_are_changed_by_key_and_a_pause_goes_along() -> None:
    async with a_lab(SOCKETS) as lab:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(140, 45)) as pilot:
            await pilot.press("space")
            for key in "234561":
                await pilot.press(key)
                assert app.view is app.views[key]
                assert app.view.picture.frozen
            await pilot.press("space")
            assert not app.view.picture.frozen
            await asyncio.sleep(0)
