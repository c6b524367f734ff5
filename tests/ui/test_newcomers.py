"""What somebody stumbled over who used the app for the first time."""

import asyncio
import gc
from pathlib import Path

import pytest
from support import SELECTORS, SOCKETS, a_lab, a_peer, happens
from support_screen import a_screen, look_at, said, text_of, until
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, Select, Static

from echotui.server import events
from echotui.server.observe.events import CancellationSettled
from echotui.server.records import ConnectionState, Treatment
from echotui.tui.app import EchoApp
from echotui.tui.dialogs import AskSignal
from echotui.tui.fault_form import FaultForm
from echotui.tui.filter import parse
from echotui.tui.save_form import SaveForm
from echotui.tui.views.faults import FaultsView
from echotui.tui.views.loop import LoopView
from echotui.tui.views.problems import ProblemsView
from echotui.tui.views.shutdown import ShutdownView
from echotui.tui.views.tasks import TasksView
from echotui.tui.views.view import is_seen


async def ask_how_to_inject(pilot: Pilot[int], app: EchoApp, name: str) -> FaultsView:
    """Have the form of a fault asked; return the view it is asked in."""
    view = await look_at(pilot, app, "4")
    assert isinstance(view, FaultsView)
    view.catalogue.table.select(name)
    await pilot.press("enter")
    await until(lambda: isinstance(app.screen, FaultForm))
    return view


async def test_events_that_no_filter_lets_through_are_not_said_to_be_none() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app):
        pane = app.live.events
        for text, found in (("zzzzz", False), ("time:20:", None), ("listening", True)):
            pane.filter = parse(text, pane.askable)
            app.view.repaint()
            drawn = text_of(pane.table)
            assert ("nothing matches the filter" in drawn) is (not pane.table.rows)
            assert "nothing has happened" not in drawn
            if found is not None:
                assert bool(pane.table.rows) is found
        shown = text_of(pane.table).split()[1]
        pane.filter = parse(shown, pane.askable)
        app.view.repaint()
        assert shown in text_of(pane.table)


async def test_the_next_column_to_sort_by_is_one_that_is_seen() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (80, 24)) as (pilot, app):
        view = await look_at(pilot, app, "3")
        assert isinstance(view, TasksView)
        marked = set()
        for _ in range(8):
            await pilot.press("o")
            view.repaint()
            mark = view.tasks.table.mark
            titles = text_of(view.tasks.table).splitlines()[0]
            assert mark is None or f"{mark[0]}▾" in titles
            marked.add(mark)
        assert len(marked) > 2


async def test_a_server_has_a_detail_while_the_keys_are_on_it() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        assert await peer.echoes(b"hello\r\n")
        lab.servers["sockets"].record.why = "a reason that is longer than any row has room for, " * 2
        app.live.servers.table.focus()
        await pilot.pause()
        app.view.repaint()
        drawn = " ".join(text_of(app.live.detail).split())
        assert app.live.detail.title() == "Server sockets"
        assert "longer than any row has room for" in drawn
        assert "7 B in 1 read" in drawn
        app.live.connections.table.focus()
        await pilot.pause()
        assert app.live.detail.title() == f"Connection {peer.connection.id}"


async def test_a_step_of_a_shutdown_says_all_of_it_below() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        assert await peer.echoes(b"hello\r\n")
        await lab.stop(0)
        view = await look_at(pilot, app, "5")
        assert isinstance(view, ShutdownView)
        hung = next(step for step in view.waterfall.table.rows if step.connection == peer.connection.id)
        assert view.waterfall.table.select(id(hung))
        view.repaint()
        drawn = " ".join(text_of(view.step).split())
        assert "waiting for its peer to say something; echo-1 waits at" in drawn
        assert ", servers/sockets.py:" in drawn


async def test_a_form_offers_every_open_connection_and_begins_at_its_top() -> None:
    async with (
        a_lab(SOCKETS) as lab,
        a_screen(lab, (60, 20)) as (pilot, app),
        a_peer(lab, "sockets") as one,
        a_peer(lab, "sockets") as other,
    ):
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, FaultForm))
        await pilot.pause()
        offered = {str(name) for name, _ in app.screen.query_one("#target", Select)._options}
        assert any(f"connection {one.connection.id} of sockets" in name for name in offered)
        assert any(f"connection {other.connection.id} of sockets" in name for name in offered)
        assert app.screen.query_one(".dialog").scroll_y == 0


async def test_what_is_dangerous_is_injected_by_its_button_only_and_says_who_suffers() -> None:
    async with a_lab(SELECTORS) as lab, a_screen(lab) as (pilot, app):
        for name, suffers in (("down", "every connection of that server"), ("block", "everything in this process")):
            view = await ask_how_to_inject(pilot, app, name)
            assert any(suffers in str(line.content) for line in app.screen.query(Static))
            if name == "block":
                await pilot.press("enter")
                assert app.focused is app.screen.query_one("#inject", Button)
            assert not lab.faults.injected
            await pilot.press("escape")
            await until(lambda view=view: app.screen is view)  # type: ignore[misc]


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_what_is_wrong_is_seen_also_where_there_is_no_room_for_the_form(size: tuple[int, int]) -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, size) as (pilot, app):
        await ask_how_to_inject(pilot, app, "slicer")
        await pilot.press("minus", "enter")
        wrong = app.screen.query_one("#form-wrong", Static)
        assert "is not possible" in str(wrong.content)
        form = app.screen.query_one(VerticalScroll)
        await until(lambda: wrong.region.height > 0 and wrong.region in form.region)


async def test_a_signal_to_servers_that_are_stopped_promises_nothing() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await lab.stop(drain=0)
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, AskSignal))
        assert any("stopped already" in str(line.content) for line in app.screen.query(Static))
        await pilot.press("escape")


async def test_what_was_wrong_is_not_said_of_what_is_typed_now() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await ask_how_to_inject(pilot, app, "latency")
        field, wrong = app.screen.query_one("#field-ms", Input), app.screen.query_one("#form-wrong", Static)
        field.value = "long"
        await pilot.press("enter")
        assert "ms = 'long' is not possible" in str(wrong.content)
        field.value = "100"
        await pilot.pause()
        assert not str(wrong.content)


async def test_injected_faults_are_counted_whatever_the_filter() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets"):
        lab.faults.inject("latency", "sockets").undo()
        lab.faults.inject("latency", "sockets")
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)
        view.injected.filter = parse("id=99", view.injected.askable)
        view.repaint()
        assert view.injected.title().startswith("Injected · 1 active · 1 over")
        view.catalogue.filter = parse("fault=block", view.catalogue.askable)
        view.repaint()
        assert [kind.name for kind in view.catalogue.table.rows] == ["block"]


async def test_the_folder_of_the_last_save_is_offered_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SaveForm, "folder", None)
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        for wanted in (tmp_path, None):
            await pilot.press("ctrl+s")
            await until(lambda: isinstance(app.screen, SaveForm) and bool(app.screen.query("#folder")))
            folder = app.screen.query_one("#folder", Input)
            if wanted is None:
                assert folder.value == str(tmp_path)
                break
            folder.value = str(wanted)
            app.screen.query_one(OptionList).action_select()
            await until(lambda: app.screen is app.view)


async def test_a_blocking_server_that_is_done_says_why() -> None:
    async with a_lab(blocking_clients=1) as lab:
        await lab.start_server("blocking")
        async with a_peer(lab, "blocking") as peer:
            assert await peer.echoes(b"HELLO\n")
        await happens(lab, events.ServerStopped, server="blocking")
        assert lab.servers["blocking"].record.why.startswith("done: it has served 1 client, ")
        await asyncio.sleep(0)


async def test_lists_survive_a_terminal_that_is_made_ever_smaller() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (60, 20)) as (pilot, app):
        for key in ("ctrl+s", "s", "ctrl+p"):
            await pilot.press(key)
            await until(lambda: app.screen is not app.view)
            for width in (20, 10, 6, 3, 1, 60):
                await pilot.resize_terminal(width, 20)
                await pilot.pause()
            await pilot.press("escape")
            await until(lambda: app.screen is app.view)


async def test_a_save_is_offered_although_the_folder_one_started_in_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SaveForm, "folder", None)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, SaveForm) and bool(app.screen.query("#folder")))
        assert app.screen.query_one("#folder", Input).value == "~"
    monkeypatch.chdir(tmp_path)


async def test_what_counts_in_its_row_counts_in_its_detail() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab) as (pilot, app):
        lab.treat(Treatment.UNRETRIEVED)
        for boom in (1, 2):
            async with a_peer(lab, "sockets") as peer:
                await peer.say(b"boom\r\n")
                await happens(lab, events.HandlerFailed, connection=peer.connection.id)
            if boom == 1:
                view = await look_at(pilot, app, "6")
                assert isinstance(view, ProblemsView)

        def both_are_told() -> bool:
            gc.collect()  # eager tasks that have failed may wait for it
            for _ in view.steps(view.panes()):
                pass
            return {row.count for row in view.problems.table.rows if "Boom" in row.what} == {2}

        await until(both_are_told)
        assert view.detail.problem == view.problems.table.selected


async def test_keys_work_again_once_the_filter_line_has_lost_them() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await pilot.press("slash", "a")
        app.live.servers.table.focus()
        await pilot.pause()
        await pilot.press("2")
        await until(lambda: app.view is app.views["2"])


@pytest.mark.parametrize("seed", ["1.5", "1e300", "-3", "x", "9" * 19])
async def test_a_seed_is_a_whole_number_or_refused(seed: str) -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await ask_how_to_inject(pilot, app, "latency")
        app.screen.query_one("#field-seed", Input).value = seed
        await pilot.press("enter")
        assert "seed = " in str(app.screen.query_one("#form-wrong", Static).content)
        app.screen.query_one("#field-seed", Input).value = "900719925474099321"
        await pilot.press("enter")
        await until(lambda: bool(lab.faults.active))
        (fault,) = lab.faults.active.values()
        assert fault.seed == 900719925474099321


async def test_rows_are_sorted_by_what_is_shown() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app), a_peer(lab, "sockets") as first:
        async with a_peer(lab, "sockets") as second:
            pass
        await happens(lab, events.Closed, connection=second.connection.id)
        async with a_peer(lab, "sockets") as third:
            pane = app.live.connections
            pane.sort(0)
            app.view.repaint()
            assert [row.id for row in pane.table.rows] == [
                first.connection.id,
                second.connection.id,
                third.connection.id,
            ]
            closed = second.connection
            assert closed.closed_at is not None
            lived = closed.closed_at - closed.opened_at
            await until(lambda: pane.picture.now() - third.connection.opened_at > lived)
            pane.sort(0)
            pane.sort_by("age")
            app.view.repaint()
            oldest, *_, briefest = [row.id for row in pane.table.rows]
            assert (oldest, briefest) == (first.connection.id, second.connection.id)


async def test_what_holds_a_connection_is_named_and_stays_so_in_a_paused_picture() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        fault = lab.faults.inject("stop-reading", peer.connection.id)
        app.view.repaint()
        assert f"for fault {fault.id} to let go" in text_of(app.live.detail)
        await pilot.press("space")
        fault.undo()
        app.view.repaint()
        assert "held" in text_of(app.live.connections.table)
        assert f"for fault {fault.id} to let go" in text_of(app.live.detail)


async def test_a_connection_that_has_said_more_than_was_read_does_not_wait_for_its_peer() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app), a_peer(lab, "sockets") as peer:
        assert await peer.echoes()
        app.view.repaint()
        app.live.connections.table.select(peer.connection.id)
        for unread, waits in (
            (False, "waits    for its peer to say something"),
            (True, "waits    for its server to read"),
        ):
            if unread:
                peer.sock.send(b"and nobody has had the time to read it yet\r\n")
            app.view.repaint()
            assert waits in text_of(app.live.detail)
        peer.say_no_more()


@pytest.mark.parametrize(("number", "pane", "size"), [("4", "injected", (140, 12)), ("1", "detail", (80, 24))])
async def test_some_pane_that_is_seen_has_the_keys_in_every_size(number: str, pane: str, size: tuple[int, int]) -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets"):
        view = await look_at(pilot, app, number)
        wanted = getattr(view, pane)
        view.set_focus(getattr(wanted, "table", wanted))
        await pilot.resize_terminal(*size)
        await until(lambda: view.focused is not None and is_seen(view.focused))


async def test_the_question_says_what_a_signal_does_while_the_servers_stop() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        stopping = asyncio.ensure_future(lab.stop(drain=60))  # noqa: TID251 - awaited below
        await happens(lab, events.Stopping)
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, AskSignal))
        assert "another signal ends at once what is still open" in str(app.screen.query(Static).first().render())
        await pilot.press("escape")
        peer.say_no_more()
        await stopping


async def test_a_task_that_swallows_its_cancellation_goes_on_and_has_been_cancelling_since_it_was_asked() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        assert await peer.echoes()
        view = await look_at(pilot, app, "3")  # at first: to lay it out takes a busy machine a second
        assert isinstance(view, TasksView)
        lab.faults.inject("swallow-cancel", peer.connection.id, {"cancel": True})
        await happens(lab, CancellationSettled)
        assert await peer.echoes()
        view.repaint()
        view.tasks.table.select(peer.connection.task)
        view.repaint()
        drawn = " ".join(text_of(view.detail).split())
        assert "is cancelling for 0 s, in this wait for 0 s" in drawn
        assert "went on +" in drawn
        assert "clean-up took" not in drawn


async def test_a_fault_can_hit_what_it_has_not_hit_yet() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        fault = lab.faults.inject("latency", "sockets", {"ms": 1})
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)
        assert fault.radius.size == "nothing"
        assert f"connection {peer.connection.id:<6}not yet: every answer is sent later" in text_of(view.radius)
        assert await peer.echoes()
        view.repaint()
        assert fault.radius.size == "1 connection"
        assert "not yet" not in text_of(view.radius)


async def test_a_key_of_another_view_says_which() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        for view, key, where in (("3", "b", " 1, Live"), ("1", "Z", " 4, Faults"), ("4", "c", "s 1, Live and 2, Loop")):
            await look_at(pilot, app, view)
            app.clear_notifications()
            await pilot.press(key)
            assert said(app) == [f"{key} does something in view{where}"]


async def test_the_selectors_servers_own_timer_and_descriptor_say_so_and_lead_to_it() -> None:
    async with a_lab(SELECTORS) as lab, a_screen(lab) as (pilot, app):
        view = await look_at(pilot, app, "2")
        assert isinstance(view, LoopView)

        def timers() -> str:
            view.repaint()
            return text_of(view.timers.table)

        await until(lambda: "selectors: its timeout" in timers())  # while it turns it has none
        if view.picture.watched is not None and view.picture.watched.why_no_ticks is None:
            assert "selectors: its selector" in text_of(view.registrations.table)
            view.registrations.table.select(
                next(row.fd for row in view.registrations.table.rows if "OnLoop" in row.whose)
            )
            view.set_focus(view.registrations.table)
            await pilot.press("enter")
            await until(lambda: app.view is app.live)
            assert app.live.servers.table.selected is lab.servers["selectors"].record


async def test_a_form_offers_nothing_that_it_would_refuse() -> None:
    async with a_lab(may_complain=True) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        lab.treat(Treatment.RETAINED)
        await peer.say(b"boom\r\n")
        await happens(lab, events.HandlerFailed)
        await until(lambda: peer.connection.state is ConnectionState.LEFT_OPEN)
        app.view.repaint()
        app.live.connections.table.select(peer.connection.id)
        await ask_how_to_inject(pilot, app, "latency")
        offered = {str(name) for name, _ in app.screen.query_one("#target", Select)._options}
        assert offered == {f"{server}, whole server" for server in ("selectors", "sockets", "streams", "protocol")}
