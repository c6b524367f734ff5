"""The configuration file as commands see it: the command line wins over it, and a bad one is one line and status 2."""

import os
import re
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest
from support_serve import echotui, serving

from echotui.tui.config_command import template

#: Every network there is.
ALL = "0.0.0.0"  # noqa: S104 - for a moment, and on a port the system picks


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def shown(*arguments: str) -> dict[str, tuple[str, str]]:
    """Return what `config show` says is in effect: values and where they come from, by name."""
    done = echotui("config", "show", *arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = [line.rsplit("  # ", 1) for line in done.stdout.decode().splitlines() if "  # " in line]
    return {left.split(" ")[0]: (left.partition("= ")[2].strip(), source) for left, source in lines}


def refused(*arguments: str) -> str:
    """Return the one line that says why these arguments are refused."""
    done = echotui(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.isprintable()
    return line


def test_the_path_is_the_users_own_unless_another_is_named(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "ECHOTUI_CONFIG": ""}
    assert echotui("config", "path", env=env).stdout.decode() == f"{tmp_path}/echotui/config.toml\n"
    env["ECHOTUI_CONFIG"] = "elsewhere.toml"
    assert echotui("config", "path", env=env).stdout == b"elsewhere.toml\n"
    assert echotui("config", "path", "--config", "here.toml", env=env).stdout == b"here.toml\n"


def test_show_says_where_each_value_comes_from(file: Path) -> None:
    file.write_text('port = 9000\ndrain = 1\nread-only = true\n[keys]\napp.boom = ["f5", "B"]\n')
    says = shown("--config", str(file), "--port", "9100", "--no-read-only")
    assert says["host"] == ('"127.0.0.1"', "default")
    assert says["port"] == ("9100", "command line")
    assert says["drain"] == ("1.0", "file")
    assert says["read-only"] == ("false", "command line")
    assert says["app.boom"] == ('["f5", "B"]', "file")
    assert says["app.quit"] == ('["q", "f10"]', "default")


def test_what_show_prints_is_a_file_that_says_the_same(file: Path) -> None:
    file.write_text('servers = ["sockets"]\ntheme = "nord"\n[keys]\napp.boom = "f5"\n')
    first = echotui("config", "show", "--config", str(file)).stdout.decode()
    file.write_text(first)
    again = echotui("config", "show", "--config", str(file)).stdout.decode()
    assert tomllib.loads(again) == tomllib.loads(first)


def test_the_template_is_printed_and_can_be_used(file: Path) -> None:
    done = echotui("config", "template")
    assert (done.returncode, done.stderr) == (0, b"")
    file.write_bytes(done.stdout)
    assert done.stdout.decode() == template() + "\n"
    assert shown("--config", str(file)) == shown()


def test_a_disk_that_is_full_is_said_to_be_so() -> None:
    with Path("/dev/full").open("wb") as full:
        done = echotui("config", "template", stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"echotui config: stdout: No space left on device (ENOSPC)\n")


def test_the_example_of_the_readme_is_in_effect_as_it_stands(file: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    file.write_text(example)
    says = shown("--config", str(file))
    for setting in ("port", "servers", "theme", "mouse", "app.boom", "app.pause", "table.page_down"):
        assert says[setting][1] == "file"


@pytest.mark.parametrize("command", [[], ["serve"], ["connect"], ["load"], ["config", "show"]], ids=" ".join)
def test_every_command_that_reads_it_refuses_a_bad_file_in_one_line(command: list[str], file: Path) -> None:
    file.write_text("prot = 1\n")
    line = refused(*command, "--config", str(file))
    assert (
        line
        == f"echotui{''.join(f' {part}' for part in command)}: {file}: there is no option 'prot': do you mean 'port'?"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x1b]0;owned\x07 = 1\n", r"Invalid statement"),
        (b'theme = "\\u001b]0;owned\\u0007"\n', r"\x1b]0;owned\x07"),
        (b'[keys]\n"\\u001b[2J" = "b"\n', r"\x1b[2J"),
        (b'"a\\nb" = 1\n', r"a\nb"),
    ],
)
def test_what_a_file_holds_reaches_no_terminal_raw(content: bytes, why: str, file: Path) -> None:
    file.write_bytes(content)
    assert why in refused("config", "show", "--config", str(file))


def test_nor_does_the_name_of_a_file(tmp_path: Path) -> None:
    assert r"\x1b]0;owned\x07: that is a directory" in refused(
        "serve", "--config", str(_made(tmp_path / "\x1b]0;owned\x07"))
    )
    file = tmp_path / "a\nport = 1"
    file.touch()
    assert shown("--config", str(file))["port"] == ("8000", "default")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_theme_that_is_none_is_refused_with_a_better_one(file: Path) -> None:
    file.write_text('theme = "drakula"\n')
    assert "theme: there is no theme 'drakula': do you mean 'dracula'?" in refused(
        "config", "show", "--config", str(file)
    )
    assert "--theme: there is no theme 'zzz': choose from ansi-dark, " in refused("config", "show", "--theme", "zzz")


def test_a_file_in_the_environment_is_used_and_has_to_be_there(file: Path) -> None:
    env = {**os.environ, "ECHOTUI_CONFIG": str(file)}
    done = echotui("config", "show", env=env)
    assert done.returncode == 2
    assert b"No such file or directory" in done.stderr
    file.write_text("drain = 7\n")
    assert b"drain = 7.0" in echotui("config", "show", env=env).stdout


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file here that cannot be read, not even by root")
def test_a_file_that_cannot_be_read_is_said_to_be_so() -> None:
    assert "/proc/self/mem: it cannot be read, Input/output error" in refused("serve", "--config", "/proc/self/mem")


def test_serve_takes_its_defaults_from_the_file_and_the_command_line_wins(file: Path) -> None:
    file.write_text('port = 1\nservers = ["sockets"]\nevents = "all"\ntheme = "not a theme, and serve has none"\n')
    with serving("--config", str(file)) as served:
        with served.connect("sockets"):
            served.tells("received", server="sockets")
        served.send(signal.SIGTERM)
        assert served.ends() == 143
    assert {line["server"] for line in served.lines if line["kind"] == "listening"} == {"sockets"}


def test_connect_goes_where_the_file_puts_the_servers(file: Path) -> None:
    with serving("--servers", "selectors") as served:
        file.write_text(f'host = "0.0.0.0"\nport = {served.port("selectors")}\n')
        done = echotui("connect", "--config", str(file), input=b"hello\n")
        assert (done.returncode, done.stdout) == (0, b"hello\r\n")


@pytest.mark.parametrize(
    ("host", "warns"),
    [("127.0.0.1", False), ("localhost", False), ("127.0.0.2", False), (ALL, True)],
)
def test_serve_warns_once_where_other_machines_can_connect(host: str, *, warns: bool) -> None:
    with serving("--host", host, "--servers", "selectors,sockets") as served:
        served.tells("listening", server="sockets")
        served.send(signal.SIGTERM)
        assert served.ends() == 143
    lines = [line for line in served.stderr.splitlines() if "beyond this machine" in line]
    assert len(lines) == warns
    if warns:
        assert "WARNING echotui: listening on 0.0.0.0, beyond this machine: whoever reaches these ports can" in lines[0]
