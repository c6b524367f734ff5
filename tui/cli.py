"""The command line. It imports no more than a command needs: the screen's library only for the screen."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from . import checks, garbage, measuring
from .chosen import add_config, add_options, choose, refuse_theme
from .options import Parser, add_address, address, settings
from .standard import never_refuse, say

EXAMPLES = """\
examples:
  echotui                              servers on ports 8000 to 8003, and the screen
  echotui --port 0 --loop uvloop       ports the system picks, on uvloop
  echotui serve --events all           no screen: every event as a line of JSON
  echotui connect sockets              talk to the sockets server; try the word boom
  echotui faults run chaos.toml        a fault script, with a verdict
  echotui serve --servers polling,blocking    the two that take a thread: named, so they are started
  echotui load selectors --rate 5000   5,000 messages a second; watch what it does
  nc 127.0.0.1 8000                    … or with the tool you have
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    never_refuse()
    arguments = sys.argv[1:] if argv is None else argv
    command = COMMANDS.get(arguments[0]) if arguments else None
    return _screen(arguments) if command is None else command(arguments[1:])


def _screen(arguments: list[str]) -> int:
    parser = Parser(
        prog="echotui",
        description="See your event loop: echo servers on the app's own loop, watched live.",
        epilog=f"commands:\n  echotui serve …      the same servers without a screen: one JSON object a line\n"
        f"  echotui connect …    a line client for machines without telnet or nc\n"
        f"  echotui faults …     the catalogue of faults, and fault scripts without a screen\n"
        f"  echotui load …       traffic for a server, from processes of its own; checks every byte\n"
        f"  echotui bench …      what watching costs, beside plain servers\n"
        f"  echotui config …     the configuration file: where it is, what is in effect, a template\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    from .option_table import SCREEN_OPTIONS, SERVER_OPTIONS

    known = (*SERVER_OPTIONS, *SCREEN_OPTIONS)
    add_options(parser, known)
    add_config(parser)
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        late = next((word for word in unknown if word in COMMANDS), None)
        not_known = f"unrecognized arguments: {' '.join(unknown)}"
        parser.error(not_known if late is None else f"the command comes first: echotui {late} …")
    chosen = choose(parser, given, known)
    options = chosen.options
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        parser.error("there is no terminal to draw on: use `echotui serve`")
    refuse_theme(parser, chosen)
    garbage.collect_less()
    from . import run

    look = run.Look(
        options.refresh, options.read_only, options.mouse, options.ascii, options.theme, chosen.config.keymap
    )
    return run.run(settings(options), options.loop, look)


def _serve(arguments: list[str]) -> int:
    parser = Parser(prog="echotui serve", description="The servers without a screen: one JSON object a line on stdout.")
    from .option_table import SERVE_OPTIONS, SERVER_OPTIONS

    known = (*SERVER_OPTIONS, *SERVE_OPTIONS)
    add_options(parser, known)
    add_config(parser)
    parser.add_argument(
        "--faults", type=checks.script, metavar="FILE", help="a fault script: its faults come when they are due"
    )
    options = choose(parser, parser.parse_args(arguments), known).options
    garbage.collect_less()
    from . import serve

    return serve.run(settings(options), options.loop, all_events=options.events == "all", script=options.faults)


def _faults(arguments: list[str]) -> int:
    parser = Parser(
        prog="echotui faults",
        description="The catalogue of faults, and scripts of them.",
        epilog="a fault script:\n\n" + _script_example(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | run FILE", parser_class=Parser)
    listing = commands.add_parser("list", help="every kind of fault, with its parameters")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    running = commands.add_parser(
        "run",
        help="run a fault script; exit 0 if all it expects is met, 1 if not",
        description="Run a fault script without a screen; exit 0 if all it expects is met, 1 if not.",
        epilog=parser.epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    running.add_argument("file", type=Path, metavar="FILE", help="a fault script (TOML)")
    running.add_argument("--seed", type=checks.seed, help="in place of the script's own: other random decisions")
    running.add_argument("--loop", type=checks.loop, default="asyncio", help="asyncio (default) or uvloop")
    running.add_argument("--json", action="store_true", help="every event and verdict as a JSON object a line")
    options = parser.parse_args(arguments)
    from . import faults

    if options.command == "list":
        return faults.list_faults(as_json=options.json)
    return faults.run(options.file, options.loop, seed=options.seed, as_json=options.json)


def _script_example() -> str:
    """Return the example of a script from where scripts are explained."""
    from echotui.server.faults import script

    return (script.__doc__ or "").partition("\n\n")[2]


def _connect(arguments: list[str]) -> int:
    parser = Parser(
        prog="echotui connect", description="A line client: sends each line with CRLF, prints what comes back."
    )
    add_address(parser)
    options = parser.parse_args(arguments)
    host, port = address(parser, options)
    from . import connect

    return connect.run(host, port)


def _config(arguments: list[str]) -> int:
    from . import config_command

    return config_command.config(arguments)


class _Version(argparse.Action):
    """Print the version, and how it was built; look it up only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from echotui.server.compiled import how_built
        from echotui.server.version import VERSION

        parser.exit(say("echotui", f"echotui {VERSION} ({how_built()})"))


#: What can be asked for by name; without a name it is the screen.
COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "serve": _serve,
    "connect": _connect,
    "faults": _faults,
    "load": measuring.load,
    "bench": measuring.bench,
    "config": _config,
}
