"""The command line. It imports no more than a command needs: the screen's library only for the screen."""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from .text import clean

if TYPE_CHECKING:
    from echotui.server.faults.script import Script

EXAMPLES = """\
examples:
  echotui                              servers on ports 8000 to 8005, and the screen
  echotui --port 0 --loop uvloop       ports the system picks, on uvloop
  echotui serve --events all           no screen: every event as a line of JSON
  echotui connect sockets              talk to the sockets server; try the word boom
  echotui faults run chaos.toml        a fault script, with a verdict
  echotui serve --servers polling,blocking    the two that take a thread: named, so they are started
  nc 127.0.0.1 8000                    … or with the tool you have
"""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that says what to do."""

    def error(self, message: str) -> NoReturn:
        print(clean(f"{self.prog}: {message} (see {self.prog} --help)"), file=sys.stderr)
        raise SystemExit(2)


#: The commands besides the screen.
_COMMANDS = (["serve"], ["connect"], ["faults"])


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    command, rest = (arguments[0], arguments[1:]) if arguments[:1] in _COMMANDS else ("", arguments)
    match command:
        case "serve":
            return _serve(rest)
        case "connect":
            return _connect(rest)
        case "faults":
            return _faults(rest)
        case _:
            return _screen(rest)


def _screen(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui",
        description="See your event loop: echo servers on the app's own loop, watched live.",
        epilog=f"commands:\n  echotui serve …      the same servers without a screen: one JSON object a line\n"
        f"  echotui connect …    a line client for machines without telnet or nc\n"
        f"  echotui faults …     the catalogue of faults, and fault scripts without a screen\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    _add_server_options(parser)
    parser.add_argument(
        "--refresh", type=_refresh, default=10.0, metavar="HZ", help="frames a second, 0.1 to 60 (default 10)"
    )
    parser.add_argument("--read-only", action="store_true", help="no keys that change anything: only look")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    options = parser.parse_args(arguments)
    settings = _settings(options)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        parser.error("there is no terminal to draw on: use `echotui serve`")
    from . import run

    return run.run(
        settings, options.loop, refresh=options.refresh, read_only=options.read_only, mouse=not options.no_mouse
    )


def _serve(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui serve", description="The servers without a screen: one JSON object a line on stdout."
    )
    _add_server_options(parser)
    parser.add_argument(
        "--events",
        choices=("lifecycle", "all"),
        default="lifecycle",
        help="which events: lifecycle (default), or all, with every select, read and write",
    )
    parser.add_argument(
        "--faults", type=_script, metavar="FILE", help="a fault script: its faults come when they are due"
    )
    options = parser.parse_args(arguments)
    settings = _settings(options)
    from . import serve

    return serve.run(settings, options.loop, all_events=options.events == "all", script=options.faults)


def _faults(arguments: list[str]) -> int:
    parser = _Parser(
        prog="echotui faults",
        description="The catalogue of faults, and scripts of them.",
        epilog="a fault script:\n\n" + _script_example(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | run FILE", parser_class=_Parser)
    listing = commands.add_parser("list", help="every kind of fault, with its parameters")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    running = commands.add_parser("run", help="run a fault script; exit 0 if all it expects is met, 1 if not")
    running.add_argument("file", type=Path, metavar="FILE", help="a fault script (TOML)")
    running.add_argument("--seed", type=_seed, help="in place of the script's own: other random decisions")
    running.add_argument("--loop", type=_loop, default="asyncio", help="asyncio (default) or uvloop")
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
    from echotui.server.settings import DEFAULT_HOST, DEFAULT_PORT, SERVER_NAMES, port_of

    parser = _Parser(
        prog="echotui connect", description="A line client: sends each line with CRLF, prints what comes back."
    )
    parser.add_argument(
        "to",
        nargs="?",
        default=SERVER_NAMES[0],
        metavar="SERVER|HOST:PORT",
        help=f"one of {', '.join(SERVER_NAMES)} (default {SERVER_NAMES[0]}), or an address",
    )
    parser.add_argument("--host", default=DEFAULT_HOST, help=f"where the servers are (default {DEFAULT_HOST})")
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, metavar="BASE", help=f"their base port (default {DEFAULT_PORT})"
    )
    options = parser.parse_args(arguments)
    if options.to in SERVER_NAMES:
        if options.port == 0:
            parser.error("port 0 is for listening: name the port the server has, as HOST:PORT")
        host, port = options.host, port_of(options.to, options.port)
    else:
        host, _, number = options.to.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not number.isascii() or not number.isdigit() or not 0 < int(number) <= 65535:
            parser.error(f"{options.to!r} is neither a server ({', '.join(SERVER_NAMES)}) nor HOST:PORT")
        port = int(number)
    from . import connect

    return connect.run(host, port)


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    from echotui.server.settings import DEFAULT_HOST, DEFAULT_PORT, SERVER_NAMES

    add = parser.add_argument
    add("--host", default=DEFAULT_HOST, help=f"the address to listen on (default {DEFAULT_HOST}, this machine only)")
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        metavar="BASE",
        help=f"the first server's port, the others follow (default {DEFAULT_PORT}; 0: the system picks each)",
    )
    add(
        "--servers",
        type=_servers,
        default=None,
        metavar="A,B",
        help=f"which servers, of {', '.join(SERVER_NAMES)} (default all, but polling and blocking, which take a "
        "thread each, are started only if they are named here)",
    )
    add("--loop", type=_loop, default="asyncio", metavar="KIND", help="asyncio (default) or uvloop")
    add(
        "--select-timeout",
        type=_seconds,
        default=1.0,
        metavar="S",
        help='how long selectors waits until it says "no events" (default 1)',
    )
    add(
        "--idle-timeout",
        type=_idle,
        default=None,
        metavar="S",
        help="close a connection that says nothing for so long (default 0: never)",
    )
    add(
        "--blocking-receive",
        type=_count,
        default=2,
        metavar="N",
        help="how many bytes the blocking server asks for in one read (default 2)",
    )
    add(
        "--blocking-clients",
        type=_count,
        default=None,
        metavar="N",
        help="after how many clients, one after the other, the blocking server is done (default: never)",
    )
    add(
        "--drain",
        type=_seconds_or_none_at_all,
        default=5.0,
        metavar="S",
        help="how long open connections may finish when the servers stop (default 5)",
    )


def _settings(options: argparse.Namespace) -> Any:
    from echotui.server.settings import Settings

    return Settings(
        host=options.host,
        port=options.port,
        servers=options.servers,
        select_timeout=options.select_timeout,
        idle_timeout=options.idle_timeout,
        drain=options.drain,
        blocking_receive=options.blocking_receive,
        blocking_clients=options.blocking_clients,
    )


def _port(text: str) -> int:
    from echotui.server.settings import MAX_PORT, SERVER_NAMES

    highest = MAX_PORT - len(SERVER_NAMES) + 1
    if not text.isascii() or not text.isdigit() or int(text) > highest:
        raise argparse.ArgumentTypeError(f"{text!r} is not a base port: 1 to {highest}, or 0 to let the system pick")
    return int(text)


def _script(text: str) -> "Script":
    from echotui.server.faults.script import BadScript, load

    try:
        return load(Path(text))
    except BadScript as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: a whole number, 0 or more")
    return int(text)


def _servers(text: str) -> tuple[str, ...]:
    from echotui.server.settings import SERVER_NAMES

    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in SERVER_NAMES:
            raise argparse.ArgumentTypeError(f"there is no server {name!r}: choose from {', '.join(SERVER_NAMES)}")
    return tuple(name for name in SERVER_NAMES if name in asked)


def _loop(text: str) -> str:
    if text not in ("asyncio", "uvloop"):
        raise argparse.ArgumentTypeError(f"there is no loop {text!r}: choose asyncio or uvloop")
    if text == "uvloop":
        from importlib.util import find_spec

        if find_spec("uvloop") is None:
            raise argparse.ArgumentTypeError("uvloop is not installed here: choose asyncio")
    return text


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000000")
    return int(text)


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}: seconds, from 0 to 86400")
    return number


def _seconds(text: str) -> float:
    seconds = _number(text, "a time to wait")
    if seconds < 0.001:
        raise argparse.ArgumentTypeError(f"{text!r} is too short to wait: at least 0.001 s")
    return seconds


def _seconds_or_none_at_all(text: str) -> float:
    return _number(text, "a time limit")


def _idle(text: str) -> float | None:
    return _number(text, "an idle time") or None


def _refresh(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0.1 <= rate <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame rate: 0.1 to 60 a second")
    return rate


class _Version(argparse.Action):
    """Print the version; look it up only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"echotui {version('echotui')}")
        parser.exit()
