"""Keys of the user's own: they act, and the footer, the help and every sentence name them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support import SOCKETS, a_lab, a_peer, happens
from support_screen import said
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input

from echotui.server import events
from echotui.server.lab import Lab
from echotui.server.observe.places import Place
from echotui.tui.app import EchoApp
from echotui.tui.bindings import explained
from echotui.tui.chooser import Chooser
from echotui.tui.dialogs import AskSignal, Help, HelpText
from echotui.tui.fault_form import FaultForm
from echotui.tui.keys import KEYS, Keymap
from echotui.tui.links import Kind, Link, Thing
from echotui.tui.place import SourceLines
from echotui.tui.views.live import LiveView
from echotui.tui.views.view import View
from echotui.tui.widgets.keys import Keys
from echotui.tui.widgets.table import VirtualTable


@asynccontextmanager
async def with_keys(
    lab: Lab, keys: Mapping[str, tuple[str, ...]], **options: Any
) -> AsyncIterator[tuple[Pilot[int], Any]]:
    """Run the app with these keys; yield the pilot and the app."""
    app = EchoApp(lab, "a loop", keymap=Keymap(keys), **options)
    async with app.run_test(size=(140, 60)) as pilot:
        yield pilot, app


def footer(app: EchoApp) -> dict[str, str]:
    """Return what the footer shows: keys by what they do."""
    return {label: shown for _, shown, label in app.view.query_one(Keys)._shown()}


def test_every_binding_with_an_id_can_be_mapped_and_every_key_of_the_map_is_bound() -> None:
    views = [type(view) for view in _views()]
    owners = (EchoApp, View, VirtualTable, LiveView, *views)
    bindings = [one for owner in owners for one in vars(owner).get("BINDINGS", ()) if isinstance(one, Binding)]
    assert {one.id for one in bindings if one.id} == {key.id for key in KEYS}


def _views() -> list[View]:
    from support_picture import a_picture

    from echotui.tui.views.faults import FaultsView
    from echotui.tui.views.loop import LoopView
    from echotui.tui.views.problems import ProblemsView
    from echotui.tui.views.shutdown import ShutdownView
    from echotui.tui.views.tasks import TasksView

    return [kind(a_picture()) for kind in (LoopView, TasksView, FaultsView, ShutdownView, ProblemsView)]


async def test_a_key_of_ones_own_acts_and_the_default_does_not_any_more() -> None:
    async with a_lab(SOCKETS) as lab, with_keys(lab, {"app.boom": ("f5", "B")}) as (pilot, app):
        async with a_peer(lab, "sockets") as one, a_peer(lab, "sockets") as two:
            app.live.repaint()
            app.live.connections.table.select(one.connection.id)
            await pilot.press("b")
            assert await one.echoes()
            await pilot.press("f5")
            await happens(lab, events.Closed, connection=one.connection.id)
            app.live.repaint()
            app.live.connections.table.select(two.connection.id)
            await pilot.press("B")
            await happens(lab, events.Closed, connection=two.connection.id)


async def test_keys_can_change_places() -> None:
    swapped = {"app.boom": ("x",), "app.interrupt": ("b",), "app.live": ("2",), "app.loop": ("1",)}
    async with a_lab(SOCKETS) as lab, with_keys(lab, swapped) as (pilot, app), a_peer(lab, "sockets") as peer:
        await pilot.press("1")
        assert app.view.name_ == "Loop"
        await pilot.press("2")
        assert app.view.name_ == "Live"
        app.live.repaint()
        await pilot.press("b")
        closed = await happens(lab, events.Closed, connection=peer.connection.id)
        assert "cancelled" in closed.reason


async def test_every_key_can_be_another_and_each_still_does_its_own() -> None:
    named = {key.id: (f"f{number}",) for number, key in enumerate(KEYS[:24], 1)}
    rest = {key.id: (f"alt+{letter}",) for key, letter in zip(KEYS[24:], "abcdefghijklmnop", strict=False)}
    async with a_lab(SOCKETS) as lab, with_keys(lab, named | rest) as (pilot, app):
        for number, name in enumerate(("Live", "Loop", "Tasks", "Faults", "Shutdown", "Problems"), 1):
            await pilot.press(f"f{number}")
            assert app.view.name_ == name
        await pilot.press(named["app.live"][0], named["view.filter"][0])
        assert app.view.typing
        await pilot.press("q", "escape", named["app.pause"][0])
        assert app.view.picture.frozen
        await pilot.press(named["app.pause"][0], named["app.tasks"][0])
        before = app.view.tasks.with_ui
        await pilot.press(rest.get("tasks.ui", named.get("tasks.ui", ("",)))[0])
        assert app.view.tasks.with_ui is not before
        await pilot.press(named["app.faults"][0])
        table = app.view.catalogue.table
        first = table.selected
        await pilot.press("j", "down", "G")
        assert table.selected is first
        await pilot.press(rest["table.down"][0])
        assert table.selected is table.rows[1]
        await pilot.press("k", "up", "g")
        assert table.selected is table.rows[1]
        await pilot.press(rest["table.first"][0])
        assert table.selected is first
        await pilot.press(rest["table.last"][0])
        assert table.selected is table.rows[-1]


async def test_footer_help_and_tabs_show_the_users_keys() -> None:
    keys = {"app.boom": ("ctrl+b",), "app.help": ("f1",), "app.chat": (",",), "app.pause": ("p",), "app.loop": ("L",)}
    async with a_lab(SOCKETS) as lab, with_keys(lab, keys) as (pilot, app):
        await pilot.pause()
        shown = footer(app)
        assert (shown["boom"], shown["help"], shown["chat"], shown["pause"]) == ("^b", "f1", ",", "p")
        assert shown["filter"] == "/"
        assert "L Loop" in app.view.query_one("Tabs").lines(140, 1)[0].text
        assert "or press ," in app.live.connections.why_empty()
        await pilot.press("question_mark")
        assert app.screen is app.view
        await pilot.press("f1")
        assert isinstance(app.screen, Help)
        lines = {line.strip() for line in app.screen.query_one(HelpText).plain().splitlines()}
        assert "ctrl+b  Let the selected connection's handler raise" in lines
        assert ",  Let a built-in client chat with the selected server" in lines
        assert "4 f  Look at view 4, Faults" in lines
        await pilot.press("f1")
        assert app.screen is app.view


async def test_what_the_views_say_of_keys_names_the_users() -> None:
    keys = {
        "tasks.ui": ("U",),
        "problems.ui": ("I",),
        "live.charts": ("w",),
        "loop.charts": ("W",),
        "app.treat": ("€",),
    }
    async with a_lab(SOCKETS) as lab, with_keys(lab, keys) as (pilot, app):
        for view, says in (("1", ("charts w:", "the lesson of €")), ("2", ("charts W:",))):
            await pilot.press(view, "question_mark")
            assert isinstance(app.screen, Help)
            text = " ".join(app.screen.query_one(HelpText).plain().split())
            assert all(sentence in text for sentence in says)
            assert "{" not in text
            await pilot.press("escape")
        await pilot.press("3")
        assert app.view.tasks.title().endswith(" · U shows Textual's own")
        await pilot.press("6")
        app.view.problems._hidden = 1
        assert app.view.problems.title().endswith(" by this screen, I shows it")


async def test_a_list_of_links_and_a_line_are_left_and_moved_in_by_the_users_keys() -> None:
    keys = {
        "app.quit": ("a",),
        "view.return": ("w",),
        "table.down": ("down", "1"),
        "table.up": ("up", "2"),
        "table.choose": ("v",),
        "app.live": ("f2",),
        "app.loop": ("f3",),
    }
    links = [(Link(f"role {at}", Thing(Kind.TASK, at), ""), "Tasks") for at in range(8)]
    async with a_lab(SOCKETS) as lab, with_keys(lab, keys) as (pilot, app):
        answers: list[Thing | None] = []
        for typed in (("a",), ("w",), ("3",), ("b",), ("1", "1", "2", "enter")):
            await app.push_screen(Chooser("links", links), answers.append)
            await pilot.press(*typed)
            assert app.screen is app.view
        first, eighth, second = (links[at][0].thing for at in (0, 7, 1))
        assert answers == [None, None, first, eighth, second]
        for key in ("a", "w", "v", "escape"):
            await app.push_screen(SourceLines(Place(__file__, 1, "here")))
            await pilot.press("q", key)
            assert app.screen is app.view


async def test_a_key_of_the_app_does_nothing_behind_a_question() -> None:
    async with a_lab(SOCKETS) as lab, with_keys(lab, {"app.quit": ("Q",)}) as (pilot, app):
        async with a_peer(lab, "sockets") as peer:
            app.live.repaint()
            for opens, dialog, closes in (
                ("s", AskSignal, "Q"),
                ("question_mark", Help, "Q"),
                ("s", AskSignal, "escape"),
            ):
                await pilot.press(opens)
                assert isinstance(app.screen, dialog)
                await pilot.press("b", "x", "2", "space", "q")
                assert isinstance(app.screen, dialog)
                assert app.view is app.live
                assert not app.view.picture.frozen
                assert await peer.echoes()
                await pilot.press(closes)
                assert app.screen is app.view
            await pilot.press("Q")
            assert app.return_code == 0


async def test_what_is_typed_into_a_form_is_not_taken_for_keys_of_ones_own() -> None:
    keys = {
        "app.boom": ("7",),
        "app.suspend": ("8",),
        "app.quit": ("9",),
        "table.choose": ("v",),
        "app.pause": ("f9",),
    }
    async with a_lab(SOCKETS) as lab, with_keys(lab, keys) as (pilot, app), a_peer(lab, "sockets") as peer:
        await pilot.press("4")
        app.view.catalogue.table.select("latency")
        await pilot.press("v")
        form = app.screen
        assert isinstance(form, FaultForm)
        line = form.query_one("#field-ms", Input)
        line.value = ""
        await pilot.press("7", "8", "9")
        assert line.value == "789"
        await pilot.press("enter")
        assert app.screen is app.view
        (fault,) = lab.faults.active.values()
        assert fault.params["ms"] == 789
        fault.undo()
        await pilot.press("slash", "7", "8", "9")
        assert app.view.query_one("#filter", Input).value == "789"
        assert await peer.echoes()


@pytest.mark.parametrize("keys", [{}, {"app.boom": ("f5",), "app.send_signal": ("f6",), "faults.undo_all": ("f7",)}])
async def test_read_only_takes_away_what_changes_anything_on_whatever_key(keys: dict[str, tuple[str, ...]]) -> None:
    async with a_lab(SOCKETS) as lab, with_keys(lab, keys, read_only=True) as (pilot, app):
        async with a_peer(lab, "sockets") as peer:
            app.live.repaint()
            fault = lab.faults.inject("latency", peer.connection.id, {"ms": "1"})
            await pilot.press("b", "f5", "x", "s", "f6", "4", "Z", "f7")
            assert app.screen is app.view
            assert await peer.echoes()
            assert fault.active
            assert "Undo all faults" not in [what for _, what in explained(app.keymap, app._offered())]


async def test_the_footer_writes_a_key_as_it_is_typed() -> None:
    async with a_lab(SOCKETS) as lab, with_keys(lab, {"app.treat": ("€",), "app.boom": (",",)}) as (_, app):
        assert (footer(app)["errors"], footer(app)["boom"], footer(app)["help"]) == ("€", ",", "?")


async def test_read_only_says_so_where_a_key_was_taken_away_and_only_there() -> None:
    keys = {"app.boom": ("f5",), "app.treat": ("€",)}
    async with a_lab(SOCKETS) as lab, with_keys(lab, keys, read_only=True) as (pilot, app):
        for key in ("b", "3", "f5", "4", "1", "slash", *"xCs", "escape"):
            await pilot.press(key)
        assert said(app) == []
        for view, key in (("1", "f5"), ("1", "€"), ("4", "z")):
            app.clear_notifications()
            await pilot.press(view, key)
            assert said(app) == ["read-only: nothing can be changed here"]


async def test_the_theme_applies() -> None:
    async with a_lab(SOCKETS) as lab, with_keys(lab, {}, theme="gruvbox") as (_, app):
        assert app.current_theme.name == "gruvbox"
