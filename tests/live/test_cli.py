"""The command line: bad usage is one line that says what to do, and nothing loads a screen that needs none."""

import os
import re
import signal
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from support_serve import ECHOTUI, echotui, serving

from echotui.server.compiled import MODULES
from echotui.server.settings import SERVER_NAMES
from echotui.tui.option_table import OPTIONS

BAD_NUMBERS = ["-1", "nan", "inf", "-inf", "1e400", "86401", "one", "", "1,5", "0x10"]

#: What `bench` is through with at once.
SMALL = ["--servers=sockets", "--loops=asyncio", "--variants=bare", "--connections=1", "--runs=1", "--seconds=0.1"]

#: The C locale as it is where Python does not make UTF-8 of it.
C_LOCALE = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}


def refused(*arguments: str) -> str:
    """Return the one line that says why these arguments are refused."""
    done = echotui(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.isprintable()
    return line


@pytest.mark.parametrize("command", [[], ["serve"]], ids=["screen", "serve"])
@pytest.mark.parametrize("option", ["--select-timeout", "--idle-timeout", "--drain"])
@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_a_time_that_is_none_is_refused_in_one_line(command: list[str], option: str, value: str) -> None:
    assert option in refused(*command, option, value)


@pytest.mark.parametrize("value", ["0", "0.0001"])
def test_a_select_that_would_not_wait_is_refused(value: str) -> None:
    assert "at least 0.001 s" in refused("serve", "--select-timeout", value)


@pytest.mark.parametrize("value", ["-1", "65536", "65535", "99999999999999", "8000.5", "http", "", "٣"])
@pytest.mark.parametrize("command", ["serve", "connect"])
def test_a_port_that_is_none_is_refused_in_one_line(command: str, value: str) -> None:
    assert "--port" in refused(command, "--port", value)


@pytest.mark.parametrize("value", ["telnet", "", "selectors,", "Selectors", "selectors,\x1b[2J"])
def test_an_unknown_server_is_refused_and_the_known_ones_are_named(value: str) -> None:
    line = refused("serve", "--servers", value)
    for name in SERVER_NAMES:
        assert name in line


@pytest.mark.parametrize("value", ["trio", "", "Asyncio"])
def test_an_unknown_loop_is_refused_and_the_known_ones_are_named(value: str) -> None:
    assert "choose asyncio or uvloop" in refused("serve", "--loop", value)


@pytest.mark.parametrize("value", ["0", "-1", "61", "nan", "fast"])
def test_a_frame_rate_that_is_none_is_refused(value: str) -> None:
    assert "0.1 to 60" in refused("--refresh", value)


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["serve", "now"], ["serve", "a\nb\x1b[2J"], ["connect", "a", "b"]]
)
def test_what_nobody_knows_is_refused_in_one_line(arguments: list[str]) -> None:
    assert "--help" in refused(*arguments)


@pytest.mark.parametrize(
    "where", ["localhost", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":8000", "x:y", "\x1b:1:a"]
)
def test_a_place_nobody_can_connect_to_is_refused(where: str) -> None:
    assert "HOST:PORT" in refused("connect", where)


@pytest.mark.parametrize(
    ("option", "allowed"), [("--port", "1 to 65530"), ("--size", "from 1 to 1048576"), ("--connections", "from 1 to")]
)
def test_a_number_of_too_many_digits_is_refused_and_not_repeated(option: str, allowed: str) -> None:
    line = refused("load", option, "9" * 5000)
    assert allowed in line
    assert len(line) < 300


@pytest.mark.parametrize("command", ["connect", "load"])
def test_another_port_than_that_of_the_place_is_refused(command: str) -> None:
    assert "--port 9 is not the port of 127.0.0.1:1" in refused(command, "127.0.0.1:1", "--port", "9")


def test_without_a_terminal_the_screen_says_to_use_serve() -> None:
    assert "use `echotui serve`" in refused()


def test_the_version_is_one_line_and_says_how_it_was_built() -> None:
    done = echotui("--version")
    assert (done.returncode, done.stderr) == (0, b"")
    (line,) = done.stdout.decode().splitlines()
    name, number, built = line.split(maxsplit=2)
    assert name == "echotui"
    assert number[0].isdigit()
    files = [str(import_module(f"echotui.server.{module}").__file__) for module in MODULES]
    expected = {0: "(not compiled)", len(files): "(compiled)"}
    assert built == expected.get(sum(not file.endswith(".py") for file in files), "(partly compiled)")


@pytest.mark.parametrize("command", [[], ["serve"], ["connect"]], ids=["screen", "serve", "connect"])
def test_the_help_fits_its_options(command: list[str]) -> None:
    done = echotui(*command, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"usage: echotui" in done.stdout
    assert b"default" in done.stdout or not command


def test_the_help_of_the_screen_has_examples() -> None:
    assert b"examples:" in echotui("--help").stdout


def test_a_terminal_without_utf_8_gets_its_help_too() -> None:
    done = echotui("--help", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


@pytest.mark.parametrize("arguments", [["--help"], ["faults", "run", "--help"]], ids=" ".join)
def test_the_c_locale_gets_its_help_too(arguments: list[str]) -> None:
    done = echotui(*arguments, env=C_LOCALE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_the_template_is_the_same_in_the_c_locale() -> None:
    done = echotui("config", "template", env=C_LOCALE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == echotui("config", "template", env={**C_LOCALE, "PYTHONUTF8": "1"}).stdout


def imported(*arguments: str) -> str:
    """Return what a command that ends by itself has imported."""
    return subprocess.run(
        [ECHOTUI[0], "-X", "importtime", ECHOTUI[-1], *arguments], capture_output=True, check=True, timeout=30
    ).stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["serve", "--help"],
        ["connect", "--help"],
        ["config", "path"],
        ["config", "show"],
        ["config", "show", "--help"],
    ],
    ids=" ".join,
)
def test_what_only_prints_imports_no_screen_and_no_loop(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert "echotui.tui.cli" in modules
    for needless in ("textual", "rich", "asyncio", "uvloop", "psutil"):
        assert f" {needless}\n" not in modules


def test_serve_imports_no_screen_and_on_asyncio_no_uvloop() -> None:
    with serving(env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}) as served:
        served.tells("listening", server="sockets")
        served.send(signal.SIGTERM)
        assert served.ends() == 143
        assert " echotui.server.lab\n" in served.stderr
        for needless in ("textual", "rich", "uvloop"):
            assert f" {needless}\n" not in served.stderr


@pytest.mark.parametrize("command", ["serve", "connect", "faults"])
def test_a_command_behind_an_option_is_told_that_it_comes_first(command: str) -> None:
    assert f"the command comes first: echotui {command} …" in refused("--host", "127.0.0.1", command, "--port", "1")


def test_the_help_of_faults_run_shows_a_script() -> None:
    done = echotui("faults", "run", "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"[[fault" in done.stdout or b"[[step" in done.stdout


def test_the_readme_names_every_option() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (usage,) = re.findall(r"## Command line\n\n(.*?)\n\n", readme, re.DOTALL)
    for name in OPTIONS:
        assert f"--{name}" in usage or f"--no-{name}" in usage


@pytest.mark.parametrize(
    "command",
    [
        ["--version"],
        ["--help"],
        ["serve", "--help"],
        ["faults", "run", "--help"],
        ["faults", "list"],
        ["faults", "list", "--json"],
        ["config", "template"],
        ["bench", *SMALL],
        ["bench", *SMALL, "--json"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_enough_or_a_full_disk_ends_what_prints_without_a_traceback(command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        ended = subprocess.run([*ECHOTUI, *command], stdout=nobody, stderr=subprocess.PIPE, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (141, b"")
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([*ECHOTUI, *command], stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert b"stdout: No space left on device" in line
