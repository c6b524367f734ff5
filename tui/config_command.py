"""`echotui config`: where the configuration file is, what is in effect and why, and a file to begin with."""

import os
import sys
import textwrap
from collections.abc import Iterator

from .chosen import Chosen, Source, add_config, add_options, choose, refuse_theme
from .config import VARIABLE, place
from .keys import DEFAULT_KEYS, KEYS
from .option_table import OPTIONS, SCREEN_OPTIONS, SERVE_OPTIONS, SERVER_OPTIONS, Option
from .options import Parser
from .standard import speaking
from .text import clean
from .toml import as_toml

#: In which column `show` says where a value comes from.
SOURCE_COLUMN = 44

#: In which column the template says what a key is for.
KEY_COLUMN = 28

#: How wide the comments of the template are.
WIDTH = 100


def config(arguments: list[str]) -> int:
    """Run `echotui config` with these arguments; return the exit status."""
    parser = Parser(prog="echotui config", description="The configuration file: where it is, what is in effect.")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="path | show | template", parser_class=Parser
    )
    finding = commands.add_parser("path", help="print where the file is, or would be")
    add_config(finding)
    showing = commands.add_parser(
        "show", help="print what is in effect, as TOML, and where each value comes from; takes every option"
    )
    add_options(showing, OPTIONS.values())
    add_config(showing)
    commands.add_parser("template", help="print a file with every option and every key, all of them as comments")
    given = parser.parse_args(arguments)
    if given.command == "path":
        return _say(os.fsdecode(place(given.config)[0]), sys.getfilesystemencoding())
    if given.command == "template":
        return _say(template())
    chosen = choose(showing, given, OPTIONS.values())
    refuse_theme(showing, chosen)
    return _say(shown(chosen))


def _say(text: str, encoding: str = "utf-8") -> int:
    """Print a file, which is UTF-8 in every locale, or a path. What came from bytes goes as those bytes."""

    def say() -> int:
        if sys.stdout.isatty():
            print("\n".join(map(clean, text.split("\n"))))
        else:
            sys.stdout.buffer.write(text.encode(encoding, "surrogateescape") + b"\n")
        return 0

    return speaking("echotui config", say)


def shown(chosen: Chosen) -> str:
    """Return what is in effect, as a file that says the same, with a comment where each value comes from."""
    found = "" if chosen.config.found else " (there is no such file)"
    lines = [f"# {clean(str(chosen.config.path))}{found}", ""]
    for option in OPTIONS.values():
        value = getattr(chosen.options, option.attribute)
        source = chosen.sources[option.name].value
        if value is None:
            lines.append(_with_source(f"# {option.name} is not set", source))
        else:
            lines.append(_with_source(f"{option.name} = {as_toml(value)}", source))
    lines += ["", "[keys]"]
    keymap = chosen.config.keymap
    for name, keys in keymap.items():
        source = (Source.FILE if name in keymap.changed else Source.DEFAULT).value
        lines.append(_with_source(_key_line(name, keys), source))
    return "\n".join(lines)


def _with_source(line: str, source: str) -> str:
    return f"{line:<{SOURCE_COLUMN}}  # {source}"


def _key_line(name: str, keys: tuple[str, ...]) -> str:
    return f"{name} = {as_toml(keys[0] if len(keys) == 1 else keys)}"


def template() -> str:
    """Return a file in which every option and every key stands as a comment, with its default or an example."""
    return "\n".join(_template())


def _template() -> Iterator[str]:
    from .themes import THEMES

    yield from _comment(
        "The configuration of echotui. A line that begins with # and no space is a setting: take the # away to change "
        f"it. Save it where `echotui config path` says, or name it with --config FILE or {VARIABLE}. The command line "
        "wins over it; `echotui config show` says what is in effect, and why."
    )
    for title, options in (
        ("The servers", SERVER_OPTIONS),
        ("The screen", SCREEN_OPTIONS),
        ("echotui serve", SERVE_OPTIONS),
    ):
        yield from ("", f"# -- {title} --")
        for option in options:
            yield ""
            yield from _comment(_says(option))
            if option.name == "theme":
                yield from _comment(f"One of {', '.join(THEMES)}.")
            yield f"#{option.name} = {as_toml(option.shown)}"
    yield from ("", "# -- Keys --", "")
    yield from _comment(
        "A key is a character, or a name: space, enter, f5, up, home, pageup …, also with ctrl+, alt+ or shift+. "
        'Several keys are a list: ["b", "f5"]. What is set here takes the place of the default; two things that '
        "work in the same view cannot share a key. Escape, tab, ctrl+c, ctrl+q and ctrl+p stay what they are."
    )
    yield from ("", "[keys]")
    for key in KEYS:
        yield f"#{_key_line(key.id, DEFAULT_KEYS[key.id]):<{KEY_COLUMN}}  # {key.says}"


def _says(option: Option) -> str:
    says = option.says if option.name != "theme" else "the colours (default: what Textual takes by itself)"
    return says[0].upper() + says[1:] if says[1:2].islower() and not says.startswith("asyncio") else says


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
