"""A frame that is drawn in pieces, because the loop is busy, comes to the terminal whole."""

import asyncio
import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import PATIENCE, a_lab, a_peer
from support_picture import a_picture
from support_screen import a_screen, look_at, until
from textual.geometry import Region
from textual.widget import Widget

from echotui.server.events import SelectTimeout
from echotui.server.journal import Journal
from echotui.server.lab import Lab
from echotui.server.settings import Settings
from echotui.tui import frames
from echotui.tui.app import EchoApp
from echotui.tui.terminal import AsciiDriver, PatientDriver
from echotui.tui.widgets.lines import MADE_KEPT

#: What stands in a frame, one after the other.
WORDS = [
    *("1 recorded", "2 recorded", "22 recorded", "33 recorded", "世 recorded"),
    *("1", "2", "", "3", "x" * 300, "y" * 300, "1", "m", "0"),
]


@contextmanager
def a_terminal(kind: type[PatientDriver] = PatientDriver) -> Iterator[tuple[Any, int]]:
    """Yield a driver, and the descriptor from which a terminal would read what is drawn."""
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    driver: Any = kind.__new__(kind)
    vars(driver).update(_held="", _unwritten=b"", _output=writes, _writer_thread=None, _is_with_shell=False)
    try:
        yield driver, reads
    finally:
        os.close(reads)
        os.close(writes)


class NoLoop:
    """As much of a loop as a driver asks for whose terminal takes everything at once."""

    def remove_writer(self, _: int) -> None:
        """There is none."""


@contextmanager
def a_terminal_of(app: EchoApp) -> Iterator[tuple[Any, int]]:
    """Have the app draw to such a terminal for a while, and not to that of the tests, which is none."""
    headless = app._driver
    with a_terminal() as (driver, reads):
        driver._loop = NoLoop()
        app._driver = driver
        try:
            yield driver, reads
        finally:
            app._driver = headless


def drawn(reads: int) -> str:
    """Return what has come to the terminal since this was asked before."""
    try:
        return os.read(reads, 1_000_000).decode()
    except BlockingIOError:
        return ""


async def test_a_frame_in_pieces_is_the_frame_at_once_and_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "SLICE", 0.0)
    still = a_picture(connections=30)
    picture = dataclasses.replace(still, journal=Journal(detail_rate=None))
    app = EchoApp(Lab(Settings(port=0)), "asyncio · epoll", refresh=0.1, picture=picture)
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        said = []
        with a_terminal_of(app) as (_, reads):
            for at_once in (True, False):
                for connection in picture.connections.open.values():
                    connection.bytes_in = 1000
                app.view.repaint()
                drawn(reads)
                for connection in picture.connections.open.values():
                    connection.bytes_in = 2000
                frame, pieces = app.view.steps(app.view.panes()), 1
                while not app._clock._advance(frame, at_once=at_once):
                    pieces += 1
                    assert not drawn(reads)
                assert (pieces > 10) is not at_once
                said.append(drawn(reads))
        assert "2.0" in said[0] or "2,000" in said[0]
        assert _cells(said[0]) == _cells(said[1])


async def test_the_clock_looks_by_itself_where_neither_events_nor_the_vitals_tell() -> None:
    async with a_lab(select_timeout=60.0) as lab, a_screen(lab) as (pilot, app), a_peer(lab, "sockets"):
        assert not app._may_be_new()
        for key, looks in (("2", True), ("3", True), ("4", False), ("1", False)):
            await look_at(pilot, app, key)
            assert app._may_be_new() is looks
        with a_terminal_of(app) as (driver, _):
            assert not app._may_be_new()
            driver._unwritten = b"what it has not taken"
            assert app._may_be_new()
            driver._unwritten = b""
        lab.journal.details_open = False
        assert app._may_be_new()
        lab.journal.details_open = True
        stopping = asyncio.get_running_loop().create_task(lab.stop(drain=PATIENCE), name="stopping")
        await until(lambda: lab.draining_until is not None)
        assert app._may_be_new()
        await lab.stop(drain=0)
        await stopping
        assert not app._may_be_new()


async def test_lines_that_have_gone_by_are_forgotten() -> None:
    picture = dataclasses.replace(a_picture(connections=10), journal=Journal(detail_rate=None))
    app = EchoApp(Lab(Settings(port=0)), "asyncio · epoll", refresh=0.1, picture=picture)
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        table = app.live.events.table
        most = 2 * MADE_KEPT * table.content_size.height
        for turn in range(most):
            picture.journal.record(SelectTimeout("selectors", float(turn)))
            app.view.repaint()
            assert 0 < len(table._made) <= most


def _cells(text: str) -> list[str]:
    """Return the pieces that were put somewhere, without those that only put the cursor back, or begin and end."""
    pieces = text.replace("\x1b[?2026h", "").replace("\x1b[?2026l", "").split("\x1b[")
    at = [number for number, piece in enumerate(pieces) if piece.endswith("H")]
    return [piece for number, piece in enumerate(pieces) if number not in at]


async def test_what_is_drawn_after_a_piece_that_could_not_go_straight_to_the_terminal_comes_at_once() -> None:
    app = EchoApp(Lab(Settings(port=0)), "asyncio · epoll", refresh=0.1, picture=a_picture(connections=10))
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        with a_terminal_of(app) as (driver, reads):
            driver._unwritten = b"the terminal is behind"
            with app.view.drawing as drawing:
                drawing.goes_on = True
            driver._unwritten = b""
            with app.view.drawing:
                app.live.events.label("Events", "at once")
            assert "at once" in drawn(reads)


async def test_new_words_in_a_frame_are_drawn_as_textual_draws_them() -> None:
    app = EchoApp(Lab(Settings(port=0)), "asyncio · epoll", refresh=0.1, picture=a_picture(connections=10))
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.pause()
        pane = app.live.events
        with a_terminal_of(app) as (_, reads):
            for words in WORDS:
                if words == "33 recorded":
                    app.theme = "textual-light"
                    await pilot.pause()
                drawn(reads)
                with app.view.drawing:
                    pane.label("Events", words)
                (strip,) = Widget.render_lines(pane, Region(0, pane.outer_size.height - 1, pane.outer_size.width, 1))
                assert strip.render(app.console) in drawn(reads), words


def test_what_is_held_comes_before_whatever_comes_next() -> None:
    with a_terminal() as (driver, reads):
        driver._loop = NoLoop()
        driver.hold("one ")
        driver.hold("two ")
        assert driver.holds
        assert not drawn(reads)
        driver.write("three")
        assert not driver.holds
        assert drawn(reads) == "one two three"


def test_what_is_held_is_ascii_where_everything_is() -> None:
    with a_terminal(AsciiDriver) as (driver, reads):
        driver._loop = NoLoop()
        driver.hold("│")
        driver.write("│")
        assert drawn(reads) == "||"


def test_what_is_held_is_drawn_anew_where_the_terminal_is_given_back() -> None:
    with a_terminal() as (driver, reads):
        driver._loop = NoLoop()
        driver.hold("held")
        driver._is_with_shell = True
        driver.write("and written")
        assert not driver.holds
        driver._is_with_shell = False
        driver.write("later")
        assert drawn(reads) == "later"


async def test_a_view_that_was_seen_before_is_at_the_terminal_once_one_goes_to_it() -> None:
    app = EchoApp(Lab(Settings(port=0)), "asyncio · epoll", refresh=0.1, picture=a_picture(connections=10))
    async with app.run_test(size=(140, 45)) as pilot:
        for key in ("2", "1"):
            await look_at(pilot, app, key)
        with a_terminal_of(app) as (_, reads):
            await app.show_view("2")
            whole = drawn(reads)
            assert all(title in whole for title in ("Ticks", "Timers", "Registrations"))
            await pilot.pause()
            assert "Registrations" not in drawn(reads)  # not once more


async def test_a_view_that_was_seen_in_another_size_is_laid_out_before_it_is_drawn() -> None:
    app = EchoApp(Lab(Settings(port=0)), "asyncio · epoll", refresh=0.1, picture=a_picture(connections=10))
    async with app.run_test(size=(140, 45)) as pilot:
        await look_at(pilot, app, "2")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        with a_terminal_of(app) as (_, reads):
            await app.show_view("1")
            assert drawn(reads) == ""
            await until(lambda: app.live.has_class("-short") and not app._batch_count)
            await pilot.pause()
            assert "Servers" in drawn(reads)
