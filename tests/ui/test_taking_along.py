"""What one sees can be copied and saved, searched and scrolled, with keys alone."""

import asyncio
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, SOCKETS, a_lab, a_peer
from support_picture import a_picture
from support_screen import said
from textual.app import App
from textual.events import Key
from textual.widgets import Input, Static

from echotui.server.lab import Lab
from echotui.server.settings import Settings
from echotui.tui import save_form
from echotui.tui.app import EchoApp
from echotui.tui.bindings import explained
from echotui.tui.dialogs import AskSignal, Help
from echotui.tui.fault_form import FaultForm
from echotui.tui.save_form import SaveForm
from echotui.tui.shots import Shot, save
from echotui.tui.views.loop import LoopView


def an_app() -> EchoApp:
    """Return the app over data that stand still."""
    return EchoApp(Lab(Settings()), "asyncio · epoll", picture=a_picture())


def files_in(folder: Path) -> list[Path]:
    """Return the files in a folder, by what their names end in."""
    return sorted(folder.iterdir(), key=lambda path: path.suffix)


def typed(app: EchoApp, text: str) -> None:
    """Let this stand in the filter line."""
    app.screen.query_one("#filter", Input).value = text


async def saved(app: EchoApp) -> None:
    """Return once the question how to save is answered, or has to be asked again."""
    async with asyncio.timeout(PATIENCE):
        while isinstance(app.screen, SaveForm) and not wrong(app):  # noqa: ASYNC110 - a screen tells nobody
            await asyncio.sleep(0.01)


def wrong(app: EchoApp) -> str:
    return str(app.screen.query_one("#save-wrong", Static).content)


async def test_y_copies_the_whole_selected_row_and_says_so() -> None:
    app = an_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.live.connections.table.select(2)
        await pilot.press("y")
        row = "2\tsockets\t127.0.0.1:53202\tunread\t2m\t256 B\t256 B\t"
        assert app.clipboard == row + r"why do you not read? \xff\x1b[2J[/b]\r\n"
        (note,) = said(app)
        assert note.startswith("copied: 2  sockets  127.0.0.1:53202  unread")
        assert "if your terminal lets programs copy" in note


async def test_y_copies_the_detail_that_has_the_keys_and_all_of_it() -> None:
    app = an_app()
    async with app.run_test(size=(140, 45)) as pilot:
        app.live.connections.table.select(2)
        await pilot.press("l", "y")
        assert app.focused is app.live.detail
        copied = app.clipboard.splitlines()
        assert copied[0] == "127.0.0.1:53202 → sockets  fd 12"
        assert copied[-1] == r"why do you not read? \xff\x1b[2J[/b]\r\n"
        assert "and 7 more lines" in said(app)[-1]


async def test_y_says_when_there_is_nothing_to_copy() -> None:
    app = an_app()
    async with app.run_test() as pilot:
        await pilot.press("slash", *"no such row", "enter", "y")
        assert app.clipboard == ""
        assert "nothing to copy" in said(app)[-1]


async def test_ctrl_s_saves_what_is_on_the_screen_as_text_and_picture(tmp_path: Path) -> None:
    app = an_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("space", "ctrl+s")
        app.screen.query_one("#folder", Input).value = str(tmp_path)
        await pilot.press("down", "down", "enter")
        await saved(app)
        text, picture = reversed(files_in(tmp_path))
        assert text.name.startswith("echotui-live-")
        lines = text.read_text("utf-8").splitlines()
        assert len(lines) == 30
        assert "PAUSED" in lines[0]
        assert any(r"hello 6\r\n" in line for line in lines)
        assert not any("Save what is on the screen" in line for line in lines)
        assert picture.read_text("utf-8").startswith("<svg")
        assert said(app) == [f"saved:\n{text}\n{picture}"]


async def test_what_cannot_be_saved_is_told_and_can_be_saved_elsewhere(tmp_path: Path) -> None:
    app = an_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+s")
        app.screen.query_one("#folder", Input).value = str(tmp_path / "missing")
        await pilot.press("enter")
        await saved(app)
        assert wrong(app).startswith(f"not saved: No such file or directory: {tmp_path}/missing/echotui-live-")
        app.screen.query_one("#folder", Input).value = str(tmp_path)
        await pilot.press("enter")
        await saved(app)
        assert len(files_in(tmp_path)) == 1


async def test_a_home_that_nobody_has_is_told(tmp_path: Path) -> None:
    app = an_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+s")
        app.screen.query_one("#folder", Input).value = "~nobody-is-called-so/"
        await pilot.press("enter")
        await saved(app)
        assert wrong(app) == "not saved: there is no such home: ~nobody-is-called-so/"
        app.screen.query_one("#folder", Input).value = str(tmp_path)
        await pilot.press("enter")
        await saved(app)
        assert len(files_in(tmp_path)) == 1


async def test_enter_that_is_pressed_again_while_it_is_being_saved_saves_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, began = threading.Event(), []

    def slowly(*what: Any) -> list[Path]:
        began.append(what)
        assert goes_on.wait(PATIENCE)
        return save(*what)

    monkeypatch.setattr(save_form, "save", slowly)  # as on a slow disk
    app = an_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+s")
        app.screen.query_one("#folder", Input).value = str(tmp_path)
        await pilot.press("enter", "enter", "enter")
        await until(lambda: bool(began))
        goes_on.set()
        await saved(app)
        await pilot.pause()
        assert len(began) == len(files_in(tmp_path)) == 1


async def test_no_file_is_overwritten(tmp_path: Path) -> None:
    app = an_app()
    async with app.run_test():
        shot = Shot(app, "Live")
    first, second = [save(shot, str(tmp_path), "txt")[0] for _ in range(2)]
    assert second.name == f"{first.stem}-2.txt"
    first.write_text("mine")
    save(shot, str(tmp_path), "txt")
    assert first.read_text() == "mine"


@contextmanager
def a_disk_with_room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as if the disk was full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


async def test_a_full_disk_is_told_and_no_half_a_file_is_left(tmp_path: Path) -> None:
    app = an_app()
    async with app.run_test():
        shot = Shot(app, "Live")
    with a_disk_with_room_for(100), pytest.raises(OSError, match=r"File too large.*echotui-live-"):
        save(shot, str(tmp_path), "svg")
    assert files_in(tmp_path) == []


async def test_n_goes_from_match_to_match_and_round_wherever_the_keys_are() -> None:
    app = an_app()
    async with app.run_test() as pilot:
        await pilot.press("n")
        assert said(app)[-1].startswith("nothing is filtered here: / filters")
        await pilot.press("slash", *"sockets", "enter", "tab")
        table = app.live.connections.table
        assert not table.has_focus
        seen = []
        for key in ("n", "n", "n", "N", "N"):
            await pilot.press(key)
            seen.append(table.selected.id if table.selected else None)
        assert seen == [4, 2, 6, 2, 4]
        assert table.has_focus


async def test_the_filter_line_names_its_pane_and_the_titles_of_columns_are_fields() -> None:
    app = an_app()
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press("slash")
        typed(app, "said-last:hello in:64")
        assert str(app.screen.query_one("#filter-of", Static).content) == " filter Connections: "
        await pilot.pause()
        assert [row.id for row in app.live.connections.table.rows] == []
        typed(app, "out:64 age:2m")
        await pilot.press("enter")
        assert [row.id for row in app.live.connections.table.rows] == [1]
        app.live.events.table.focus()
        await pilot.press("slash")
        assert str(app.screen.query_one("#filter-of", Static).content) == " filter Events: "
        typed(app, "age:2")
        await pilot.pause()
        why = str(app.screen.query_one("#filter-wrong", Static).content)
        assert why == "there is no field 'age' here, only time, server, kind, id, fault, text"


async def test_a_detail_that_is_cut_says_so_and_scrolls() -> None:
    app = an_app()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("6", "l")
        detail = app.focused
        assert detail is not None
        assert str(detail.border_subtitle) == "1–7 of 10 lines"
        await pilot.press("j")
        assert str(detail.border_subtitle) == "2–8 of 10 lines"
        await pilot.press("G")
        assert str(detail.border_subtitle) == "4–10 of 10 lines"


async def test_h_and_l_and_the_arrows_go_from_pane_to_pane() -> None:
    app = an_app()
    async with app.run_test(size=(140, 45)) as pilot:
        live = app.live
        order = [live.connections.table, live.detail, live.events.table, live.servers.table]
        for key, at in (("l", 1), ("right", 2), ("l", 3), ("l", 0), ("h", 3), ("left", 2)):
            await pilot.press(key)
            assert app.focused is order[at]


async def test_o_sorts_the_pane_that_has_the_keys() -> None:
    app = an_app()
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press("2", "l", "o")
        view = app.view
        assert isinstance(view, LoopView)
        assert view.registrations.table.has_focus
        assert view.registrations.table.mark == ("for", True)
        assert view.timers.table.mark is None


async def test_a_dialog_has_the_keys_to_itself() -> None:
    async with a_lab(SOCKETS) as lab, a_peer(lab, "sockets") as peer:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(140, 45)) as pilot:
            await pilot.press("4", "enter")
            form = app.screen
            assert isinstance(form, FaultForm)
            form.query_one("#field-seed", Input).focus()
            await pilot.press("q", "b", "1", "space", "s")
            assert form.query_one("#field-seed", Input).value == "qb1 s"
            assert app.screen is form
            await pilot.press("escape", "1", "s", "q")
            assert pilot.app.screen is app.live
            assert pilot.app.is_running
            assert await peer.echoes()


async def test_a_dialog_that_was_held_back_is_painted_by_the_next_frame() -> None:
    app = an_app()
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        dialog = app.screen
        assert isinstance(dialog, Help)
        dialog._owed = True  # as it is when the terminal was behind
        for _ in app._frame():
            pass
        assert not dialog._owed


async def test_every_key_has_a_word_in_the_help_and_an_entry_in_the_palette() -> None:
    app = an_app()
    async with app.run_test() as pilot:
        for key in "123456":
            await pilot.press(key)
            said = {what for _, what in explained(app.keymap, app._offered())}
            named = {command.title for command in app.get_system_commands(app.screen)}
            shown = [
                active.binding
                for active in app.screen.active_bindings.values()
                if active.binding.show and active.node in (app, app.view)
            ]
            assert shown
            assert {binding.tooltip for binding in shown} <= said
            assert {binding.tooltip for binding in shown} - {"Leave; what is still open is ended"} <= named


async def test_many_forgotten_tasks_are_counted_in_the_title() -> None:
    picture = a_picture()
    assert picture.watched is not None
    picture.watched.values["tasks_forgotten"] = 1_234  # type: ignore[attr-defined]
    app: App[int] = EchoApp(Lab(Settings()), "asyncio · epoll", picture=picture)
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press("3")
        assert "2 ended · 1,234 forgotten" in str(app.screen.query_one("#tasks").border_title)


async def test_a_dialog_that_was_just_opened_has_what_is_typed_next() -> None:
    async with a_lab(SOCKETS) as lab, a_peer(lab, "sockets") as peer:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(140, 45)) as pilot:
            app.live.repaint()
            for keys, dialog in (
                (("ctrl+s", *"bxt13C"), SaveForm),
                (("s", *"bx13C"), AskSignal),
                (("question_mark", *"bxt13C"), Help),
                (("4", *["j"] * 11, "k", "enter", *"bxt13C"), FaultForm),
            ):
                burst(app, *keys)
                await until(lambda dialog=dialog: isinstance(app.screen, dialog))  # type: ignore[misc]
                await pilot.pause()
                assert isinstance(app.screen, dialog)
                if isinstance(app.screen, FaultForm):
                    assert app.screen.query_one("#field-ms", Input).value == "bxt13C"
                await pilot.press("escape")
                assert app.screen is app.view
            assert not app.view.picture.frozen
            await pilot.press("1")
            burst(app, "enter", "1")
            await until(lambda: bool(app.view.header.trail))
            assert app.view.header.trail == ("Live",)
            assert await peer.echoes()


async def test_a_folder_is_typed_as_fast_as_it_can_be() -> None:
    app = an_app()
    async with app.run_test(size=(100, 30)) as pilot:
        for _ in range(20):
            burst(app, "ctrl+s", "tab", "ctrl+u", *"/proc?q")
            await until(lambda: isinstance(app.screen, SaveForm))
            await pilot.pause()
            assert app.screen.query_one("#folder", Input).value == "/proc?q"
            await pilot.press("escape")


async def test_what_is_typed_after_enter_is_no_part_of_the_line() -> None:
    async with a_lab(SOCKETS) as lab, a_peer(lab, "sockets"):
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(140, 45)) as pilot:
            app.live.repaint()
            burst(app, "slash", *"socket", "enter", "n", "4", *["j"] * 11, "k", "enter", *"250", "enter", "3")
            await until(lambda: app.view.name_ == "Tasks")
            assert app.live.connections.filter.text == "socket"
            assert [fault.params["ms"] for fault in lab.faults.active.values()] == [250]
            await pilot.pause()
            assert app.screen is app.view


def burst(app: EchoApp, *keys: str) -> None:
    """Let these keys come in all at once, as they do when the terminal was busy."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None))


async def until(what: Callable[[], bool]) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - a screen tells nobody
            await asyncio.sleep(0.01)
