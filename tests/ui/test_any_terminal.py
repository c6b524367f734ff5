"""Terminals of every kind: large, tiny, resized under traffic, with few colours or none, and with ASCII only."""

import re

import pytest
from support import SOCKETS, a_lab, a_peer
from support_picture import a_picture
from support_terminal import Terminal, echotui
from textual.pilot import Pilot

from echotui.server.lab import Lab
from echotui.server.settings import Settings
from echotui.tui.app import EchoApp
from echotui.tui.shots import Shot

SIZES = [(200, 60), (140, 45), (80, 24), (60, 20), (60, 12), (40, 3), (10, 3), (3, 40), (1, 1)]

VIEWS = {"2": "Loop", "3": "Tasks", "4": "Faults", "5": "Shutdown", "6": "Problems", "1": "Live"}

#: What sets a colour: SGR with 30 to 38, 40 to 48, 90 to 97 or 100 to 107 somewhere in it. Taking one back is none.
COLOUR = re.compile(rb"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[\d;]*)?m")

#: What sets a colour beyond the sixteen.
MORE_COLOURS = re.compile(rb"\x1b\[(?:[\d;]*;)?[34]8;[25];[\d;]*m")


async def resized(pilot: Pilot[int], width: int, height: int) -> list[str]:
    """Make the terminal as large as this; return the lines that are on it then."""
    await pilot.resize_terminal(width, height)
    await pilot.pause()
    return Shot(pilot.app, "any").text().splitlines()


@pytest.mark.parametrize("key", VIEWS)
async def test_a_view_is_drawn_at_every_size_and_comes_back_while_bytes_come_in(key: str) -> None:
    async with a_lab(SOCKETS) as lab, a_peer(lab, "sockets") as peer:
        app = EchoApp(lab, "a loop")
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press(key)
            for size in SIZES:
                assert await peer.echoes()
                for _ in app.view.frame():
                    pass
                lines = await resized(pilot, *size)
                assert len(lines) == size[1]
                assert max(map(len, lines)) <= size[0]
                if size >= (10, 3):
                    assert lines[-1].startswith(" ? help")
            assert VIEWS[key] in (await resized(pilot, 80, 24))[0]


@pytest.mark.parametrize("size", [size for size in SIZES if size > (10, 3)], ids=str)
async def test_what_is_cut_ends_in_an_ellipsis(size: tuple[int, int]) -> None:
    app = EchoApp(Lab(Settings()), "asyncio · epoll", picture=a_picture())
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press("1")
        wide = await resized(pilot, 200, 60)
        keys = wide[-1].rstrip()
        cut = (await resized(pilot, *size))[-1].rstrip()
        assert cut == keys or cut.endswith(" …")
        # Where there is no line with the names of the views, their keys are named among the others.
        assert keys.startswith(cut.replace(" 1-6 views ", "").removesuffix("…").rstrip())


def test_a_real_terminal_can_be_made_tiny_and_large_again_under_traffic(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, _):
        terminal.press("C")
        terminal.shows("1 open", "hello 1")
        for key, name in VIEWS.items():
            terminal.press(key)
            terminal.shows(f"echotui › {name}")
            for width, height in ((1, 1), (10, 3), (3, 40), (100, 30)):
                terminal.resize(width, height)
                terminal.read(0.05)
            terminal.shows(f"echotui › {name}", "? help", "● serving")
        terminal.resize(60, 20)
        terminal.shows("? help", "1 open", "hello")
        terminal.press("q")
        assert terminal.status() == 0


def test_without_colours_there_are_none_and_what_is_chosen_is_still_seen() -> None:
    with echotui(environment={"NO_COLOR": "1", "COLORTERM": "truecolor"}) as (terminal, _):
        look_everywhere(terminal)
        assert COLOUR.search(terminal.raw) is None
        terminal.press("1", "s")
        terminal.wait(lambda: terminal.styled("send nothing").underscore, "what is chosen")
        assert terminal.styled("Connections").reverse


def test_sixteen_colours_are_the_terminals_own() -> None:
    for term in ("xterm", "linux"):
        with echotui(environment={"TERM": term}) as (terminal, _):
            look_everywhere(terminal)
            assert COLOUR.search(terminal.raw) is not None
            assert MORE_COLOURS.search(terminal.raw) is None


def test_ascii_only_means_every_byte_of_every_view(loop_kind: str) -> None:
    with echotui("--loop", loop_kind, "--ascii") as (terminal, _):
        terminal.press("C")
        terminal.shows("1 open", "hello 1", "+- Connections - 1 open")
        look_everywhere(terminal)
        for key, title in (("?", "Help"), ("s", "Send a signal"), ("\x13", "Save what"), ("\x10", "Search for")):
            terminal.press("1", key)
            terminal.shows(title)
            terminal.press("\x1b")
            terminal.shows_no(title)
        terminal.press("/sockéts€")
        terminal.shows("filter: sock?ts?")
        terminal.press("\x1b")
        terminal.shows_no("sock?ts")
        terminal.press("q")
        assert terminal.status() == 0
        assert max(terminal.raw) <= 0x7E


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}], ids=str)
def test_a_terminal_that_is_not_said_to_know_utf_8_gets_ascii(environment: dict[str, str]) -> None:
    with echotui(environment=environment) as (terminal, _):
        terminal.shows("+- Connections - 0 open")
        assert max(terminal.raw) <= 0x7E


def test_utf_8_is_drawn_on_a_terminal_that_is_said_to_know_it_after_all() -> None:
    with echotui("--no-ascii", environment={"LC_ALL": "C"}) as (terminal, _):
        terminal.shows("╭─ Connections · 0 open")


def test_y_copies_with_osc_52_and_nothing_a_peer_said_is_in_it_raw() -> None:
    with echotui() as (terminal, _):
        terminal.press("C")
        terminal.shows("1 open", "hello 1")
        terminal.press(" ", "y")
        terminal.shows("copied: 1  selectors")
        terminal.wait(lambda: re.search(rb"\x1b\]52;c;[A-Za-z0-9+/]+=*\x07", terminal.raw) is not None, "the clipboard")


def look_everywhere(terminal: Terminal) -> None:
    """Look at every view."""
    for key, name in VIEWS.items():
        terminal.press(key)
        terminal.wait(lambda name=name: re.search(f"echotui . {name}", terminal.text) is not None, name)  # type: ignore[misc]
