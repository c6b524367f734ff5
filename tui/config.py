"""The configuration file: where it is, what may stand in it, and one clear error for everything else.

It is TOML: options by the names they have on the command line, and keys by their ids under ``[keys]``. Whatever the
file holds, reading it gives a `Config`, or `BadConfig` with one line that says what to do.
"""

import argparse
import codecs
import os
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from echotui.server.value import value

from .keys import BY_ID, BadKey, Keymap
from .option_table import OPTIONS, Kind, Option
from .text import meant, quoted
from .toml import as_toml

#: The environment variable that names another file.
VARIABLE = "ECHOTUI_CONFIG"

#: How large the file may be, in bytes: many times what there is to say.
MOST = 64 * 1024

#: The largest number that is looked at. No option takes one of this size, and Python does not write every number out.
LARGEST = 10**15

_PLACE = re.compile(r"(.*) \(at (line \d+, column \d+|end of document)\)", re.DOTALL)


class BadConfig(Exception):
    """A configuration file that cannot be used. Its message is one line: the file, what is wrong, and what to do."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")


class Wrong(Exception):
    """What is wrong with the content of a file."""


@value
class Config:
    """What a configuration file says."""

    path: Path
    found: bool
    """Whether there is such a file; where there is none it says nothing."""
    options: Mapping[str, object] = field(default_factory=dict)
    """The values of options by name, checked as on the command line."""
    keymap: Keymap = field(default_factory=Keymap)


def place(named: str | None = None) -> tuple[Path, bool]:
    """Return where the file is, and whether somebody has named it: on the command line, or in `VARIABLE`."""
    chosen = named or os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen), True
    from platformdirs import user_config_path

    return user_config_path("echotui", appauthor=False) / "config.toml", False


def read(named: str | None = None) -> Config:
    """Return what the configuration file says; nothing, where there is none and nobody has named it.

    Raises:
        BadConfig: if it cannot be read, or does not say what can be said.
    """
    path, expected = place(named)
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not expected:
            return Config(path, found=False)
        raise BadConfig(path, f"{_described(error)}: `echotui config template` prints what could stand there") from None
    except IsADirectoryError:
        raise BadConfig(path, "that is a directory: name the file in it") from None
    except OSError as error:
        raise BadConfig(path, f"it cannot be read, {_described(error)}") from None
    try:
        options, keymap = parse(data)
    except Wrong as wrong:
        raise BadConfig(path, str(wrong)) from None
    return Config(path, True, options, keymap)


def _described(error: OSError) -> str:
    from echotui.server.naming import describe

    return describe(error)


def parse(data: bytes) -> tuple[dict[str, object], Keymap]:
    """Return the options and the keys that the content of a file sets.

    Raises:
        Wrong: if it is not possible, saying why, and what to do.
    """
    table = _table(data)
    keys = table.pop("keys", {})
    return {name: _option(name, value) for name, value in table.items()}, _keymap(keys)


def _table(data: bytes) -> dict[str, Any]:
    import tomllib  # most people have no such file, and all of them wait for the program to start

    if len(data) > MOST:
        raise Wrong(f"it is larger than {MOST // 1024} KiB: that is not a configuration of echotui")
    try:
        return tomllib.loads(data.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Wrong(f"line {line} is not UTF-8: save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        said = _PLACE.fullmatch(str(error))
        what, where = said.groups() if said else (str(error), "somewhere")
        raise Wrong(f"{where}: {what}: that is not TOML, see `echotui config template`") from None
    except (ValueError, RecursionError):
        # tomllib leaves these to Python: a number of too many digits, a list in a list in a list in …
        raise Wrong(
            "a number in it is too long, or something in it is nested too deeply: write what can be meant"
        ) from None


def _option(name: str, value: object) -> object:
    option = OPTIONS.get(name)
    if option is None:
        raise Wrong(_unknown_option(name))
    try:
        return value if isinstance(value, bool) and option.kind is Kind.FLAG else option.check(_typed(option, value))
    except argparse.ArgumentTypeError as error:
        raise Wrong(f"{name}: {error}") from None


def _unknown_option(name: str) -> str:
    if name in {key.partition(".")[0] for key in BY_ID}:
        return f"{name}.… is a key: it belongs below [keys]"
    hint = meant(name, [*OPTIONS, "keys"], "`echotui config template` has them all")
    return f"there is no option {quoted(name)}: {hint}"


def _typed(option: Option, value: object) -> str:
    """Return a value as it would be typed on the command line."""
    if isinstance(value, int) and abs(value) > LARGEST:
        raise Wrong(f"{option.name} is too large a number: write {option.name} = {as_toml(option.shown)}")
    match option.kind, value:
        case Kind.TEXT, str():
            return value
        case Kind.WHOLE | Kind.NUMBER, int() if not isinstance(value, bool):
            return str(value)
        case Kind.NUMBER, float():
            return repr(value)
        case Kind.LIST, list() if value and all(isinstance(one, str) for one in value):
            return ",".join(value)
    what = _NAMES.get(type(value), "a time or a date")
    raise Wrong(
        f"{option.name} is {what}, and must be {option.kind.value}: write {option.name} = {as_toml(option.shown)}"
    )


_NAMES: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


def _keymap(table: object) -> Keymap:
    if not isinstance(table, dict):
        raise Wrong('keys must be a table: write [keys], and below it app.boom = "b"')
    changed: dict[str, tuple[str, ...]] = {}
    for scope, inner in table.items():
        if isinstance(inner, dict):
            changed |= {f"{scope}.{name}": _keys(f"{scope}.{name}", value) for name, value in inner.items()}
        elif scope in OPTIONS:
            raise Wrong(f"{scope} is an option: it belongs above [keys]")
        else:
            changed[scope] = _keys(scope, inner)
    try:
        return Keymap(changed)
    except BadKey as bad:
        raise Wrong(str(bad)) from None


def _keys(name: str, value: object) -> tuple[str, ...]:
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Wrong(f"the key of {quoted(name)} must be text in quotes, or a list of texts")
    return tuple(keys)
