"""What is in effect: a default, unless the configuration file says otherwise, unless the command line does."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NoReturn

from echotui.server.value import value

from .config import BadConfig, Config, read
from .option_table import Kind, Option
from .text import clean


class Source(Enum):
    """Where a value comes from."""

    DEFAULT = "default"
    FILE = "file"
    COMMAND_LINE = "command line"


@value
class Chosen:
    """What is in effect of one command's options, and why."""

    options: argparse.Namespace
    """The values, by the names that `argparse` gives them, and what else the parser knows."""
    sources: Mapping[str, Source]
    """Where the value of each option comes from, by its name."""
    config: Config


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add what names another configuration file."""
    parser.add_argument("--config", metavar="FILE", help="the configuration file (default: see `echotui config path`)")


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Add options that the configuration file has as well. What is not given is not in the result of the parser."""
    for option in options:
        name = f"--{option.name}"
        if option.kind is Kind.FLAG:
            parser.add_argument(
                name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=option.says
            )
        else:
            parser.add_argument(
                name, type=option.check, default=argparse.SUPPRESS, metavar=option.metavar, help=option.says
            )


def choose(parser: argparse.ArgumentParser, given: argparse.Namespace, options: Iterable[Option]) -> Chosen:
    """Return what is in effect of these options, after what was given. Leaves with status 2 at a file that is bad."""
    config = configuration(parser, given)
    sources = {}
    for option in options:
        if hasattr(given, option.attribute):
            sources[option.name] = Source.COMMAND_LINE
        else:
            sources[option.name] = Source.FILE if option.name in config.options else Source.DEFAULT
            setattr(given, option.attribute, config.options.get(option.name, option.default))
    return Chosen(given, sources, config)


def configuration(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Config:
    """Return what the configuration file says. Leaves with status 2 and one line if it is bad."""
    try:
        return read(given.config)
    except BadConfig as bad:
        leave(parser, str(bad))


def refuse_theme(parser: argparse.ArgumentParser, chosen: Chosen) -> None:
    """Leave with status 2 if there is no such theme. Loads Textual's themes if one is asked for at all."""
    theme = chosen.options.theme
    if theme is None:
        return
    from . import themes

    why = themes.why_not(theme)
    if why is not None:
        from_file = chosen.sources["theme"] is Source.FILE
        leave(parser, f"{chosen.config.path}: theme: {why}" if from_file else f"--theme: {why}")


def leave(parser: argparse.ArgumentParser, why: str) -> NoReturn:
    """Leave with status 2 and one line on stderr."""
    print(clean(f"{parser.prog}: {why}"), file=sys.stderr)
    raise SystemExit(2)
