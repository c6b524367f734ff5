"""The configuration file: whatever it holds, the answer is what it says, or one line that says what to do."""

import os
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from echotui.tui.config import MOST, BadConfig, read
from echotui.tui.config_command import template
from echotui.tui.keys import BY_ID, DEFAULT_KEYS, FIXED, KEYS, LONGEST, BadKey, Keymap, as_key
from echotui.tui.option_table import OPTIONS
from echotui.tui.text import clean
from echotui.tui.toml import as_toml

#: What is wrong with a name of thousands of parts: Python's reader of TOML takes them all, up to 3.13.
DEEP = "nested too deeply" if sys.version_info >= (3, 14) else "the key of 'a.a' must be text"


def said(tmp_path: Path, content: str | bytes) -> str:
    """Return what is wrong with a file of this content, without its name."""
    file = tmp_path / "config.toml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadConfig) as bad:
        read(str(file))
    name, _, why = str(bad.value).partition(": ")
    assert name == str(file)
    assert "\n" not in clean(why)
    assert len(why) < 300
    return why


def test_what_the_file_says_is_checked_as_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('port = 9000\nservers = ["sockets", "selectors"]\ndrain = 2\nidle-timeout = 0\nread-only = true\n')
    config = read(str(file))
    assert config.found
    assert config.options == {
        "port": 9000,
        "servers": ("selectors", "sockets"),
        "drain": 2.0,
        "idle-timeout": None,
        "read-only": True,
    }


def test_keys_are_set_by_their_ids_one_or_several(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[keys]\napp.boom = "F5"\n"app.chat" = ["m", "ctrl+n", "shift+ctrl+up", ","]\n[keys.table]\nup = "w"'
    )
    keymap = read(str(file)).keymap
    assert keymap["app.boom"] == ("f5",)
    assert keymap["app.chat"] == ("m", "ctrl+n", "ctrl+shift+up", ",")
    assert keymap["table.up"] == ("w",)
    assert keymap["app.quit"] == ("q", "f10")
    assert set(keymap.changed) == {"app.boom", "app.chat", "table.up"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("prot = 1", "there is no option 'prot': do you mean 'port'?"),
        ("read_only = true", "do you mean 'read-only'?"),
        ("zzz = 1", "there is no option 'zzz': `echotui config template` has them all"),
        ('port = "9000"', "port is text, and must be a whole number: write port = 8000"),
        ("port = true", "port is true or false, and must be a whole number"),
        ("port = 8000.0", "port is a number, and must be a whole number"),
        ("port = 2024-01-01", "port is a time or a date"),
        ("port = {}", "port is a table"),
        ("port = 99999", "port: '99999' is not a base port: 1 to 65530"),
        ("host = 1", 'host is a whole number, and must be text in quotes: write host = "127.0.0.1"'),
        ('host = ""', "host: '' is no address"),
        ('host = "a\\u001b[2J"', "is no address"),
        ("drain = nan", "drain: 'nan' is not a time limit"),
        ("read-only = 1", "read-only is a whole number, and must be true or false: write read-only = false"),
        ('servers = "sockets"', 'servers is text, and must be a list of texts: write servers = ["selectors"'),
        ("servers = []", "servers is a list, and must be a list of texts"),
        ('servers = ["telnet"]', "there is no server 'telnet': choose from selectors, sockets"),
        ('loop = "trio"', "choose asyncio or uvloop"),
        ('events = "none"', "neither lifecycle nor all"),
        ("refresh = 100", "0.1 to 60"),
        ("port = 1\nport = 2\n", "line 2, column 9: Cannot overwrite a value: that is not TOML"),
        ("port 9", "line 1, column 6: Expected '=' after a key"),
        ("port =", "that is not TOML"),
        ("\n\n\x07", "line 3, column 1"),
        (b"theme = '\n\xff'", "line 2 is not UTF-8: save the file as UTF-8"),
        (b"#" * (MOST + 1), "it is larger than 64 KiB"),
        ("port = " + "9" * 5000, "a number in it is too long"),
        ("port = 0x" + "f" * 5000, "port is too large a number: write port = 8000"),
        ("servers = " + "[" * 20000, "nested too deeply"),
        ("keys = 1", "keys must be a table: write [keys]"),
        ('[keys]\napp.bom = "b"', "there is no 'app.bom' to give a key to: do you mean 'app.boom'?"),
        ('[keys]\nport = "b"', "port is an option: it belongs above [keys]"),
        ('app.boom = "b"', "app.… is a key: it belongs below [keys]"),
        ("[keys]\napp.boom = 5", "the key of 'app.boom' must be text in quotes"),
        ("[keys]\napp.boom = []", "app.boom needs a key"),
        ("[keys]\napp.boom.loud = 'b'", "the key of 'app.boom' must be text"),
        ("[keys]\n" + "a." * 9000 + "a = 1", DEEP),
        ('[keys]\napp.boom = "q"', "'q' is the key of app.quit and of app.boom: give one of them another"),
        ('[keys]\nfaults.undo = "u"\ntasks.ui = "b"', "'b' is the key of app.boom and of tasks.ui"),
        ('[keys]\napp.boom = "tab"', "'tab' always goes to the next pane: choose another key"),
        ('[keys]\napp.boom = "ctrl+c"', "'ctrl+c' always leaves"),
        ('[keys]\ntable.down = "j"\napp.quit = "down"', "app.quit: 'down' moves and chooses, in questions too"),
        ('[keys]\napp.boom = "spcae"', "'spcae' is no key: do you mean 'space'?"),
        ('[keys]\napp.boom = "bb"', 'is no key: write a character, or a name such as "space"'),
        ('[keys]\napp.boom = ""', "'' is no key"),
        ('[keys]\napp.boom = " "', "' ' is no key"),
        ('[keys]\napp.boom = "\\u001b"', "is no key"),
        ('[keys]\napp.boom = "ctrl+"', "is no key"),
        ('[keys]\napp.boom = "ctrl+ctrl+b"', "is no key"),
        ('[keys]\napp.boom = "shift+b"', 'write "B"'),
        ('[keys]\napp.boom = "ctrl+m"', "is the same as 'enter' to a terminal"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_answered_in_one_line_that_says_what_to_do(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    assert why in said(tmp_path, content)


def test_the_mark_that_some_editors_begin_a_file_with_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbfport = 9000\n")
    assert read(str(file)).options == {"port": 9000}


def test_a_file_that_was_named_has_to_be_there_and_readable(tmp_path: Path) -> None:
    for file, why in ((tmp_path / "no", "No such file"), (tmp_path, "is a directory"), (Path("/dev/zero"), "larger")):
        with pytest.raises(BadConfig, match=why):
            read(str(file))


def test_without_a_file_there_is_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECHOTUI_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = read()
    assert (config.found, config.options, dict(config.keymap)) == (False, {}, dict(DEFAULT_KEYS))
    config.path.parent.mkdir()
    config.path.write_text("port = 1")
    assert read().options == {"port": 1}
    monkeypatch.setenv("ECHOTUI_CONFIG", os.devnull)
    assert read().options == {}


def uncommented(text: str) -> str:
    """Return a template with every setting in effect: those are the lines with no space behind their #."""
    lines = text.split("\n")
    return "\n".join(line[1:] if line[:1] == "#" and line[1:2] not in ("", " ") else line for line in lines)


def test_the_template_says_nothing_as_it_is_and_is_valid_without_its_comments(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(template())
    assert read(str(file)).options == {}
    file.write_text(uncommented(template()))
    config = read(str(file))
    assert set(config.options) == set(OPTIONS)
    for name, option in OPTIONS.items():
        if option.default is not None:
            assert config.options[name] == option.default
    assert set(config.keymap.changed) == set(BY_ID)
    assert dict(config.keymap) == dict(DEFAULT_KEYS)


#: What a file could nearly be: its own words in any order, and any bytes in between.
_WORDS = st.sampled_from(
    [*(name.encode() for name in [*OPTIONS, *BY_ID]), b"keys", b"[", b"]", b"=", b" = ", b"\n", b'"', b"'", b",", b".",
     b"{", b"}", b"true", b"1", b"-1", b"0.5", b"nan", b'"b"', b'"space"', b"[keys]\n", b"#", b"\\", b"2024-01-01"]
)  # fmt: skip
_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["q", "f5", "ctrl+d", "asyncio", "all"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
_ENTRIES = st.dictionaries(st.sampled_from([*OPTIONS]) | st.text(), _VALUES, max_size=4)
_KEYS = st.dictionaries(st.sampled_from([*BY_ID]) | st.text(), _VALUES, max_size=4)


def _file(options: dict[str, object], keys: dict[str, object]) -> bytes:
    lines = [*(f"{as_toml(name)} = {as_toml(value)}" for name, value in options.items()), "[keys]"]
    lines += [f"{as_toml(name)} = {as_toml(value)}" for name, value in keys.items()]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@given(st.binary() | st.lists(_WORDS | st.binary(max_size=3)).map(b"".join) | st.builds(_file, _ENTRIES, _KEYS))
@example(b"\x00")
@example(b'a = """')
@example(b"x = 0x" + b"f" * 9999)
@example(b"x = " + b"{a=" * 2000)
@example(b"[" * 1000)
@example(b"keys.app.boom.a.b.c = 1")
def test_whatever_the_file_holds_the_answer_is_a_configuration_or_the_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    try:
        config = read(str(path))
    except BadConfig as bad:
        line = clean(str(bad))
        assert line.isprintable()
        assert len(line) < 8 * len(str(path)) + 600
    else:
        assert set(config.options) <= set(OPTIONS)
        assert set(config.keymap) == set(BY_ID)


@given(_VALUES)
def test_what_is_written_as_toml_is_read_as_it_was(value: object) -> None:
    try:
        line = f"value = {as_toml(value)}"
        line.encode()
    except UnicodeEncodeError:
        return
    read_again = tomllib.loads(line)["value"]
    assert repr(read_again) == repr(value)


def test_no_two_things_that_meet_share_a_key_by_default_and_none_has_a_fixed_one() -> None:
    assert dict(Keymap()) == {key.id: key.keys for key in KEYS}
    for key in KEYS:
        assert len(key.says) <= LONGEST
        assert [as_key(one) for one in key.keys] == [*key.keys]
        assert not set(key.keys) & set(FIXED)


def test_views_that_never_meet_may_share_a_key_and_keys_may_change_places() -> None:
    assert Keymap({"tasks.ui": ("z",), "problems.ui": ("Z",)})["tasks.ui"] == ("z",)
    assert Keymap({"app.boom": ("x",), "app.interrupt": ("b",)})["app.boom"] == ("x",)
    with pytest.raises(BadKey, match=r"'x' is the key of app.boom and of app.interrupt"):
        Keymap({"app.boom": ("x",)})
