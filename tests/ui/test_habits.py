"""What people who know other terminal apps press, and expect to see, over a real lab."""

import re

import pytest
from support import BLOCKING, SELECTORS, SOCKETS, a_lab, a_peer, happens, told
from support_picture import a_picture
from support_screen import a_screen, look_at, said, until
from textual.widgets import Select

from echotui.server import events
from echotui.server.events import HandlerFailed
from echotui.server.faults.catalogue import CATALOGUE
from echotui.server.faults.events import Recovered
from echotui.server.faults.parameters import Value
from echotui.server.lab import Lab
from echotui.server.observe.events import StallEnded
from echotui.server.records import ServerState, Treatment
from echotui.server.settings import Settings
from echotui.tui.app import EchoApp
from echotui.tui.dialogs import Help
from echotui.tui.fault_form import FaultForm
from echotui.tui.filter import parse
from echotui.tui.keys import Keymap
from echotui.tui.links import Kind, Thing
from echotui.tui.palette import PatientPalette
from echotui.tui.save_form import SaveForm
from echotui.tui.shots import Shot
from echotui.tui.views import rows
from echotui.tui.views.faults import FaultsView
from echotui.tui.views.shutdown import ShutdownView
from echotui.tui.views.tasks import TasksView
from echotui.tui.watched import Problems
from echotui.tui.widgets.keys import Keys


async def test_the_palette_offers_nothing_that_no_key_takes_back() -> None:
    async with a_lab() as lab, a_screen(lab) as (_, app):
        offered = [command.title for command in app.get_system_commands(app.screen)]
        assert {"Quit", "Theme"} < set(offered)
        assert not {"Maximize", "Minimize", "Keys", "Screenshot"} & set(offered)
        assert len(offered) == len(set(offered))
        await app.run_action("screen.maximize")
        assert app.screen.maximized is None


async def test_a_search_that_ends_after_the_palette_was_left_comes_to_nothing() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        await pilot.press("ctrl+p")
        palette = app.screen
        assert isinstance(palette, PatientPalette)
        await pilot.press("escape")
        await until(lambda: app.screen is app.view)
        palette._start_no_matches_countdown("found too late")
        assert palette._no_matches_timer is None


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


async def test_a_filter_that_is_wrong_filters_nothing_rather_than_by_half_of_it() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        app.view.repaint()
        pane = app.live.connections
        await pilot.press("slash", *"foo")
        assert pane.table.rows == []
        await pilot.press(*":bar")
        assert [row.id for row in pane.table.rows] == [peer.connection.id]
        assert "filter" not in str(pane.border_title)


@pytest.mark.parametrize("keep", [False, True])
async def test_the_row_selected_before_a_filter_is_selected_again_when_it_is_cleared(keep: bool) -> None:  # noqa: FBT001
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as one:
        async with a_peer(lab, "sockets") as other:
            await other.echoes(b"hello\r\n")
            app.view.repaint()
            table = app.live.connections.table
            table.select(one.connection.id)
            await pilot.press("slash", *"hello", *(["enter"] if keep else []))
            assert table.selected is other.connection
            await pilot.press("escape")
            assert table.selected is one.connection


async def test_a_cursor_that_was_moved_among_the_filtered_rows_stays_where_it_was_moved_to() -> None:
    async with a_lab(SOCKETS, SELECTORS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "selectors") as one:
        async with a_peer(lab, "sockets") as two, a_peer(lab, "sockets"):
            app.view.repaint()
            table = app.live.connections.table
            table.select(one.connection.id)
            await pilot.press("slash", *"sockets", "enter", "G", "escape")
            assert table.selected is two.connection


async def test_a_word_finds_what_is_shown_and_a_field_that_is_named_also_what_is_not() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        view = await look_at(pilot, app, "3")
        assert isinstance(view, TasksView)
        (listener,) = [row for row in view.tasks.table.rows if row.name == "sockets-listener"]
        assert listener.function
        for text, found in ((f'"{listener.function}"', []), (f'function:"{listener.function}"', ["sockets-listener"])):
            view.tasks.filter = parse(text, view.tasks.askable)
            view.repaint()
            assert [row.name for row in view.tasks.table.rows] == found


@pytest.mark.parametrize(("key", "name", "word"), [("3", "#tasks", "echo"), ("6", "#problems", "never")])
async def test_what_was_forgotten_is_not_counted_beside_what_a_filter_has_found(key: str, name: str, word: str) -> None:
    picture = a_picture()
    assert picture.watched is not None
    values = picture.watched.values  # type: ignore[attr-defined]
    values["tasks_forgotten"] = 1_234
    values["problems"] = Problems(picture.watched.problems.complaints, 1_234, [])
    app = EchoApp(Lab(Settings()), "a loop", picture=picture)
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press(key)
        pane = app.view.query_one(name)
        assert "1,234 forgotten" in str(pane.border_title)
        await pilot.press("slash", *word)
        assert "forgotten" not in str(pane.border_title)
        assert f"filter: {word}" in str(pane.border_title)


def on_the_screen(app: EchoApp) -> str:
    """Return all that is to be read on the screen."""
    return Shot(app, "test").text()


async def test_read_only_is_said_and_no_key_that_was_taken_away_is_hinted_at() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab, read_only=True) as (pilot, app):
        lab.faults.inject("latency", "sockets", {})
        for key in "14561":
            await look_at(pilot, app, key)
            shown = on_the_screen(app)
            assert "read-only" in shown.partition("\n")[0]
            for hint in ("press C", "injects one", "undoes", "sends a signal", "makes one", "on a fault"):
                assert hint not in shown
        await lab.stop(drain=0)
        app.view.repaint()
        assert "starts again" not in app.view.header.render_line(0).text


async def test_enter_on_a_fault_says_why_nothing_is_asked_where_one_may_only_look() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, read_only=True) as (pilot, app):
        await pilot.press("4", "enter")
        assert said(app) == ["read-only: nothing can be injected here"]


async def test_nobody_is_told_to_connect_where_no_server_listens() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app):
        port = lab.servers["sockets"].record.port
        assert f"nc 127.0.0.1 {port}" in app.live.connections.why_empty()
        await lab.stop(drain=0)
        assert "nobody can connect" in app.live.connections.why_empty()


async def test_how_a_connection_ended_is_marked_and_what_became_of_it_at_last_comes_first() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab) as (_, app):
        pane = app.live.connections
        lab.treat(Treatment.RETAINED)
        async with a_peer(lab, "sockets") as peer:
            assert await peer.echoes(b"hello\r\n")
            app.view.repaint()
            (column,) = [column for column in pane.table.columns if column.field == "said-last"]
            assert column.cell(peer.connection) == ("hello\\r\\n", "")
            await peer.say(b"boom\r\n")
            await happens(lab, HandlerFailed)
            assert column.cell(peer.connection) == ("○ retained, socket left open", "alarm")
            await lab.stop(drain=0)
        assert column.cell(peer.connection) == (
            "○ closed when the server stopped; before: retained, socket left open",
            "dim",
        )
        for text, found in (("said:boom", 1), ("boom", 0), ("said-last:stopped", 1), ("retained", 1)):
            pane.filter = parse(text, pane.askable)
            app.view.repaint()
            assert len(pane.table.rows) == found


async def test_stalls_are_told_apart_in_their_rows_by_how_long_and_where() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab) as (pilot, app):
        lab.faults.inject("block", None, {"ms": 200.0})
        await until(lambda: any("Block.do" in str(one.place) for one in told(lab, StallEnded)))
        await look_at(pilot, app, "6")
        rows = [line for line in on_the_screen(app).split("\n") if " stall " in line]
        assert any(re.search(r"\d m?s at faults/on_loops.py:\d+", row) for row in rows), rows


async def test_the_detail_of_a_connection_wraps_what_is_long_and_grows_with_the_terminal() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab:
        lab.treat(Treatment.RETAINED)
        async with a_peer(lab, "sockets") as peer:
            await peer.say(b"boom\r\n")
            await happens(lab, HandlerFailed)
            await lab.stop(drain=0)
        widths = []
        for size in ((140, 45), (200, 60)):
            async with a_screen(lab, size) as (pilot, app):
                await pilot.pause()
                detail = app.live.detail
                widths.append(detail.size.width)
                shown = " ".join(" ".join(line.text for line in detail.lines(*detail.content_size)).split())
                assert peer.connection.outcome in shown
        assert widths[1] > widths[0]


async def test_starting_stopping_and_ending_say_what_was_done_to_what_and_that_a_pause_hides_it() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        app.view.repaint()
        await pilot.press("x")
        assert said(app) == [f"connection {peer.connection.id}: asked to end"]
        await happens(lab, events.Closed, connection=peer.connection.id)
        await pilot.press("t")
        await until(lambda: "sockets: stopped" in said(app))
        await pilot.press("space", "t")
        await until(lambda: any(note.startswith("sockets: serving (paused") for note in said(app)))


async def test_the_shutdown_one_looks_at_is_the_newest_until_one_looks_at_another() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        view = await look_at(pilot, app, "5")
        assert isinstance(view, ShutdownView)
        table = view.shutdowns.table

        async def shut_down() -> None:
            await lab.stop(drain=0)
            await lab.restart()
            view.repaint()

        for number in (1, 2):
            await shut_down()
            assert view.waterfall.shutdown is lab.shutdowns[-1]
            assert table.cursor == number
        await pilot.press("down")
        await shut_down()
        assert table.cursor == 1
        await pilot.press("g")
        await shut_down()
        assert table.cursor == 4


async def test_events_follow_again_when_a_view_is_begun_anew_after_a_link_had_stopped_them() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets"):
        table = app.live.events.table
        await look_at(pilot, app, "3")
        await app.navigator.go(Thing(Kind.EVENT, 1))
        await until(lambda: app.screen_stack[-1:] == [app.live])
        assert not table.follows
        await pilot.press("escape")
        await until(lambda: app.view is app.views["3"] and app.screen_stack[-1:] == [app.view])
        await look_at(pilot, app, "1")
        assert table.follows
        app.view.set_focus(table)
        await pilot.press("home")
        looked_at = table.cursor
        await look_at(pilot, app, "3")
        await look_at(pilot, app, "1")
        assert table.cursor == looked_at, "where somebody has gone without a link is left as it is"


@pytest.mark.parametrize(
    ("kind", "options", "during", "after"),
    [
        ("latency", {}, "until it is undone", "until it was ended"),
        ("latency", {"duration": 60.0}, "for 60.0 s", "for 60.0 s"),
        ("block", {}, "once", "once"),
    ],
)
async def test_how_long_a_fault_lasts_is_said_as_it_is(
    kind: str, options: dict[str, float], during: str, after: str
) -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab) as (pilot, app):
        target = "sockets" if kind == "latency" else None
        fault = lab.faults.inject(kind, target, {}, duration=options.get("duration"))
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)

        def limits() -> str:
            view.repaint()
            return next("".join(text for text, _ in line) for line in view.radius.said(100) if "limits" in line[0][0])

        assert limits().endswith(during)
        fault.undo()
        assert limits().endswith(after)


async def test_a_server_that_takes_one_at_a_time_and_has_one_is_not_said_to_have_answered() -> None:
    async with a_lab(SOCKETS, BLOCKING) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "blocking"):
        lab.faults.inject("latency", "sockets").undo()
        assert (await happens(lab, Recovered)).servers == "sockets"
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)
        (healed,) = (line for line in view.radius.said(100) if "healed" in line[0][0])
        assert healed[1][0].startswith("every free server answered ")
        assert "blocking only if it had no client" in view.notes


@pytest.mark.parametrize(
    ("kind", "params", "default", "given"),
    [
        ("latency", {"ms": 12345.675}, "100 ms: how much later", "  ms 12345.675 ms, jitter 0 ms"),
        ("exception", {}, "RuntimeError: what it raises", "  type RuntimeError"),
        ("swallow-cancel", {"cancel": False}, "yes: cancel the task", "  cancel no"),
    ],
)
async def test_parameters_are_said_with_their_unit_where_they_have_one(
    kind: str, params: dict[str, Value], default: str, given: str
) -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        lab.faults.inject(kind, peer.connection.id, params)
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)
        assert view.radius.said(100)[0][-1][0] == given
        view.kind.kind = CATALOGUE[kind]
        said = [line[-1][0] for line in view.kind.said(100)]
        assert any(line.startswith(default) for line in said)


async def test_when_a_fault_was_healed_is_said_in_whole() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        fault = lab.faults.inject("latency", "sockets")
        fault.undo()
        await happens(lab, Recovered)
        fault.recovered_after = 0.1425
        view = await look_at(pilot, app, "4")
        assert isinstance(view, FaultsView)
        assert "healed 142.5 ms" in "\n".join(line.text for line in view.injected.table.lines(68, 8))


async def test_what_was_said_in_a_view_is_not_said_on_in_another_and_covers_nothing_that_is_saved() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await pilot.press("b")
        await until(lambda: bool(app.view.query("Toast")))
        await pilot.pause()
        assert "connect one, or press C" in on_the_screen(app)
        await pilot.press("ctrl+s")
        form = app.screen
        assert isinstance(form, SaveForm)
        assert "connect one, or press C" not in form._shot.text()
        await pilot.press("escape", "b")
        assert said(app)
        await look_at(pilot, app, "2")
        assert not said(app)


@pytest.mark.parametrize(("key", "does"), [("f1", "help"), ("f10", "quit")])
async def test_the_keys_of_htop_work_as_well(key: str, does: str) -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):
        await pilot.press(key)
        if does == "quit":
            assert app.return_code == 0
        else:
            assert isinstance(app.screen, Help)
            await pilot.press(key)
            assert app.screen is app.view


async def test_where_there_is_no_room_for_the_names_of_the_views_the_footer_names_their_keys() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (80, 24)) as (pilot, app):
        await look_at(pilot, app, "3")
        assert "1-6 views" in on_the_screen(app)
        await pilot.resize_terminal(140, 45)
        await pilot.pause()
        app.view.query_one(Keys).repaint()
        assert "1-6 views" not in app.view.query_one(Keys).render_line(0).text


async def test_charts_say_in_whole_why_there_are_none_and_which_key_brings_back_what_they_cover() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (80, 24)) as (pilot, app):
        await look_at(pilot, app, "2")
        await pilot.press("c")
        await until(lambda: "c: back" in on_the_screen(app))
        if app.view.picture.watched is not None and app.view.picture.watched.why_no_ticks is not None:
            assert "owns the selector  " in on_the_screen(app)
            assert "Longest turn ─" in on_the_screen(app)


async def test_a_meaning_in_the_help_goes_on_beside_its_word() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab, (80, 24)) as (pilot, app):
        await pilot.press("question_mark")
        await until(lambda: bool(app.screen.query("#help-text")))
        await pilot.press("G")
        lines = on_the_screen(app).splitlines()
        (at,) = [at for at, line in enumerate(lines) if "painting   " in line]
        assert lines[at + 1].index("and how often") == lines[at].index("share of")


async def test_the_remark_on_errors_does_not_touch_the_frame() -> None:
    async with a_lab() as lab, a_screen(lab) as (_, app):
        lab.treat(Treatment.UNRETRIEVED)
        app.view.repaint()
        assert "errors: unretrieved " in "\n".join(line.text for line in app.live.servers.table.lines(138, 8))


async def test_the_footer_offers_to_restart_what_a_signal_has_stopped_and_not_what_somebody_has() -> None:
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (pilot, app):

        def offered() -> bool:
            footer = app.screen.query_one(Keys)
            footer.repaint()
            return "restart" in footer.render_line(0).text

        await pilot.press("t")
        await until(lambda: lab.servers["sockets"].record.state is ServerState.STOPPED)
        app.refresh_bindings_if_changed()
        await pilot.pause()
        assert not offered()
        await pilot.press("t")
        await until(lambda: lab.servers["sockets"].record.state is ServerState.SERVING)
        await lab.stop(drain=0)
        await until(offered)


async def test_a_connection_that_has_ended_while_the_view_was_paused_is_no_target_of_a_fault() -> None:
    async with (
        a_lab(SOCKETS) as lab,
        a_screen(lab) as (pilot, app),
        a_peer(lab, "sockets") as gone,
        a_peer(lab, "sockets") as other,
    ):
        app.view.repaint()
        app.live.connections.table.select(gone.connection.id)
        await pilot.press("space")
        lab.interrupt(gone.connection.id)
        await happens(lab, events.Closed, connection=gone.connection.id)
        await look_at(pilot, app, "4")
        looked_at = app.live.connections.table.selected
        assert looked_at is not None
        assert looked_at.id == gone.connection.id
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, FaultForm) and app.screen.is_mounted)
        await pilot.pause()
        offered = [str(name) for name, _ in app.screen.query_one("#target", Select)._options]
        assert f"connection {other.connection.id} of sockets" in offered
        assert not [name for name in offered if name.startswith(f"connection {gone.connection.id} of")]


async def test_many_rows_that_are_filtered_are_worked_out_once_a_second_unless_another_filter_is_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(rows, "MANY", 1)
    monkeypatch.setattr(rows, "monotonic", lambda: now[0])
    async with a_lab(SOCKETS) as lab, a_screen(lab) as (_, app), a_peer(lab, "sockets"), a_peer(lab, "sockets"):
        pane = app.live.connections

        def shown() -> int:
            app.view.repaint()
            return len(pane.table.rows)

        pane.filter = parse("sockets", pane.fields)
        assert shown() == 2
        async with a_peer(lab, "sockets"):
            assert shown() == 2
            now[0] += 1.0
            assert shown() == 3
            async with a_peer(lab, "sockets"):
                assert shown() == 3
                pane.filter = parse("server:sockets", pane.fields)
                assert shown() == 4
