"""The app on a pty, as a configuration file has it."""

from pathlib import Path

import pytest
from support_terminal import ECHOTUI, Terminal, echotui

FILE = """\
servers = ["selectors", "sockets"]
theme = "dracula"
read-only = true
[keys]
app.boom = "f5"
app.quit = "ctrl+x"
app.help = ["f1", "w"]
app.loop = "v"
"""

#: The background of the theme dracula, and of the one there is without a file, as a terminal is told.
DRACULA, DEFAULT = b"48;2;40;42;54", b"48;2;18;18;18"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return str(path)


def test_keys_theme_and_options_of_the_file_are_in_effect(file: str) -> None:
    with echotui("--config", file, environment={"COLORTERM": "truecolor"}) as (terminal, _):
        assert "streams" not in terminal.text
        assert "boom" not in terminal.text.splitlines()[-1]
        assert " f1 help " in terminal.text
        assert DRACULA in terminal.raw
        assert DEFAULT not in terminal.raw
        terminal.press("v")
        terminal.shows("› Loop")
        terminal.press("w")
        terminal.shows("f1 w  The keys", "ctrl+x  Leave")
        terminal.press("w")
        terminal.shows_no("ctrl+x  Leave")
        terminal.press("q", "\x18")
        assert terminal.status() == 0


def test_the_command_line_wins_over_the_file(file: str) -> None:
    with echotui("--config", file, "--no-read-only", "--servers", "selectors,sockets,streams") as (terminal, _):
        terminal.shows("streams", " ^x quit  f5 boom  x end ")
        terminal.press("w")
        terminal.shows("ctrl+x  Leave")
        terminal.press("ws")
        terminal.shows("Send a signal to this process")
        terminal.press("\x18\x18")
        assert terminal.status() == 0


def test_a_theme_that_is_none_is_one_line_and_the_terminal_stays_as_it_is() -> None:
    with Terminal(ECHOTUI, "--theme", "drakula") as terminal:
        assert terminal.status() == 2
        assert "echotui: --theme: there is no theme 'drakula': do you mean 'dracula'?" in terminal.text
        assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize(("width", "height"), [(140, 45), (80, 24)])
def test_that_other_machines_can_connect_is_said_and_goes_on_to_be_seen(width: int, height: int) -> None:
    with echotui("--host", "0.0.0.0", width=width, height=height) as (terminal, _):  # noqa: S104 - on ports it picks
        terminal.shows("● serving  ! open to the network", "listening on 0.0.0.0, beyond this")
        terminal.press("2")
        terminal.shows("› Loop", "! open to the network")
    with echotui(width=width, height=height) as (terminal, _):
        assert "open to the network" not in terminal.text
