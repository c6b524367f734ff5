"""The Live view, driven with Textual's Pilot, over a real lab on the same loop.

This is also a model for testing widgets of one's own: open what the widget shows, let a pilot press the keys, and
look at the widget's own state.
"""

import asyncio
import dataclasses
import socket
import sys
from collections import Counter
from typing import Any

import pytest
from support import PATIENCE, SOCKETS, a_lab, a_peer, happens
from support_picture import a_picture
from support_screen import a_screen, until
from textual.events import Key, Resize
from textual.geometry import Size

from echotui.server import events
from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.records import Connection, Treatment
from echotui.server.settings import Settings
from echotui.tui import frames
from echotui.tui.app import EchoApp
from echotui.tui.dialogs import HelpText
from echotui.tui.filter import parse
from echotui.tui.frames import FrameClock
from echotui.tui.picture import picture_of
from echotui.tui.views.live import LiveView
from echotui.tui.views.rows import A_FEW


async def shows(view: LiveView, *connections: int) -> None:
    """Draw a frame; check that these connections are on the screen, from top to bottom."""
    view.repaint()
    assert [row.id for row in view.connections.table.rows] == list(connections)


async def test_the_newest_connection_is_on_top_and_the_cursor_stays_with_its_own() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as first:
        view = app.live
        await shows(view, first.connection.id)
        async with a_peer(lab, "sockets") as second:
            await shows(view, second.connection.id, first.connection.id)
            assert view.connections.table.selected is first.connection
            await pilot.press("up")
            assert view.connections.table.selected is second.connection
        await happens(lab, events.Closed, connection=second.connection.id)
        await shows(view, first.connection.id, second.connection.id)
        assert view.connections.table.selected is second.connection


async def test_boom_reaches_the_selected_connection_and_no_other() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as one:
        view = app.live
        async with a_peer(lab, "selectors") as other:
            view.repaint()
            view.connections.table.select(one.connection.id)
            await pilot.press("b")
            await happens(lab, events.Closed, connection=one.connection.id)
            assert await one.hear(1) == b""
            assert await other.echoes()


async def test_a_command_that_cannot_be_done_is_answered_and_not_raised() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        view = app.live
        await pilot.press("b", "x")
        async with a_peer(lab, "sockets") as peer:
            view.repaint()
        await happens(lab, events.Closed, connection=peer.connection.id)
        await pilot.press("b")
        notes = [note.message for note in pilot.app._notifications]
        assert notes == [
            "no connection is selected: connect one, or press C",
            "no connection is selected: connect one, or press C",
            f"connection {peer.connection.id} is closed already",
        ]


async def test_errors_go_through_the_three_treatments() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, _):
        seen = []
        for _ in Treatment:
            await pilot.press("e")
            seen.append(lab.servers["sockets"].record.treatment)
        assert seen == [Treatment.UNRETRIEVED, Treatment.RETAINED, Treatment.HANDLED]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("server:sockets", ["sockets"]), ("!sockets", ["selectors"]), ("open", ["selectors", "sockets"]), ("42x", [])],
)
async def test_a_filter_narrows_the_connections(text: str, chosen: list[str]) -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        view = app.live
        async with a_peer(lab, "sockets"), a_peer(lab, "selectors"):
            await pilot.press("slash", *text, "enter")
            view.repaint()
            assert [row.server for row in view.connections.table.rows] == chosen
            await pilot.press("escape")
            view.repaint()
            assert len(view.connections.table.rows) == 2


async def test_a_filter_over_many_rows_is_worked_out_some_at_a_time_and_a_newer_one_wins() -> None:
    many = 20 * A_FEW
    app = EchoApp(Lab(Settings(port=0)), "a loop", refresh=0.1, picture=a_picture(connections=many))
    async with app.run_test(size=(140, 45)):
        pane = app.live.connections
        pane.repaint()
        everything = [row.id for row in pane.table.rows]
        pane.filter = parse("!id:1", pane.askable)
        steps = pane.steps()
        for _ in range(many // A_FEW):
            next(steps)
        assert [row.id for row in pane.table.rows] == everything
        for _ in steps:
            pass
        assert [row.id for row in pane.table.rows] == [one for one in everything if "1" not in str(one)]
        older = pane.steps()
        pane.filter = parse("id:1", pane.askable)
        next(older)
        pane.filter = parse("id:2", pane.askable)
        pane.repaint()
        for _ in older:
            pass
        assert [row.id for row in pane.table.rows] == [one for one in everything if "2" in str(one)]


async def test_the_loop_turns_while_a_filter_that_is_typed_looks_into_many_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "LONG_SLICE", 0.0)
    app = EchoApp(Lab(Settings(port=0)), "a loop", refresh=0.1, picture=a_picture(connections=10 * A_FEW))
    async with app.run_test(size=(140, 45)) as pilot:
        pane = app.live.connections
        pane.repaint()
        turns: Counter[bool] = Counter()

        def turn() -> None:
            turns[pane._at_work is not None] += 1
            asyncio.get_running_loop().call_soon(turn)

        turn()
        await pilot.press("slash", *"id:3")
        assert turns[True] >= 10
        assert pane._at_work is None
        assert pane.table.rows
        assert all("3" in str(row.id) for row in pane.table.rows)


async def test_events_are_looked_into_once_each_whoever_does_it_and_by_the_newest_filter() -> None:
    picture = dataclasses.replace(a_picture(connections=10), journal=Journal(detail_rate=None))
    for number in range(10 * A_FEW):
        picture.journal.record(events.SelectTimeout("sockets" if number % 2 else "selectors", 1.0))
    app = EchoApp(Lab(Settings(port=0)), "a loop", refresh=0.1, picture=picture)
    async with app.run_test(size=(140, 45)):
        pane = app.live.events
        pane.filter = parse("server:sockets", pane.askable)
        one, other = pane.work_out(), pane.work_out()
        for _ in zip(one, other, strict=False):
            pass
        pane.repaint()
        assert [*pane.table.rows] == [*range(2, 10 * A_FEW + 1, 2)]
        pane.filter = parse("server:selectors", pane.askable)
        older = pane.work_out()
        next(older)
        pane.filter = parse("!server:selectors", pane.askable)
        next(pane.work_out())
        for _ in older:
            pass
        pane.repaint()
        assert [*pane.table.rows] == [*range(2, 10 * A_FEW + 1, 2)]


async def test_events_are_filtered_as_they_come() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        view = app.live
        view.events.table.focus()
        await pilot.pause()
        await pilot.press("slash", *"kind:accepted", "enter")
        async with a_peer(lab, "sockets"), a_peer(lab, "selectors"):
            view.repaint()
            kinds = [lab.journal[seq].event.kind for seq in view.events.table.rows]
            assert kinds == ["accepted", "accepted"]


async def test_events_follow_until_one_looks_back_and_again_from_the_end() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        view = app.live
        table = view.events.table
        table.focus()
        async with a_peer(lab, "sockets"):
            view.repaint()
            assert table.selected == table.rows[-1]
            await pilot.press("home")
            looked_at = table.selected
        await happens(lab, events.Closed)
        view.repaint()
        assert table.selected == looked_at
        await pilot.press("end")
        assert table.selected == table.rows[-1]
        assert table.follows


async def test_pause_keeps_the_picture_and_the_lab_goes_on() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets") as peer:
        view = app.live
        await peer.echoes(b"before\r\n")
        await pilot.press("space")
        async with a_peer(lab, "sockets"):
            assert await peer.echoes(b"after\r\n")
            view.repaint()
            row = view.connections.table.rows[0]
            assert [row.id for row in view.connections.table.rows] == [peer.connection.id]
            assert row.last_in == b"before\r\n"
            assert view.picture.missed is not None
            assert view.picture.missed() > 0
            await pilot.press("space")
            assert len(view.connections.table.rows) == 2


def by_bytes(rows: Any) -> list[int]:
    return [row.bytes_in for row in rows if isinstance(row, Connection)]


async def test_sorting_goes_through_the_columns_and_both_ways() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        view = app.live
        async with a_peer(lab, "sockets") as one, a_peer(lab, "sockets") as two:
            await one.echoes(b"a longer line than the other\r\n")
            await two.echoes(b"short\r\n")
            for _ in range(5):  # server, peer, state, age, in
                await pilot.press("o")
            assert view.connections.table.mark == ("in", True)
            assert by_bytes(view.connections.table.rows) == [30, 7]
            await pilot.press("O")
            assert by_bytes(view.connections.table.rows) == [7, 30]


async def test_a_frame_in_which_nothing_changed_draws_nothing() -> None:
    # A frame of the clock's own, in an unlucky moment, would have drawn already what this one is to draw.
    async with a_lab(select_timeout=60.0) as lab, a_screen(lab, refresh=1 / 3600) as (_, app):
        view = app.live
        for _ in view.frame():
            pass
        assert [*view.frame()] == []
        async with a_peer(lab, "selectors"):
            assert [*view.frame()] != []


async def test_what_happens_is_drawn_though_the_clock_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameClock, "pause", 3600.0)
    async with a_lab() as lab, a_screen(lab) as (_, app):
        for _ in range(3):  # the first may come while the first frame is drawn
            async with a_peer(lab, "sockets") as peer:
                await until(lambda: peer.connection in app.live.connections.table.rows)


async def test_seconds_go_on_though_the_clock_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameClock, "pause", 3600.0)
    async with a_lab(select_timeout=60.0) as lab, a_screen(lab) as (_, app):
        for _ in range(3):
            drawn = [line.made_of for line in app.live.header._lines]
            await until(lambda drawn=drawn: [line.made_of for line in app.live.header._lines] != drawn)  # type: ignore[misc]
        assert lab.vitals.samples >= 2


async def test_what_stands_still_is_drawn_again_only_for_how_much_one_has_missed() -> None:
    async with a_lab(select_timeout=60.0) as lab, a_screen(lab, refresh=1 / 3600) as (_, app):
        app.live.look_at(app.live.picture.freeze())
        for _ in app.live.frame():
            pass
        assert [*app.live.frame()] == []
        lab.journal.record(events.LabClosed())
        assert [*app.live.frame()] != []
        assert "1 event" in "".join(text for line in app.live.header._lines for text, _ in line.pieces)
        assert [*app.live.frame()] == []


@pytest.mark.parametrize(("seconds", "at_once"), [(0.99, True), (1.0, False)])
async def test_a_select_that_comes_back_empty_is_drawn_with_the_seconds_unless_it_is_faster(
    seconds: float,
    at_once: bool,  # noqa: FBT001
) -> None:
    lab = Lab(Settings(port=0, select_timeout=seconds))
    live = picture_of(lab, "asyncio · epoll", lambda: None)
    assert live.is_news(events.SelectTimeout("selectors", seconds)) is at_once
    assert live.is_news(events.LabClosed())
    app = EchoApp(lab, "asyncio · epoll", refresh=1 / 3600, picture=live)
    async with app.run_test(size=(140, 45)):
        for _ in app.live.frame():
            pass
        lab.journal.record(events.SelectTimeout("selectors", seconds))
        assert bool([*app.live.frame()]) is at_once
        lab.vitals.samples += 1
        assert [*app.live.frame()] != []
        assert lab.journal.recorded in app.live.events.table.rows


async def test_read_only_takes_every_key_away_that_changes_something() -> None:
    async with a_lab() as lab, a_screen(lab, read_only=True) as (pilot, app), a_peer(lab, "sockets") as peer:
        view = app.live
        view.repaint()
        before = lab.journal.recorded
        await pilot.press("b", "x", "C", "e", "s", "r")
        assert await peer.echoes()
        told = [entry.event for entry in lab.journal.since(before)]
        # The test's own waiting is observed as well, and told by another module.
        assert [event.kind for event in told if type(event).__module__ == events.__name__ and not event.detail] == []
        assert pilot.app.screen is view


async def test_many_connections_cost_a_frame_no_more_lines_than_fit() -> None:
    async with a_lab() as lab, a_screen(lab) as (_, app):
        view = app.live
        server = lab.servers["selectors"].record
        socks = [socket.create_connection((server.host, server.port)) for _ in range(120)]
        try:
            await happens(lab, events.Accepted, connection=120)
            view.repaint()
            assert len(view.connections.table.rows) == 120
            assert len(view.connections.table._lines) == view.connections.table.content_size.height
        finally:
            for sock in socks:
                sock.close()


@pytest.mark.parametrize(
    ("fault", "params", "says", "condition"),
    [
        ("latency", {"ms": 60_000}, b"hello\r\n", "held"),
        ("stop-reading", {}, b"hello\r\n", "held"),
        ("slow-close", {"ms": 60_000}, b"boom\r\n", "closing late"),
    ],
)
async def test_what_a_fault_makes_of_a_connection_is_drawn(
    fault: str, params: dict[str, object], says: bytes, condition: str
) -> None:
    async with a_lab() as lab, a_screen(lab) as (_, app), a_peer(lab, "sockets") as peer:
        view = app.live
        lab.faults.inject(fault, peer.connection.id, params)
        await peer.say(says)
        async with asyncio.timeout(PATIENCE):
            while peer.connection.condition != condition:  # noqa: ASYNC110 - a record is plain data and tells nobody
                await asyncio.sleep(0)
        view.repaint()
        table = view.connections.table
        assert condition[:7] in "\n".join(strip.text for strip in table.lines(*table.content_size))


@pytest.mark.parametrize(
    "keys", [["question_mark"] * 4, ["s"] * 4, ["s", "question_mark", "ctrl+p", "s"]], ids=" ".join
)
async def test_however_fast_keys_come_there_is_one_question_at_a_time(keys: list[str]) -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        view = app.live
        for key in keys:
            pilot.app.post_message(Key(key, None))  # none of them waits for what the one before has led to
        await pilot.pause()
        assert pilot.app.screen_stack[0] is view
        assert len(pilot.app.screen_stack) <= 2
        await pilot.press("escape")
        assert pilot.app.screen is view


async def test_sizes_that_overtake_each_other_while_the_view_changes_end_in_the_one_the_terminal_has() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, app):
        view = app.live
        await pilot.pause(0.2)
        pilot.app.delay_update()  # as a change of view does
        for size in (Size(80, 24), Size(100, 30)):
            view.post_message(Resize(size, size))
            view.call_later(view.refresh)
        await pilot.pause(0.2)
        assert view.size == pilot.app.size == Size(140, 45)
        assert not view.has_class("-narrow")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_the_system_goes_on_with_a_connection_that_nobody_serves_and_the_detail_says_so() -> None:
    async with a_lab(SOCKETS, may_complain=True) as lab, a_screen(lab) as (_, app):
        view = app.live
        lab.treat(Treatment.RETAINED)
        async with a_peer(lab, "sockets") as peer:
            await peer.say(b"boom\n")
            await happens(lab, events.HandlerFailed, connection=peer.connection.id)
            await peer.say(b"anybody there?\r\n")
        view.repaint()
        view.connections.table.select(peer.connection.id)
        view.repaint()
        width, height = view.detail.content_size
        said = "\n".join(strip.text for strip in view.detail.lines(width, height))
        assert "left open retained" in said
        assert "CLOSE-WAIT" in said
        assert "16 B that nobody has read" in said


async def test_the_help_is_one_widget_however_many_keys_it_names() -> None:
    async with a_lab() as lab, a_screen(lab) as (pilot, _):
        await pilot.press("question_mark")
        text = pilot.app.screen.query_one(HelpText)
        assert text.plain().count("\n") > 40
        # Textual has a few of its own on every screen. Each is styled and laid out several times: that takes the time.
        assert len([*pilot.app.screen.walk_children()]) <= 5
        assert pilot.app.focused is text
        await pilot.press("G")
        assert "A field that does not exist" in "".join(strip.text for strip in text.lines(*text.content_size))
